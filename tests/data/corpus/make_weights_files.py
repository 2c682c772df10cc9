#!/usr/bin/env python3
"""Writes the small files from which fuzz_safetensors and fuzz_pth start and which the readers' tests cut up. Needs Python
alone: the formats are written down here a second time, byte by byte. The same bytes come out every time.

Usage: make_weights_files.py     writes into fuzz_safetensors/ and fuzz_pth/ beside it
"""
import io
import json
import pathlib
import struct
import zipfile

HERE = pathlib.Path(__file__).resolve().parent


def values(n):
    return [((i * 37) % 64 - 32) / 64 for i in range(n)]


# ---- safetensors

FORMATS = {"F32": "f", "F16": "e", "F64": "d", "I64": "q", "I32": "i", "I8": "b"}


def safetensors(tensors, metadata):
    """tensors: name to (dtype, shape, values)."""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, (dtype, shape, numbers) in tensors.items():
        packed = struct.pack(f"<{len(numbers)}{FORMATS[dtype]}", *numbers)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def linnet_form():
    graph = {
        "name": "tiny",
        "dialect": "timm",
        "output": "scores",
        "nodes": [
            {"name": "input", "op": "input", "shape": [5, 4, 3]},
            {"name": "pad", "op": "pad", "inputs": ["input"], "padding": [1, 0, 0, 1]},
            {"name": "stem", "op": "convolution", "inputs": ["pad"], "kernel": [2, 2], "stride": [2, 1],
             "padding": [0, 0, 1, 0], "activation": "relu6", "tensors": ["weight"]},
            {"name": "norm", "op": "batch_norm", "inputs": ["stem"], "epsilon": 0.001,
             "tensors": ["weight", "bias", "running_mean", "running_var"]},
            {"name": "dw", "op": "depthwise", "inputs": ["norm"], "kernel": [1, 3], "stride": [1, 1],
             "padding": [0, 0, 1, 1], "tensors": ["weight", "bias"]},
            {"name": "sum", "op": "add", "inputs": ["norm", "dw"], "activation": "relu"},
            {"name": "mean", "op": "global_average_pool", "inputs": ["sum"]},
            {"name": "gate", "op": "activation", "inputs": ["mean"], "activation": "hard_sigmoid"},
            {"name": "gated", "op": "multiply", "inputs": ["sum", "gate"]},
            {"name": "pool", "op": "global_average_pool", "inputs": ["gated"]},
            {"name": "flat", "op": "identity", "inputs": ["pool"]},
            {"name": "scores", "op": "linear", "inputs": ["flat"], "tensors": ["weight", "bias"]},
            {"name": "softmax", "op": "softmax", "inputs": ["scores"]},
        ],
    }
    preprocessing = {"shortest_edge": 6, "resize_to_input": False, "filter": "bicubic", "resampler": "pillow",
                     "crop_rounding": "to_even", "rescale": 1 / 256, "mean": [0.5, 0.25, 0], "deviation": [1, 2, 0.5]}
    shapes = {"stem.weight": [2, 2, 2, 3], "norm.weight": [2], "norm.bias": [2], "norm.running_mean": [2],
              "norm.running_var": [2], "dw.weight": [1, 3, 2], "dw.bias": [2], "scores.weight": [2, 2],
              "scores.bias": [2]}
    tensors = {}
    for name, shape in shapes.items():
        count = 1
        for d in shape:
            count *= d
        numbers = values(count)
        tensors[name] = ("F32", shape, [abs(v) for v in numbers] if name.endswith("_var") else numbers)
    compact = {"separators": (",", ":")}
    return safetensors(tensors, {
        "format": "linnet", "linnet.schema": "1", "linnet.graph": json.dumps(graph, **compact),
        "linnet.labels": json.dumps(["cat", "dog"]), "linnet.preprocessing": json.dumps(preprocessing, **compact)})


def linnet_form_int8():
    def quantization(scale, zero_point):
        return {"scale": scale, "zero_point": zero_point}

    graph = {
        "name": "tiny8",
        "dialect": "unknown",
        "output": "scores",
        "nodes": [
            {"name": "input", "op": "input", "shape": [4, 4, 3], "quantization": quantization(0.02, -1)},
            {"name": "stem", "op": "convolution", "inputs": ["input"], "kernel": [3, 3], "stride": [2, 2],
             "padding": [0, 1, 0, 1], "activation": "relu6", "tensors": ["weight", "bias", "weight_scale"],
             "quantization": quantization(0.03, -128)},
            {"name": "dw", "op": "depthwise", "inputs": ["stem"], "kernel": [3, 1], "stride": [1, 1],
             "padding": [1, 1, 0, 0], "weight_zero_point": 7, "tensors": ["weight", "weight_scale"],
             "quantization": quantization(0.5, 3)},
            {"name": "swish", "op": "activation", "inputs": ["dw"], "activation": "hard_swish",
             "quantization": quantization(0.25, -100)},
            {"name": "sum", "op": "add", "inputs": ["stem", "swish"], "quantization": quantization(0.3, 0)},
            {"name": "pool", "op": "global_average_pool", "inputs": ["sum"], "quantization": quantization(0.3, 1)},
            {"name": "gated", "op": "multiply", "inputs": ["sum", "pool"], "quantization": quantization(1, 0)},
            {"name": "mean", "op": "global_average_pool", "inputs": ["gated"], "quantization": quantization(1, 0)},
            {"name": "scores", "op": "linear", "inputs": ["mean"], "tensors": ["weight", "bias", "weight_scale"],
             "quantization": quantization(0.125, 9)},
        ],
    }
    tensors = {}
    for name, kind, shape in (("stem.bias", "I32", [2]), ("stem.weight_scale", "F32", [2]),
                              ("dw.weight_scale", "F32", [2]), ("scores.bias", "I32", [2]),
                              ("scores.weight_scale", "F32", [2]), ("stem.weight", "I8", [2, 3, 3, 3]),
                              ("dw.weight", "I8", [3, 1, 2]), ("scores.weight", "I8", [2, 2])):
        count = 1
        for d in shape:
            count *= d
        numbers = {"F32": [0.01 * (i + 1) for i in range(count)], "I32": [1000 * i - 500 for i in range(count)],
                   "I8": [37 * i % 255 - 127 for i in range(count)]}[kind]
        tensors[name] = (kind, shape, numbers)
    return safetensors(tensors, {"format": "linnet", "linnet.schema": "1",
                                 "linnet.graph": json.dumps(graph, separators=(",", ":"))})


def huggingface_v1():
    """The narrowest MobileNetV1, eight channels in every layer, five classes, as transformers names it."""
    tensors = {}

    def layer(name, shape):
        count = shape[0] * shape[1] * shape[2] * shape[3]
        tensors[f"{name}.convolution.weight"] = ("F16", shape, values(count))
        for part in ("weight", "bias", "running_mean", "running_var"):
            tensors[f"{name}.normalization.{part}"] = ("F16", [8], [abs(v) for v in values(8)])

    # One batch norm's counter stands for all: each tensor's entry is bytes that the fuzzer has to read every time.
    layer("mobilenet_v1.conv_stem", [8, 3, 3, 3])
    tensors["mobilenet_v1.conv_stem.normalization.num_batches_tracked"] = ("I64", [], [1])
    for i in range(13):
        layer(f"mobilenet_v1.layer.{2 * i}", [8, 1, 3, 3])
        layer(f"mobilenet_v1.layer.{2 * i + 1}", [8, 8, 1, 1])
    tensors["classifier.weight"] = ("F32", [5, 8], values(40))
    tensors["classifier.bias"] = ("F64", [5], values(5))
    return safetensors(tensors, {"format": "pt"})


# ---- pickles, in the opcodes that torch.save() writes

def text(s):
    return b"X" + struct.pack("<I", len(s)) + s.encode()


def integer(i):
    return b"K" + bytes([i]) if i < 256 else b"J" + struct.pack("<i", i)


def tuple_of(*items):
    return b"(" + b"".join(items) + b"t"


def tensor(storage_type, key, count, offset, shape, strides, legacy=False):
    view = (b"N",) if legacy else ()
    storage = tuple_of(text("storage"), f"ctorch\n{storage_type}\n".encode(), text(key), text("cpu"), integer(count),
                       *view) + b"Q"
    hooks = b"ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + tuple_of(
        storage, integer(offset), tuple_of(*map(integer, shape)), tuple_of(*map(integer, strides)), b"\x89", hooks) + b"R"


def state_dict(legacy=False):
    """An ordered dictionary with a plain matrix, a transposed window on halves, a scalar counter and attributes."""
    items = [
        text("weight") + tensor("FloatStorage", "0", 6, 0, [2, 3], [3, 1], legacy),
        text("half") + tensor("HalfStorage", "1", 8, 1, [3, 2], [1, 4], legacy),
        text("num_batches_tracked") + tensor("LongStorage", "2", 1, 0, [], [], legacy),
        text("shared") + tensor("FloatStorage", "0", 6, 2, [4], [1], legacy),
    ]
    attributes = b"}" + b"(" + text("_metadata") + b"ccollections\nOrderedDict\n)R" + b"u"
    return b"\x80\x02" + b"ccollections\nOrderedDict\n)R" + b"q\x00" + b"(" + b"".join(items) + b"u" + attributes + b"b."


STORAGES = [struct.pack("<6f", *values(6)), struct.pack("<8e", *values(8)), struct.pack("<q", 3)]
COUNTS = [6, 8, 1]


def zip_form():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        def add(name, data):
            archive.writestr(zipfile.ZipInfo("archive/" + name, (1980, 1, 1, 0, 0, 0)), data)

        add("data.pkl", state_dict())
        add("byteorder", b"little")
        for i, data in enumerate(STORAGES):
            add(f"data/{i}", data)
        add("version", b"3\n")
    return out.getvalue()


def legacy_form():
    magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
    protocol = b"\x80\x02M\xe9\x03."
    sizes = b"\x80\x02}(" + text("little_endian") + b"\x88" + text("protocol_version") + b"M\xe9\x03u."
    keys = b"\x80\x02](" + text("2") + text("0") + text("1") + b"e."
    data = b"".join(struct.pack("<q", COUNTS[i]) + STORAGES[i] for i in (2, 0, 1))
    return magic + protocol + sizes + state_dict(legacy=True) + keys + data


def main():
    files = {
        "fuzz_safetensors/linnet_form": linnet_form(),
        "fuzz_safetensors/linnet_form_int8": linnet_form_int8(),
        "fuzz_safetensors/huggingface_v1": huggingface_v1(),
        "fuzz_safetensors/empty": safetensors({}, {}),
        # fuzz_pth's first byte says what follows: Z a whole file, P a pickle.
        "fuzz_pth/zip": b"Z" + zip_form(),
        "fuzz_pth/legacy": b"Z" + legacy_form(),
        "fuzz_pth/pickle": b"P" + state_dict(),
        "fuzz_pth/call": b"Pcposix\nsystem\n" + text("true") + b"\x85R.",
    }
    for name, data in files.items():
        path = HERE / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)


main()

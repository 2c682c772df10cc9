#!/usr/bin/env python3
"""What PyTorch says of labelled photographs: the oracle of docs/accuracy.md.

Usage: pytorch_imagenet.py MODEL PHOTOS
  MODEL   a Hugging Face folder (MobileNetV1 or V2), or torchvision's mobilenet_v2 as .pth
  PHOTOS  a folder with labels.csv (columns file, class_index_0_999)

Prints a JSON line a photograph: {"file", "class", "top1", "margin"}; top1 and class are indices among the 1000 classes
(the background of a 1001-class model is dropped), margin is the distance between the two largest logits.

The networks are written down here a second time, from the papers and from the names in the files, with PyTorch's own
operators and Pillow's own resize: nothing is shared with Linnet.
"""
import csv
import json
import pathlib
import sys

import numpy
import PIL.Image
import torch
import torch.nn.functional as F

V1_STRIDES = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]
V2_STRIDES = [2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1]  # of the blocks behind the stem's own


def read_safetensors(path):
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        begin, end = entry["data_offsets"]
        values = numpy.frombuffer(data[8 + length + begin : 8 + length + end], dtype="<f4").reshape(entry["shape"])
        tensors[name] = torch.from_numpy(values.copy())
    return tensors


class HuggingFace:
    """MobileNetV1 and V2 as Hugging Face names and pads them."""

    def __init__(self, folder):
        self.config = json.loads((folder / "config.json").read_text())
        self.weights = read_safetensors(folder / "model.safetensors")
        self.forward = {"mobilenet_v1": self.v1, "mobilenet_v2": self.v2}[self.config["model_type"]]
        processor = json.loads((folder / "preprocessor_config.json").read_text())
        self.mean, self.std = processor["image_mean"], processor["image_std"]

    def layer(self, x, name, stride=1, depthwise=False, activation=True):
        w = self.weights
        weight = w[f"{name}.convolution.weight"]
        kernel = weight.shape[-1]
        padding = 0
        if self.config["tf_padding"]:
            total = max(kernel - stride if x.shape[-1] % stride == 0 else kernel - x.shape[-1] % stride, 0)
            x = F.pad(x, [total // 2, total - total // 2] * 2)
        else:
            padding = kernel // 2
        x = F.conv2d(x, weight, stride=stride, padding=padding, groups=x.shape[1] if depthwise else 1)
        norm = [w[f"{name}.normalization.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        x = F.batch_norm(x, *norm, eps=self.config["layer_norm_eps"])
        return F.relu6(x) if activation else x

    def scores(self, x):
        return F.linear(x.mean((2, 3)), self.weights["classifier.weight"], self.weights["classifier.bias"])

    def v1(self, x):
        x = self.layer(x, "mobilenet_v1.conv_stem", stride=2)
        for i, stride in enumerate(V1_STRIDES):
            x = self.layer(x, f"mobilenet_v1.layer.{2 * i}", stride=stride, depthwise=True)
            x = self.layer(x, f"mobilenet_v1.layer.{2 * i + 1}")
        return self.scores(x)

    def v2(self, x):
        stem = "mobilenet_v2.conv_stem"
        x = self.layer(x, f"{stem}.first_conv", stride=2)
        x = self.layer(x, f"{stem}.conv_3x3", depthwise=True)
        x = self.layer(x, f"{stem}.reduce_1x1", activation=False)
        for i, stride in enumerate(V2_STRIDES):
            name = f"mobilenet_v2.layer.{i}"
            y = self.layer(x, f"{name}.expand_1x1")
            y = self.layer(y, f"{name}.conv_3x3", stride=stride, depthwise=True)
            y = self.layer(y, f"{name}.reduce_1x1", activation=False)
            x = x + y if x.shape == y.shape else y
        return self.scores(self.layer(x, "mobilenet_v2.conv_1x1"))


class Torchvision:
    """torchvision's own MobileNetV2."""

    def __init__(self, path):
        import torchvision

        self.network = torchvision.models.mobilenet_v2()
        self.network.load_state_dict(torch.load(path))
        self.forward = self.network.eval()
        self.mean, self.std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def preprocess(path, mean, std):
    image = PIL.Image.open(path).convert("RGB")
    short = min(image.size)
    image = image.resize([int(256 * side / short) for side in image.size], PIL.Image.BILINEAR)
    left, top = [(side - 224) // 2 for side in image.size]
    pixels = numpy.asarray(image.crop((left, top, left + 224, top + 224)), dtype=numpy.float32) / 255
    pixels = (pixels - numpy.float32(mean)) / numpy.float32(std)
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None]


def main(model, photos):
    model, photos = pathlib.Path(model), pathlib.Path(photos)
    network = HuggingFace(model) if model.is_dir() else Torchvision(model)
    with open(photos / "labels.csv", newline="") as table, torch.no_grad():
        for row in csv.DictReader(table):
            scores = network.forward(preprocess(photos / row["file"], network.mean, network.std))[0][-1000:]
            best = torch.topk(scores, 2)
            print(
                json.dumps(
                    {
                        "file": row["file"],
                        "class": int(row["class_index_0_999"]),
                        "top1": int(best.indices[0]),
                        "margin": round(float(best.values[0] - best.values[1]), 5),
                    }
                )
            )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])

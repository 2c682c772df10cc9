#!/usr/bin/env python3
"""The figures of docs/accuracy.md: every real model on the labelled photographs, beside PyTorch.

Usage: accuracy.py LINNET [--pytorch]
  LINNET     the tool, build/release/linnet
  --pytorch  asks PyTorch for its top-1 of each photograph as well, and lists where the two part (three minutes)

Real weights and photographs are looked for in LINNET_DATA, by default ../shared beside the repository. Prints the table
in Markdown: float models beside PyTorch, the same in 16 bits, then int8 files that others quantized. Exit status: 0 if every float
model is within one photograph of its figure and PyTorch's, and every int8 one on it, and bf16 gives at least 90 %,
fp16 97 % of the photographs the label that float32 gives; 1 if not; 77 if the data, or PyTorch, is absent.
"""
import json
import os
import pathlib
import subprocess
import sys

# Model, its labels where the file has none, and how many of the 183 PyTorch gets right.
MODELS = [
    ("huggingface/mobilenet_v2_1.0_224", None, 145),
    ("torchvision/mobilenet_v2.pth", "labels/synset_words_1000.txt", 138),
    ("huggingface/mobilenet_v1_0.75_224", None, 138),
    ("huggingface/mobilenet_v1_0.25_224", None, 109),
]
# int8 files that others quantized: model, labels where the file has none, how many are right, and the float model beside it.
IMPORTED = [
    ("tflite/tf2_mobilenet_v2_1.0_224_ptq.tflite", "labels/coral_imagenet_labels_1001.txt", 145, "V2 1.0, 145"),
    ("tflite/mobilenet_v2_1.0_224_quant.tflite", "labels/coral_imagenet_labels_1001.txt", 140, "V2 1.0, 145"),
    ("tflite/mobilenet_v1_0.25_224_quant.tflite", "labels/coral_imagenet_labels_1001.txt", 102, "V1 0.25, 109"),
    ("tflite/mobilenet_v1_0.5_160_quant.tflite", "labels/coral_imagenet_labels_1001.txt", 120, "none"),
    ("onnx/mobilenetv2_qdq_int8_perchannel.onnx", "labels/synset_words_1000.txt", 74, "none of these weights"),
]
HALVES = ("bf16", "fp16")
LEAST_AGREEMENT = {"bf16": 0.90, "fp16": 0.97}  # of labels with float32's: bfloat16 has 8 digits, as int8
ORACLE = pathlib.Path(__file__).parent.parent / "oracles" / "pytorch_imagenet.py"
PYTHON_WITH_TORCH = "/usr/bin/python3"  # where Debian's python3-torch is


def skip(reason):
    print(f"SKIP: {reason}")
    sys.exit(77)


def json_lines(*command):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def options_for(data, name, labels):
    return ["--model", data / "models" / name] + (["--labels", data / labels] if labels else [])


def imported_int8(linnet, data, photos):
    """Prints the second table; returns what is not as it is on record."""
    missed = []
    print("\n| int8 file | right of 183 | top-1 | top-5 | float model beside it, right |")
    print("|---|--:|--:|--:|--:|")
    for name, labels, expected, beside in IMPORTED:
        score = json_lines(linnet, "eval", *options_for(data, name, labels), "--data", photos, "--json")[0]
        right = round(score["top1"] * score["images"])
        print(f"| `{name}` | {right} | {100 * score['top1']:.1f} % | {100 * score['top5']:.1f} % | {beside} |")
        if right != expected:
            missed.append(f"{name}: {right} right; the figure on record is {expected}")
    return missed


def halves(linnet, data, photos):
    """Prints how often 16 bits give float32's label; returns what agrees too seldom."""
    missed = []
    print("\n| model | precision | right | float32, right | same label as float32 |")
    print("|---|---|--:|--:|--:|")
    for name, labels, _ in MODELS:
        scores, wrong = {}, {}
        for precision in ("float32", *HALVES):
            command = (linnet, "eval", *options_for(data, name, labels), "--precision", precision, "--data", photos)
            scores[precision] = json_lines(*command, "--misses", "--json")[0]
            wrong[precision] = {miss["image"]: miss["predicted"] for miss in scores[precision]["misses"]}
        for precision in HALVES:
            score, own, reference = scores[precision], wrong[precision], wrong["float32"]
            images = score["images"]
            same = images - sum(own.get(image) != reference.get(image) for image in own.keys() | reference.keys())
            print(f"| `{name}` | {precision} | {score['right_first']} | {scores['float32']['right_first']} | "
                  f"{same} of {images}, {100 * same / images:.1f} % |")
            if same < LEAST_AGREEMENT[precision] * images:
                missed.append(f"{name}, {precision}: {same} of {images} labels are float32's")
    return missed


def main(linnet, data, with_pytorch):
    photos = data / "photos" / "imagenet"
    if not photos.is_dir():
        skip(f"{photos} is absent; set LINNET_DATA to the folder that holds it")
    if with_pytorch and subprocess.run([PYTHON_WITH_TORCH, "-c", "import torch, torchvision"], capture_output=True).returncode:
        skip("python3-torch or python3-torchvision is not installed")

    missed = []
    partings = []
    print("| model | right of 183 | top-1 | top-5 | PyTorch, right | same label as PyTorch |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, labels, expected in MODELS:
        options = options_for(data, name, labels)
        score = json_lines(linnet, "eval", *options, "--data", photos, "--json")[0]
        right = round(score["top1"] * score["images"])
        theirs, same = expected, "not asked"
        if with_pytorch:
            oracle = json_lines(PYTHON_WITH_TORCH, ORACLE, data / "models" / name, photos)
            files = [photos / row["file"] for row in oracle]
            ours = json_lines(linnet, "classify", *options, "--top", 1, "--json", *files)
            background = 1 if "1001" in classes(linnet, options) else 0
            differ = [
                (row, label["predictions"][0]["index"] - background)
                for row, label in zip(oracle, ours)
                if label["predictions"][0]["index"] - background != row["top1"]
            ]
            theirs = sum(row["top1"] == row["class"] for row in oracle)
            same = f"{len(oracle) - len(differ)} of {len(oracle)}"
            partings += [(name, row, index) for row, index in differ]
        print(f"| `{name}` | {right} | {100 * score['top1']:.1f} % | {100 * score['top5']:.1f} % | {theirs} | {same} |")
        if abs(right - expected) > 1 or abs(right - theirs) > 1:
            missed.append(f"{name}: {right} right; PyTorch's figure is {theirs}, the one on record {expected}")
    if with_pytorch:
        print()
        print("No photograph gets another label than PyTorch's." if not partings else "Where the labels part:\n")
        for name, row, index in partings:
            print(f"- `{name}`, {row['file']}: class {index}, PyTorch {row['top1']} by a margin of {row['margin']} logits")
    missed += halves(linnet, data, photos)
    missed += imported_int8(linnet, data, photos)
    for line in missed:
        print(f"FAILED: {line}", file=sys.stderr)
    return 1 if missed else 0


def classes(linnet, options):
    """The output's size as `linnet info` has it, e.g. [1, 1, 1001]."""
    return str(json_lines(linnet, "info", options[1], "--json")[0]["layers"][-1]["output"])


if __name__ == "__main__":
    arguments = [word for word in sys.argv[1:] if word != "--pytorch"]
    if len(arguments) != 1:
        sys.exit(__doc__)
    shared = pathlib.Path(__file__).resolve().parents[3] / "shared"
    sys.exit(main(arguments[0], pathlib.Path(os.environ.get("LINNET_DATA", shared)), "--pytorch" in sys.argv))

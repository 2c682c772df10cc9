#!/usr/bin/env python3
"""What int8 costs: real models on the labelled photographs, float32 beside int8, and the noise of untrained families.

Usage: int8_accuracy.py LINNET [--backend reference] [-- OPTION…]
  LINNET     the tool, build/release/linnet
  --backend  what runs the int8 models; by default the CPU's kernels
  OPTION…    for `linnet quantize`, e.g. --method minmax

Two folds: calibrated on every other photograph, tested on the rest, exchanged, added up; so no photograph is tested on a
model that saw it. Real weights and photographs are looked for in LINNET_DATA, by default ../shared beside the repository.
Prints tables in Markdown. Exit status: 0 if every model keeps what is promised of it; 1 if not; 77 if the data is absent.
"""
import csv
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

# Model, its labels where the file has none, how many photographs int8 may lose, and the least agreement with float.
MODELS = [
    ("huggingface/mobilenet_v2_1.0_224", None, 3, 0.93),
    ("torchvision/mobilenet_v2.pth", "labels/synset_words_1000.txt", 3, 0.93),
    ("huggingface/mobilenet_v1_0.75_224", None, 3, 0.93),
    ("huggingface/mobilenet_v1_0.25_224", None, 5, 0.88),
]
FAMILIES = ["mobilenet_v3_large", "mobilenet_v3_small", "mobilenet_v4_conv_small", "mobilenet_v4_conv_medium"]
LEAST_MEDIAN = 25  # dB


def json_lines(*command):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def wilson_95(right, n):
    """Wilson's score interval, in per cent."""
    z = 1.959964
    middle = (right / n + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(right * (n - right) / n**3 + z * z / (4 * n * n))
    return f"{100 * (middle - half):.1f} to {100 * (middle + half):.1f} %"


def fold(photos, rows, folder):
    """A folder with these photographs and their labels.csv."""
    folder.mkdir()
    with open(folder / "labels.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, ["file", "class_index_0_999"])
        writer.writeheader()
        for row in rows:
            writer.writerow({"file": row["file"], "class_index_0_999": row["class_index_0_999"]})
            os.symlink((photos / row["file"]).resolve(), folder / row["file"])
    return folder


def top1(linnet, options, files):
    """The best class of each file, as the model counts them."""
    lines = json_lines(linnet, "classify", *options, "--top", 1, "--json", *files)
    return [line["predictions"][0]["index"] for line in lines]


def classes(linnet, model):
    return json_lines(linnet, "info", model, "--json")[0]["layers"][-1]["output"][-1]


def on_photographs(linnet, data, backend, quantize_options):
    photos = data / "photos" / "imagenet"
    with open(photos / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    missed = []
    print("| model | float32 right | int8 right | difference | int8 top-1, 95 % interval | same label as float32 |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, labels, may_lose, least_agreement in MODELS:
        model = data / "models" / name
        more = ["--labels", data / labels] if labels else []
        background = 1 if classes(linnet, model) == 1001 else 0
        right_float = right_int8 = same = 0
        with tempfile.TemporaryDirectory() as scratch:
            folds = [fold(photos, rows[i::2], pathlib.Path(scratch) / f"fold{i}") for i in range(2)]
            for i in range(2):
                int8 = pathlib.Path(scratch) / f"int8_{i}.safetensors"
                json_lines(linnet, "quantize", "--model", model, *more, "--calibration", folds[i], "-o", int8, "--json",
                           *quantize_options)
                test = rows[1 - i :: 2]
                files = [photos / row["file"] for row in test]
                theirs = top1(linnet, ["--model", model, *more], files)
                ours = top1(linnet, ["--model", int8, *backend], files)
                truth = [int(row["class_index_0_999"]) + background for row in test]
                right_float += sum(a == b for a, b in zip(theirs, truth))
                right_int8 += sum(a == b for a, b in zip(ours, truth))
                same += sum(a == b for a, b in zip(ours, theirs))
        n = len(rows)
        print(f"| `{name}` | {right_float} of {n} | {right_int8} | {right_int8 - right_float:+d} "
              f"| {100 * right_int8 / n:.1f} %, {wilson_95(right_int8, n)} | {100 * same / n:.1f} % |", flush=True)
        if right_float - right_int8 > may_lose:
            missed.append(f"{name}: int8 loses {right_float - right_int8} photographs; {may_lose} are allowed")
        if same < least_agreement * n:
            missed.append(f"{name}: agrees on {100 * same / n:.1f} %; {100 * least_agreement:.0f} % is promised")
    return missed


def on_noise(linnet, quantize_options):
    missed = []
    print("\n| untrained family, on noise | median of the layers | worst layer | scores |")
    print("|---|--:|--:|--:|")
    for family in FAMILIES:
        with tempfile.TemporaryDirectory() as scratch:
            result = json_lines(linnet, "quantize", "--model", family, "-o", pathlib.Path(scratch) / "int8.safetensors",
                                "--json", *quantize_options)[0]
        worst = min((layer["sqnr_db"], layer["name"]) for layer in result["layers"] if layer["sqnr_db"] is not None)
        median = result["median_sqnr_db"]
        print(f"| `{family}` | {median:.1f} dB | {worst[0]:.1f} dB, {worst[1]} | {result['layers'][-1]['sqnr_db']:.1f} dB |",
              flush=True)
        if median < LEAST_MEDIAN:
            missed.append(f"{family}: the median is {median:.1f} dB; {LEAST_MEDIAN} dB is promised")
    return missed


def main(linnet, data, backend, quantize_options):
    if not (data / "photos" / "imagenet").is_dir():
        print(f"SKIP: {data / 'photos' / 'imagenet'} is absent; set LINNET_DATA to the folder that holds it")
        return 77
    missed = on_photographs(linnet, data, backend, quantize_options) + on_noise(linnet, quantize_options)
    for line in missed:
        print(f"FAILED: {line}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    words = sys.argv[1:]
    options = words[words.index("--") + 1 :] if "--" in words else []
    words = words[: words.index("--")] if "--" in words else words
    backend = []
    if "--backend" in words:
        at = words.index("--backend")
        backend = words[at : at + 2]
        del words[at : at + 2]
    if len(words) != 1:
        sys.exit(__doc__)
    shared = pathlib.Path(__file__).resolve().parents[3] / "shared"
    sys.exit(main(words[0], pathlib.Path(os.environ.get("LINNET_DATA", shared)), backend, options))

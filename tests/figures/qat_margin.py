#!/usr/bin/env python3
"""Quantisation-aware training beside post-training int8 of the same float model: MobileNetV1 0.25 on CIFAR-10.

Usage: qat_margin.py LINNET CIFAR10 [--seeds N] [--epochs N] [--qat-epochs N] [--longer] [--model M] [-- OPTION…]
  LINNET   the tool, build/release/linnet
  CIFAR10  the folder that `linnet pull cifar10` names
  OPTION…  for `linnet train`, e.g. --qat-lr 0.002

A seed is a run of float epochs, then of quantisation-aware ones. Its float model is quantized after training as well. With
--longer so is that of a run which trained in float for as many epochs as both together: what more epochs alone bring.
All of them are tested on the 10,000 test images. Prints Markdown, with the 95 % interval of the mean margins (Student's).
Exit status: 0 if the quantisation-aware models are better on average, 1 if not, 77 if the data is absent.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

STUDENT_95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def run(*command):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout


def main(arguments):
    if not os.path.isdir(arguments.cifar10):
        print(f"{arguments.cifar10}: is not there; linnet pull cifar10 brings it")
        return 77
    data = "cifar10:" + arguments.cifar10

    def train(folder, seed, epochs, *more):
        said = run(arguments.linnet, "train", "--model", arguments.model, "--data", data, "--out", folder, "--seed", seed,
                   "--epochs", epochs, "--lr", 0.1, "--schedule", "one-cycle", "--nesterov", "--hold-out", 0, "--json",
                   *more, *arguments.options)
        return json.loads(said)

    print("| seed | float32 | int8 after training | quantisation-aware | margin |" +
          (" float for all epochs, then int8 |" if arguments.longer else ""))
    print("|--:|--:|--:|--:|--:|" + ("--:|" if arguments.longer else ""))
    margins, against_longer = [], []
    for seed in range(1, arguments.seeds + 1):
        with tempfile.TemporaryDirectory() as folder:
            both = arguments.epochs + arguments.qat_epochs
            aware = train(f"{folder}/aware", seed, both, "--qat-epochs", arguments.qat_epochs)
            after = f"{folder}/after.safetensors"
            run(arguments.linnet, "quantize", "--model", aware["model"], "--calibration", data, "--limit", 512, "-o", after)
            post = json.loads(run(arguments.linnet, "eval", "--model", after, "--data", data, "--json"))["top1"]
            margins.append(100 * (aware["int8_top1"] - post))
            row = (f"| {seed} | {100 * aware['top1']:.2f} | {100 * post:.2f} | {100 * aware['int8_top1']:.2f} | "
                   f"{margins[-1]:+.2f} |")
            if arguments.longer:
                longer = train(f"{folder}/longer", seed, both)
                against_longer.append(100 * (aware["int8_top1"] - longer["int8_top1"]))
                row += f" {100 * longer['int8_top1']:.2f} |"
            print(row, flush=True)

    def interval(values):
        mean = statistics.mean(values)
        if len(values) < 2:
            return f"{mean:+.2f}"
        reach = STUDENT_95.get(len(values) - 1, 1.96) * statistics.stdev(values) / math.sqrt(len(values))
        return f"{mean:+.2f} ± {reach:.2f}"

    print(f"\nOver int8 after training of the same float model: {interval(margins)} points")
    if against_longer:
        print(f"Over int8 after float training of as many epochs: {interval(against_longer)} points")
    return 0 if statistics.mean(margins) > 0 else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("linnet")
    parser.add_argument("cifar10")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--qat-epochs", type=int, default=2)
    parser.add_argument("--longer", action="store_true")
    parser.add_argument("--model", default="mobilenet_v1:width=0.25")
    # argparse itself loses a "--" behind an option.
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    arguments = parser.parse_args(sys.argv[1:end])
    arguments.options = sys.argv[end + 1:]
    sys.exit(main(arguments))

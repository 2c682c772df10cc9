#!/usr/bin/env python3
"""What a second process gains: images a second of `linnet train`, one process of one thread, of two, and two of one each.

Usage: mpi_scaling.py LINNET [--rounds N] [--model M] [--images N] [--batch N]
  LINNET  the program, build/release/linnet, with linnet_mpi.so beside it

Each round runs all in turn on pictures of noise; medians count. An image's time is of the whole step, loading and augmentation
included. Prints Markdown. Exit status 77 where MPI is absent.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

# name, ranks, threads a rank, further flags
RUNS = [("1 process, 1 thread", 1, 1, []), ("1 process, 2 threads", 1, 2, []), ("2 processes, 1 thread each", 2, 1, []),
        ("the same, synchronised batch norms", 2, 1, ["--sync-batch-norm"])]


def write_pictures(folder, count):
    for i in range(count):
        path = folder / f"class{i % 10}" / f"{i}.ppm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"P6 32 32 255\n" + os.urandom(32 * 32 * 3))


def images_per_second(arguments, data, out, ranks, threads, flags):
    shutil.rmtree(out, ignore_errors=True)
    mpirun = ["mpirun", "-np", str(ranks), "--bind-to", "none"] if ranks > 1 else []
    command = [*mpirun, arguments.program, "train", "--model", arguments.model, "--data", data, "--out", out, "--epochs", "3",
               "--batch-size", str(arguments.batch), "--hold-out", "0", "--threads", str(threads), "--json", *flags]
    environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    epochs = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return max(epoch["images_per_second"] for epoch in epochs[1:])  # the first one warms up


def main(arguments):
    if not shutil.which("mpirun") or not pathlib.Path(arguments.program).with_name("linnet_mpi.so").exists():
        print("MPI is absent; apt-get install libopenmpi-dev openmpi-bin, and configure again")
        return 77
    rates = {name: [] for name, *_ in RUNS}
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder) / "pictures"
        write_pictures(data, arguments.images)
        for _ in range(arguments.rounds):
            for name, *how in RUNS:
                rates[name].append(images_per_second(arguments, data, pathlib.Path(folder) / "run", *how))
    alone = statistics.median(rates[RUNS[0][0]])
    print(f"| {arguments.model}, batch {arguments.batch} | images/s | times one thread |\n|---|--:|--:|")
    for name, values in rates.items():
        rate = statistics.median(values)
        print(f"| {name} | {rate:.0f} | {rate / alone:.2f} |")
    return 0


parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--model", default="mobilenet_v1:resolution=32")
parser.add_argument("--images", type=int, default=1280)
parser.add_argument("--batch", type=int, default=128)
sys.exit(main(parser.parse_args()))

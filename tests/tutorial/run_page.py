#!/usr/bin/env python3
"""Types what a page of docs/ says to type, and looks at what came of it.

    run_page.py PAGE LINNET           on small pictures and a small model that are made here; a few seconds
    run_page.py PAGE LINNET --real    on CIFAR-10 and the ImageNet model, where both are on this machine

The commands are the lines of the page's ```sh blocks, run in order in an empty folder.
"""
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib

MODEL = "mobilenet_v2_1.0_224"  # as the page names it
SKIPPED = 77
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def commands(page):
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.M | re.S)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip()]


def png(path, width, height, pixels):
    """8 bits RGB, as the PNG specification says it (no filter)."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + pixels[y * width * 3:(y + 1) * width * 3] for y in range(height))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def make_pictures(folder, names, seed):
    """Classes that differ in colour, each picture of one of several sizes: 16 of every class."""
    state = seed
    for number, name in enumerate(names):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(16):
            width, height = 28 + i % 5 * 4, 32 + i % 3 * 6
            base = (number * 67 % 160, number * 131 % 160, number * 29 % 160)
            pixels = bytearray()
            for _ in range(width * height):
                for c in range(3):
                    state = (state * 1664525 + 1013904223) % 2**32
                    pixels.append(base[c] + (state >> 24) % 64)
            png(folder / name / f"{i:05}.png", width, height, bytes(pixels))


def prepare_small(linnet, folder):
    """What stands in for CIFAR-10 and for ImageNet's model, which has learnt other names for such colours."""
    make_pictures(folder / "photos" / "train", CLASSES, 1)
    make_pictures(folder / "photos" / "test", CLASSES, 2)
    make_pictures(folder / "colours", [f"colour {9 - i}" for i in range(10)], 3)
    subprocess.run([linnet, "train", "--model", "mobilenet_v1:width=0.25,resolution=96", "--data", folder / "colours",
                    "--out", folder / "base", "--batch-size", "16", "--epochs", "30", "--lr", "0.05", "--schedule",
                    "one-cycle", "--augment", "none", "--hold-out", "0"], check=True, stderr=subprocess.DEVNULL)
    return folder / "base" / "model.safetensors"


def data_folder():
    default = pathlib.Path(__file__).resolve().parents[2].parent / "shared"
    return pathlib.Path(os.environ.get("LINNET_DATA", default))


def cache_folder():
    if "LINNET_CACHE" in os.environ:
        return pathlib.Path(os.environ["LINNET_CACHE"])
    home = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
    return home / "linnet"


def main():
    page, linnet = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    real = "--real" in sys.argv[3:]
    model = data_folder() / "models" / "huggingface" / MODEL
    if real:
        for needed in (model, cache_folder() / "data" / "cifar10"):
            if not needed.exists():
                print(f"skipped: {needed} is absent")
                return SKIPPED
    folder = pathlib.Path(tempfile.mkdtemp(prefix="linnet-tutorial-"))
    environment = dict(os.environ, PATH=f"{linnet.parent}:{os.environ['PATH']}")
    try:
        if not real:
            model = prepare_small(linnet, folder)
        slowest = 0.0
        for command in commands(page.read_text()):
            # Everything but the download of the model, and here of the pictures.
            if command.startswith("linnet pull") and (MODEL in command or not real):
                continue
            command = command.replace(MODEL, str(model))
            print("$", command, flush=True)
            start = time.monotonic()
            subprocess.run(["bash", "-e", "-c", command], cwd=folder, env=environment, check=True)
            slowest = max(slowest, time.monotonic() - start)
        run = folder / "runs" / "photos"
        for name in ("model.safetensors", "model.int8.safetensors", "report.html", "metrics.jsonl"):
            assert (run / name).stat().st_size > 0, name
        for name in ("model.safetensors", "model.int8.safetensors"):
            told = subprocess.run([linnet, "eval", "--model", run / name, "--data", folder / "photos" / "test", "--json"],
                                  check=True, capture_output=True, text=True)
            top1 = json.loads(told.stdout)["top1"]
            print(f"{name}: {100 * top1:.1f} % of the pictures held out; the slowest command took {slowest:.0f} s")
            assert top1 >= (0.7 if real else 0.6), f"{name}: {top1}"
        assert slowest < 300, f"{slowest} s"
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

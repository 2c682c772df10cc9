#!/usr/bin/env python3
"""Training beside PyTorch: images a second of full steps of MobileNetV1 at 32 px, in turn on one machine.

Usage: training_speed.py TRAINING_SPEED [--rounds N] [--seconds S] [--threads N] [--batch N]
  TRAINING_SPEED  the program, build/release/tests/figures/training/training_speed

Each round runs Linnet, then PyTorch (Debian's python3-torch, channels last); medians count. A step is forward, backward and
SGD with Nesterov momentum on random images. Prints Markdown. Exit status 77 where PyTorch is absent.
"""
import argparse
import re
import statistics
import subprocess
import sys
import time

BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]


def pytorch(batch, threads, seconds):
    import torch
    from torch import nn

    def norm(convolution):
        return [convolution, nn.BatchNorm2d(convolution.out_channels, eps=1e-3), nn.ReLU6(inplace=True)]

    torch.set_num_threads(threads)
    layers = norm(nn.Conv2d(3, 32, 3, 2, 1, bias=False))
    channels = 32
    for width, stride in BLOCKS:
        layers += norm(nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False))
        layers += norm(nn.Conv2d(channels, width, 1, bias=False))
        channels = width
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))
    model = model.to(memory_format=torch.channels_last).train()
    images = torch.randn(batch, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(10, (batch,))
    sgd = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    times = []
    start = time.monotonic()
    while len(times) < 5 or time.monotonic() - start < seconds:
        begin = time.monotonic()
        sgd.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        sgd.step()
        times.append(time.monotonic() - begin)
    return batch / statistics.median(times[2:])


def main(arguments):
    if arguments.pytorch:
        print(pytorch(arguments.batch, arguments.threads, arguments.seconds))
        return 0
    if subprocess.run([sys.executable, "-c", "import torch"], capture_output=True).returncode:
        print("PyTorch is absent; apt-get install python3-torch")
        return 77
    options = [str(arguments.batch), str(arguments.threads), str(arguments.seconds)]
    ours, theirs, shares = [], [], []
    for _ in range(arguments.rounds):
        said = subprocess.run([arguments.program, "mobilenet_v1:resolution=32,classes=10", *options], check=True,
                              capture_output=True, text=True).stdout
        rate, share = re.search(r"(\d+) images/s, ([\d.]+) %", said).groups()
        ours.append(float(rate))
        shares.append(float(share))
        command = [sys.executable, __file__, arguments.program, "--pytorch", "--batch", options[0], "--threads", options[1],
                   "--seconds", options[2]]
        theirs.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    linnet, torch_rate = statistics.median(ours), statistics.median(theirs)
    print("| threads | Linnet, images/s | share of the float ceiling | PyTorch, images/s | ratio |\n|--:|--:|--:|--:|--:|")
    print(f"| {arguments.threads} | {linnet:.0f} | {statistics.median(shares):.1f} % | {torch_rate:.0f} | "
          f"{linnet / torch_rate:.2f} |")
    return 0


parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--seconds", type=float, default=3)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--batch", type=int, default=128)
parser.add_argument("--pytorch", action="store_true", help=argparse.SUPPRESS)
sys.exit(main(parser.parse_args()))

#!/usr/bin/env python3
"""Training beside PyTorch and oneDNN: images a second of full steps of MobileNetV1 at 32 px, in turn on one machine.

Usage: training_speed.py TRAINING_SPEED [--onednn ONEDNN_TRAINING] [--rounds N] [--seconds S] [--threads N] [--batch N]
  TRAINING_SPEED  the program, build/release/tests/figures/training/training_speed

Each round runs Linnet, then each peer that there is: PyTorch (Debian's python3-torch, channels last) and oneDNN, by hand, in both
of its layouts (build/release/peers/onednn_training, which LINNET_PEERS=ON builds). Medians count. A step is forward, backward and
SGD with Nesterov momentum on random images. oneDNN starts from Linnet's weights and images: its first loss must be Linnet's, and so
must the second, after a step, as near as rounding allows (one thread or two tell 0.0006 apart there, and more at each step).
Prints Markdown. Exit status 77 where there is no peer, 1 where the losses part.
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


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def rate_of(said):
    return float(re.search(r"([\d.]+) images/s", said)[1])


def first_losses(said):
    return [float(loss) for loss in re.search(r"losses ([\d. ]+)", said)[1].split()]


def main(arguments):
    if arguments.pytorch:
        print(f"{pytorch(arguments.batch, arguments.threads, arguments.seconds)} images/s")
        return 0
    options = [str(arguments.batch), str(arguments.threads), str(arguments.seconds)]
    network = ["mobilenet_v1:resolution=32,classes=10", *options]
    peers = {}
    if subprocess.run([sys.executable, "-c", "import torch"], capture_output=True).returncode:
        print("PyTorch is absent; apt-get install python3-torch")
    else:
        peers["PyTorch, channels last"] = [sys.executable, __file__, arguments.program, "--pytorch", "--batch", options[0], "--threads",
                                           options[1], "--seconds", options[2]]
    if arguments.onednn:
        for layout in ("library", "channels-last"):
            peers[f"oneDNN, {layout}"] = [arguments.onednn, *network, layout]
    if not peers:
        return 77

    ours, shares, theirs = [], [], {peer: [] for peer in peers}
    for _ in range(arguments.rounds):
        said = run(arguments.program, *network)
        ours.append(rate_of(said))
        shares.append(float(re.search(r"([\d.]+) % of the float ceiling", said)[1]))
        losses = first_losses(said)
        for peer, command in peers.items():
            said = run(*command)
            theirs[peer].append(rate_of(said))
            if not peer.startswith("oneDNN"):
                continue
            apart = [abs(a - b) for a, b in zip(losses, first_losses(said))]
            if apart[0] > 2e-5 or apart[1] > 3e-3:
                print(f"{peer} computes something else: losses {first_losses(said)} where Linnet has {losses}")
                return 1
    linnet = statistics.median(ours)
    print(f"{arguments.threads} threads: Linnet {linnet:.0f} images/s, {statistics.median(shares):.1f} % of the float ceiling\n")
    print("| peer | images/s | Linnet is faster | in each round |\n|---|--:|--:|---|")
    for peer, rates in theirs.items():
        rounds = ", ".join(f"{a / b:.2f}" for a, b in zip(ours, rates))
        print(f"| {peer} | {statistics.median(rates):.0f} | {linnet / statistics.median(rates):.2f}x | {rounds} |")
    return 0


parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("--onednn")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--seconds", type=float, default=3)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--batch", type=int, default=128)
parser.add_argument("--pytorch", action="store_true", help=argparse.SUPPRESS)
sys.exit(main(parser.parse_args()))

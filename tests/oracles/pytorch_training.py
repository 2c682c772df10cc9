#!/usr/bin/env python3
"""Some steps of SGD in PyTorch, of a network that Linnet wrote down: what pytorch_training_test.cpp compares with.

Usage: pytorch_training.py FOLDER STEPS RATE MOMENTUM DECAY SMOOTHING

FOLDER/network.txt has a line a node: operator, its inputs' numbers joined by commas, the number of values of each of its
constants joined by commas, and its numbers: a window as kernel, stride, top, bottom, left, right, each for rows then
columns where it has two; an epsilon; an activation. FOLDER/constants.f32 has the constants in that order, convolutions
[K, R, S, C], depthwise [R, S, C]; FOLDER/images.f32 is [N, H, W, C]; FOLDER/labels.txt has a label an image.
Prints numbers in pairs, computed in double and in float: the loss before each step, then the norm of each parameter's
last gradient, then the norms of every batch norm's running mean and variance.
"""
import sys
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F

ACTIVATIONS = {"relu": F.relu, "relu6": F.relu6, "hard_swish": F.hardswish, "hard_sigmoid": F.hardsigmoid}


def read_nodes(folder, dtype):
    constants = torch.from_numpy(numpy.fromfile(folder / "constants.f32", dtype=numpy.float32)).to(dtype)
    place = 0
    nodes = []
    for line in (folder / "network.txt").read_text().splitlines():
        op, inputs, sizes, numbers = line.split(";")
        own = []
        for size in filter(None, sizes.split(",")):
            own.append(constants[place:place + int(size)].clone())
            place += int(size)
        nodes.append((op, [int(i) for i in filter(None, inputs.split(","))], own, numbers.split()))
    assert place == len(constants)
    return nodes


def shape_constants(nodes):
    """Gives the constants PyTorch's shapes; returns those that decay and those that do not."""
    decaying, others = [], []
    for op, _, own, numbers in nodes:
        if op == "batch_norm":
            others += [c.requires_grad_() for c in own[:2]]
        elif own:
            if op == "depthwise":
                kernel_h, kernel_w = int(numbers[0]), int(numbers[1])
                own[0] = own[0].reshape(kernel_h, kernel_w, -1).permute(2, 0, 1).unsqueeze(1).contiguous()
            elif op == "convolution":
                own[0] = own[0].reshape(int(numbers[8]), int(numbers[0]), int(numbers[1]), -1).permute(0, 3, 1, 2).contiguous()
            else:
                own[0] = own[0].reshape(int(numbers[0]), -1)
            decaying.append(own[0].requires_grad_())
            others += [c.requires_grad_() for c in own[1:]]
    return decaying, others


def run(nodes, images):
    values = []
    for op, inputs, own, numbers in nodes:
        x = values[inputs[0]] if inputs else images
        if op in ("convolution", "depthwise"):
            _, _, stride_h, stride_w, top, bottom, left, right = map(int, numbers[:8])
            x = F.conv2d(F.pad(x, (left, right, top, bottom)), own[0], own[1] if len(own) > 1 else None,
                         (stride_h, stride_w), groups=x.shape[1] if op == "depthwise" else 1)
        elif op == "linear":
            x = F.linear(x.flatten(1), own[0], own[1] if len(own) > 1 else None)
        elif op == "batch_norm":
            x = F.batch_norm(x, own[2], own[3], own[0], own[1], training=True, momentum=0.1, eps=float(numbers[0]))
        elif op == "activation":
            x = ACTIVATIONS[numbers[0]](x)
        elif op == "add":
            x = x + values[inputs[1]]
        elif op == "multiply":
            x = x * values[inputs[1]]
        elif op == "global_average_pool":
            x = F.adaptive_avg_pool2d(x, 1)
        else:
            assert op == "input", op
        values.append(x)
    return values[-1].flatten(1)


def train(folder, dtype, steps, rate, momentum, decay, smoothing):
    nodes = read_nodes(folder, dtype)
    decaying, others = shape_constants(nodes)
    height, width, channels = map(int, nodes[0][3])
    images = numpy.fromfile(folder / "images.f32", dtype=numpy.float32).reshape(-1, height, width, channels)
    images = torch.from_numpy(images).to(dtype).permute(0, 3, 1, 2).contiguous()
    labels = torch.tensor([int(label) for label in (folder / "labels.txt").read_text().split()])
    sgd = torch.optim.SGD([{"params": decaying, "weight_decay": decay}, {"params": others}], lr=rate,
                          momentum=momentum, nesterov=True)
    told = []
    for _ in range(steps):
        loss = F.cross_entropy(run(nodes, images), labels, label_smoothing=smoothing)
        sgd.zero_grad()
        loss.backward()
        told.append(loss)
        sgd.step()
    told += [c.grad.double().norm() for _, _, own, _ in nodes for c in own if c.requires_grad]
    told += [c.double().norm() for op, _, own, _ in nodes if op == "batch_norm" for c in own[2:]]
    return [number.item() for number in told]


def main(folder, steps, *options):
    torch.set_num_threads(2)
    for pair in zip(train(folder, torch.float64, steps, *options), train(folder, torch.float32, steps, *options)):
        print("%.12g %.12g" % pair)


main(Path(sys.argv[1]), int(sys.argv[2]), *map(float, sys.argv[3:]))

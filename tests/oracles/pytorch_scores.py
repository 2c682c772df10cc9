#!/usr/bin/env python3
"""What PyTorch computes with the MobileNets of torchvision and timm: the oracle of tests/data/families/scores.txt.

Usage: pytorch_scores.py > tests/data/families/scores.txt    torchvision 0.14 and timm 1.0; without timm, its lines are
                                                             left out

Prints a line a network: library, Linnet's family, width, resolution, then the ten scores, computed in double. Weights and
image come from one stream of random numbers that src/graph/families/published_test.cpp draws as well: SplitMix64 from 1, 24
bits a number, tensors in the order of the state dict, each in Linnet's order of dimensions (channels last).
"""
import numpy
import torch
import torchvision

try:
    import timm
except ImportError:
    timm = None

NETWORKS = [
    ("torchvision", "mobilenet_v2", "mobilenet_v2", 1.0, 32),
    ("torchvision", "mobilenet_v2", "mobilenet_v2", 0.25, 45),
    ("torchvision", "mobilenet_v3_large", "mobilenet_v3_large", 1.0, 32),
    ("torchvision", "mobilenet_v3_large", "mobilenet_v3_large", 0.6, 45),
    ("torchvision", "mobilenet_v3_small", "mobilenet_v3_small", 1.0, 32),
    ("timm", "mobilenetv1_125", "mobilenet_v1", 1.25, 32),
    ("timm", "mobilenetv2_140", "mobilenet_v2", 1.4, 32),
    ("timm", "mobilenetv3_large_075", "mobilenet_v3_large", 0.75, 32),
    ("timm", "mobilenetv3_small_050", "mobilenet_v3_small", 0.5, 45),
    ("timm", "mobilenetv4_conv_small", "mobilenet_v4_conv_small", 1.0, 32),
    ("timm", "mobilenetv4_conv_small_050", "mobilenet_v4_conv_small", 0.5, 45),
    ("timm", "mobilenetv4_conv_medium", "mobilenet_v4_conv_medium", 1.0, 32),
]


class Random:
    """SplitMix64: number i is a hash of seed + i * gamma, so a tensor is drawn at once."""

    def __init__(self):
        self.state = 1

    def uniform(self, size, low, high):
        with numpy.errstate(over="ignore"):
            gamma = numpy.uint64(0x9E3779B97F4A7C15)
            z = numpy.uint64(self.state) + numpy.arange(1, size + 1, dtype=numpy.uint64) * gamma
            self.state = int(z[-1])
            z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
            z = z ^ (z >> numpy.uint64(31))
        unit = (z >> numpy.uint64(40)).astype(numpy.float32) * numpy.float32(2.0**-24)
        low, high = numpy.float32(low), numpy.float32(high)
        return low + (high - low) * unit


def draw(random, name, shape, names):
    prefix, suffix = name.rsplit(".", 1)
    size = int(numpy.prod(shape))
    if prefix + ".running_mean" in names:
        low, high = {"weight": (0.75, 1.25), "running_var": (0.75, 1.25)}.get(suffix, (-0.25, 0.25))
        return random.uniform(size, low, high).reshape(shape)
    if suffix == "bias":
        return random.uniform(size, -0.25, 0.25).reshape(shape)
    bound = numpy.float32(numpy.sqrt(4.0 / (size // shape[0])))
    values = random.uniform(size, -bound, bound)
    if len(shape) == 2:
        return values.reshape(shape)
    k, c, r, s = shape
    if c == 1 and r > 1:  # depthwise: [R, S, C] in Linnet
        return values.reshape(r, s, k).transpose(2, 0, 1)[:, None]
    return values.reshape(k, r, s, c).transpose(0, 3, 1, 2)


def scores(library, model_name, width, resolution):
    if library == "timm":
        model = timm.create_model(model_name, num_classes=10)
    else:
        model = getattr(torchvision.models, model_name)(width_mult=width, num_classes=10)
    state = model.eval().state_dict()
    random = Random()
    for name in [n for n in state if not n.endswith("num_batches_tracked")]:
        values = draw(random, name, tuple(state[name].shape), state)
        state[name] = torch.from_numpy(numpy.ascontiguousarray(values))
    model.load_state_dict(state)
    image = random.uniform(resolution * resolution * 3, -2.0, 2.0).reshape(resolution, resolution, 3)
    with torch.no_grad():
        image = torch.from_numpy(numpy.ascontiguousarray(image.transpose(2, 0, 1)))[None]
        return model.double()(image.double())[0].tolist()


for library, model_name, family, width, resolution in NETWORKS:
    if library == "timm" and timm is None:
        continue
    numbers = " ".join(f"{v:.9g}" for v in scores(library, model_name, width, resolution))
    print(library, family, width, resolution, numbers)

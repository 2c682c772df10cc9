#!/usr/bin/env python3
"""What torchvision and timm say of their MobileNets: the oracle of tests/data/families/*.txt and of
src/graph/families/published_test.cpp.

Usage: pytorch_layers.py torchvision MODEL [WIDTH]    torchvision 0.14
       pytorch_layers.py timm MODEL                   timm 1.0

Runs one image of zeros, 224 x 224, and prints a line a layer in the order in which they run: name, operator, its
numbers (kernel, stride, padding on every side, bias or none; epsilon), and the output as HxWxC. Sums and products are
no modules and are not told. The last lines are the number of parameters and of convolutions' and linear layers' outputs.
"""
import sys

import torch

ACTIVATIONS = {
    "ReLU": "relu",
    "ReLU6": "relu6",
    "Hardswish": "hard_swish",
    "HardSwish": "hard_swish",
    "Hardsigmoid": "hard_sigmoid",
    "HardSigmoid": "hard_sigmoid",
}
outputs = 0


def describe(module):
    if isinstance(module, torch.nn.Linear):
        return "linear " + ("none" if module.bias is None else "bias")
    if isinstance(module, torch.nn.Conv2d):
        dense = module.groups == 1
        assert dense or module.groups == module.in_channels == module.out_channels
        (kernel, _), (stride, _), (padding, _) = module.kernel_size, module.stride, module.padding
        operator = "convolution" if dense else "depthwise"
        return f"{operator} {kernel} {stride} {padding} " + ("none" if module.bias is None else "bias")
    if isinstance(module, torch.nn.BatchNorm2d):
        return f"batch_norm {module.eps:g}"
    if isinstance(module, torch.nn.AdaptiveAvgPool2d):
        return "global_average_pool"
    if type(module).__name__ in ACTIVATIONS:
        return "activation " + ACTIVATIONS[type(module).__name__]
    return None


def tell(name, text):
    def hook(module, inputs, output):
        global outputs
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            outputs += output.numel()
        shape = list(output.shape) + [1, 1]
        print(name, text, f"{shape[2]}x{shape[3]}x{shape[1]}")

    return hook


def main(library, model_name, width=None):
    if library == "timm":
        import timm

        model = timm.create_model(model_name)
    else:
        import torchvision

        model = getattr(torchvision.models, model_name)(width_mult=float(width or 1.0))
    modules = dict(model.eval().named_modules())
    # timm's batch norm with activation is a batch norm that calls its own part, and is told first.
    fused = {name for name in modules if isinstance(modules[name], torch.nn.BatchNorm2d) and f"{name}.act" in modules}
    for name, module in modules.items():
        text = describe(module)
        if text and name in fused:
            module.register_forward_pre_hook(
                lambda m, x, name=name, text=text: tell(name, text)(m, x, x[0]))
        elif text:
            module.register_forward_hook(tell(name, text))
    with torch.no_grad():
        model(torch.zeros(1, 3, 224, 224))
    print("parameters", sum(p.numel() for p in model.parameters()))
    print("outputs", outputs)


main(*sys.argv[1:])

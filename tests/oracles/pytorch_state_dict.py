#!/usr/bin/env python3
"""State dicts of random MobileNets with what PyTorch makes of them: the oracle of tests/end_to_end/state_dict_test.cpp.

Usage: pytorch_state_dict.py FOLDER LIBRARY:MODEL:WIDTH:FORM…
  LIBRARY  torchvision (0.14), or timm (1.0), which has a MODEL for each width
  MODEL    as the library calls it: mobilenet_v3_large, mobilenetv3_small_050, …
  FORM     zip (torch.save today), legacy (before PyTorch 1.6), checkpoint (state dict, epoch and optimiser in one)

Writes FOLDER/N.pth for the Nth model; FOLDER/N.input, one image of noise, float32, HWC; FOLDER/N.logits, float32. Weights
are PyTorch's usual random ones, batch norms are given statistics, scales and offsets away from the identity. Ends with 77
where a library is absent.
"""
import collections
import pathlib
import sys

try:
    import torch
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(77)


def make(library, name, width):
    try:
        if library == "torchvision":
            import torchvision.models

            return getattr(torchvision.models, name)(width_mult=float(width or 1))
        import timm

        return timm.create_model(name)
    except ImportError as error:
        print(error, file=sys.stderr)
        sys.exit(77)


def randomise(model):
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.3)
            torch.nn.init.normal_(module.running_mean, 0, 0.3)
            torch.nn.init.uniform_(module.running_var, 0.3, 2.0)
        elif isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, 0, module.in_features**-0.5)
            torch.nn.init.normal_(module.bias, 0, 0.3)
        elif isinstance(module, torch.nn.Conv2d) and module.bias is not None:
            torch.nn.init.normal_(module.bias, 0, 0.3)


def save(model, path, form):
    state = model.state_dict()
    if form == "checkpoint":
        optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
        parallel = collections.OrderedDict(("module." + key, value) for key, value in state.items())
        state = {"epoch": 7, "best": 0.5, "state_dict": parallel, "optimizer": optimiser.state_dict()}
    torch.save(state, path, _use_new_zipfile_serialization=form != "legacy")


def main():
    folder = pathlib.Path(sys.argv[1])
    torch.set_num_threads(1)
    for number, case in enumerate(sys.argv[2:]):
        library, name, width, form = case.split(":")
        torch.manual_seed(number)
        model = make(library, name, width).eval()
        randomise(model)
        save(model, folder / f"{number}.pth", form)
        image = torch.rand(1, 3, 224, 224) * 2 - 1
        with torch.no_grad():
            logits = model(image)[0]
        image[0].permute(1, 2, 0).contiguous().numpy().tofile(folder / f"{number}.input")
        logits.numpy().tofile(folder / f"{number}.logits")


main()

"""Exports a torchvision MobileNet with random weights to ONNX and writes PyTorch's own logits beside it.

  python3 pytorch_export.py NAME OPSET FOLDER

writes FOLDER/model.onnx, FOLDER/input.f32 (two images, NCHW) and FOLDER/logits.f32. NAME: mobilenet_v2,
mobilenet_v3_large, mobilenet_v3_small. Batch norm's statistics are random too, so that nothing is an identity.
"""

import sys

import numpy
import torch
import torchvision

name, opset, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
torch.manual_seed(5)
torch.set_num_threads(1)
model = getattr(torchvision.models, name)(weights=None, num_classes=50)
for module in model.modules():
    if isinstance(module, torch.nn.BatchNorm2d):
        module.running_mean.uniform_(-0.1, 0.1)
        module.running_var.uniform_(0.5, 1.5)
        module.weight.data.uniform_(0.8, 1.2)
        module.bias.data.uniform_(-0.2, 0.2)
    if isinstance(module, torch.nn.Linear):
        torch.nn.init.uniform_(module.weight, -0.2, 0.2)
model.eval()
images = torch.rand(2, 3, 64, 64) * 4 - 2
with torch.no_grad():
    logits = model(images)
# Every other opset with a free batch and unfolded constants: that is what brings the shape arithmetic.
free = {"input": {0: "batch"}, "output": {0: "batch"}} if opset % 2 else None
torch.onnx.export(
    model,
    images,
    f"{folder}/model.onnx",
    opset_version=opset,
    input_names=["input"],
    output_names=["output"],
    dynamic_axes=free,
    do_constant_folding=free is None,
    training=torch.onnx.TrainingMode.EVAL if free is None else torch.onnx.TrainingMode.PRESERVE,
)
images.numpy().astype(numpy.float32).tofile(f"{folder}/input.f32")
logits.numpy().astype(numpy.float32).tofile(f"{folder}/logits.f32")

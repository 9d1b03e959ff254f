"""Writes layers.safetensors: what PyTorch's modules give with their first weights. Run in this folder."""
import sys

import torch
from torch import nn

sys.path.insert(0, "../../ops/testdata")
from goldenfile import GoldenFile

f = GoldenFile()
x = torch.randn(2, 8, 3, 4, dtype=torch.float64) * 3
for name, module in {
    "elu": nn.ELU(), "elu_half": nn.ELU(0.5), "selu": nn.SELU(), "gelu": nn.GELU(), "gelu_tanh": nn.GELU("tanh"),
    "silu": nn.SiLU(), "hard_swish": nn.Hardswish(), "hard_sigmoid": nn.Hardsigmoid(), "softplus": nn.Softplus(),
    "prelu": nn.PReLU(8), "group_norm": nn.GroupNorm(4, 8), "layer_norm": nn.LayerNorm([8, 3, 4]),
    "layer_norm_last": nn.LayerNorm(4, eps=1e-3), "instance_norm": nn.InstanceNorm2d(8),
    "upsample": nn.Upsample(scale_factor=2), "upsample_bilinear": nn.Upsample(scale_factor=3, mode="bilinear"),
    "upsample_corners": nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
    "pixel_shuffle": nn.PixelShuffle(2), "zero_pad": nn.ZeroPad2d((3, 4, 1, 2)), "reflect": nn.ReflectionPad2d(2),
}.items():
    f.add(name, {}, [x], module, grad=False)
f.write("layers.safetensors")

#!/usr/bin/env python3
"""The quickstart's network as PyTorch computes it, in float64: one training step's outputs, loss, gradient of
every parameter and running statistics, and the output in evaluation mode before that step.

Weights, input and statistics are made by the formula u01 below, so that only results are stored.
Made with torch 1.13.1: python3 gen.py, in this folder.
"""
import os
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../ops/testdata"))
from goldenfile import GoldenFile

torch.set_default_dtype(torch.float64)


def u01(t, n):
    """n values in [0, 1) for tensor number t (splitmix64)."""
    with np.errstate(over="ignore"):
        z = (np.uint64(t) << np.uint64(40)) + np.arange(n, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) / 2.0**53


def conv(i, o, k, s):
    return nn.Conv2d(i, o, k, s, k // 2, bias=False)


class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1, self.conv1_bn = conv(i, o, 3, stride), nn.BatchNorm2d(o)
        self.conv2, self.conv2_bn = conv(o, o, 3, 1), nn.BatchNorm2d(o)
        self.shortcut, self.shortcut_bn = conv(i, o, 1, stride), nn.BatchNorm2d(o)

    def forward(self, x):
        y = F.relu(self.conv1_bn(self.conv1(x)))
        return F.relu(self.conv2_bn(self.conv2(y)) + self.shortcut_bn(self.shortcut(x)))


class Stem(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.conv_bn = conv(1, 16, 3, 1), nn.BatchNorm2d(16)

    def forward(self, x):
        return F.relu(self.conv_bn(self.conv(x)))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.layer1, self.layer2, self.fc = Stem(), Block(16, 32, 2), Block(32, 64, 2), nn.Linear(64, 10)

    def forward(self, x):
        return self.fc(self.layer2(self.layer1(self.stem(x))).mean((2, 3)))


def fill(module):
    """Fills in the order of the state dict, which is also that of our store."""
    state = {k: v for k, v in module.state_dict().items() if not k.endswith("num_batches_tracked")}
    for t, (name, v) in enumerate(state.items()):
        u = torch.from_numpy(u01(t, v.numel())).reshape(v.shape)
        if v.dim() > 1:
            fan_in = v.numel() / v.shape[0]
            u = (2 * u - 1) * (6 / fan_in) ** 0.5
        elif name.endswith("bn.weight") or name.endswith("running_var"):
            u = 0.5 + u
        else:
            u = (2 * u - 1) * 0.1
        v.copy_(u)


def step(g, case, module, x, labels):
    with torch.no_grad():
        fill(module)
        module.eval()
        g.put(case, eval=module(x))
    module.train()
    y = module(x)
    loss = F.cross_entropy(y.flatten(1), labels)
    loss.backward()
    g.put(case, output=y, loss=loss.reshape(1))
    g.put(case, **{"grad:" + k: p.grad for k, p in module.named_parameters()})
    g.put(case, **{"after:" + k: v for k, v in module.named_buffers() if not k.endswith("num_batches_tracked")})


g = GoldenFile()
labels = torch.tensor([7, 2, 1, 0])
step(g, "network", Network(), torch.from_numpy(u01(1000003, 4 * 28 * 28)).reshape(4, 1, 28, 28), labels)
x = torch.from_numpy(2 * u01(1000003, 4 * 6 * 9 * 7) - 1).reshape(4, 6, 9, 7)
step(g, "block", Block(6, 8, 2), x, labels)
g.write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch.safetensors"))

#!/usr/bin/env python3
"""Measures PyTorch on a network of `stheno bench models`, with the same shapes and sampling.

usage: torch_models.py NAME train|infer BATCH [nchw|nhwc]

Prints a JSON list of {name, mode, batch, pictures_per_second, ms, cpu_ms, rss_mib, clean, all}. Settings as in
torch_ops.py. ResNets and Inceptions are torchvision's; Xception, the CIFAR network and the DCGAN pair are built here
as their papers have them.
"""
import json
import resource
import sys

import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from torch_ops import THREADS, measure


def conv_bn(i, o, k, stride=1, pad=0):
    return [nn.Conv2d(i, o, k, stride, pad, bias=False), nn.BatchNorm2d(o)]


def separable(i, o):
    return [nn.Conv2d(i, i, 3, 1, 1, groups=i, bias=False), nn.Conv2d(i, o, 1, bias=False), nn.BatchNorm2d(o)]


class Pooled(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


class XceptionBlock(nn.Module):
    def __init__(self, widths, stride, relu_first=True):
        super().__init__()
        layers = []
        for k, (i, o) in enumerate(zip(widths, widths[1:])):
            if k > 0 or relu_first:
                layers.append(nn.ReLU(inplace=k > 0))
            layers += separable(i, o)
        if stride > 1:
            layers.append(nn.MaxPool2d(3, stride, 1))
        self.body = nn.Sequential(*layers)
        self.skip = nn.Sequential(*conv_bn(widths[0], widths[-1], 1, stride)) if stride > 1 else nn.Identity()

    def forward(self, x):
        return self.body(x) + self.skip(x)


def xception():
    """Chollet 2017, figure 5."""
    return nn.Sequential(
        *conv_bn(3, 32, 3, 2), nn.ReLU(True), *conv_bn(32, 64, 3), nn.ReLU(True),
        XceptionBlock([64, 128, 128], 2, relu_first=False), XceptionBlock([128, 256, 256], 2), XceptionBlock([256, 728, 728], 2),
        *[XceptionBlock([728] * 4, 1) for _ in range(8)], XceptionBlock([728, 728, 1024], 2),
        *separable(1024, 1536), nn.ReLU(True), *separable(1536, 2048), nn.ReLU(True), Pooled(), nn.Linear(2048, 1000))


class CifarBlock(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.stride, self.more = o // i, o - i
        self.body = nn.Sequential(*conv_bn(i, o, 3, self.stride, 1), nn.ReLU(True), *conv_bn(o, o, 3, 1, 1))

    def forward(self, x):
        y = self.body(x)
        if self.more:  # option A: channels of zeros
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))
        return F.relu(x + y)


def resnet20():
    """He et al. 2015, section 4.2."""
    widths = [16] * 4 + [32] * 3 + [64] * 3
    return nn.Sequential(*conv_bn(3, 16, 3, 1, 1), nn.ReLU(True), *[CifarBlock(i, o) for i, o in zip(widths, widths[1:])], Pooled(), nn.Linear(64, 10))


def network(name):
    """The network, its pictures' size and its number of classes."""
    if name == "resnet20":
        return resnet20(), 32, 10
    if name == "xception":
        return xception(), 299, 1000
    if name in ("inception_v3", "googlenet"):
        m = getattr(torchvision.models, name)(weights=None, init_weights=False, aux_logits=True, transform_input=False)
        return m, 299 if name == "inception_v3" else 224, 1000
    return getattr(torchvision.models, name)(), 224, 1000


def train(name, batch, fmt):
    m, size, classes = network(name)
    m = m.train().to(memory_format=fmt)
    x = torch.randn(batch, 3, size, size).contiguous(memory_format=fmt)
    y = torch.randint(0, classes, (batch,))
    optimizer = torch.optim.SGD(m.parameters(), lr=0.01, momentum=0.9)

    def step():
        optimizer.zero_grad(set_to_none=True)
        out = m(x)
        out = out if isinstance(out, tuple) else (out,)
        weights = {1: [1], 2: [1, 0.4], 3: [1, 0.3, 0.3]}[len(out)]  # of the auxiliary heads
        loss = sum(w * F.cross_entropy(o, y) for w, o in zip(weights, out))
        loss.backward()
        optimizer.step()
        return float(loss)

    return step


def in_use(name):
    """The network in evaluation mode, with running statistics that keep its activations in a usual range."""
    m, size, _ = network(name)
    for k in m.modules():
        if isinstance(k, nn.BatchNorm2d):
            k.momentum = 1.0
    with torch.no_grad():
        m.train()(torch.randn(2, 3, size, size))
    return m.eval(), size


def infer(name, batch, fmt):
    m, size = in_use(name)
    m = m.to(memory_format=fmt)
    x = torch.randn(batch, 3, size, size).contiguous(memory_format=fmt)

    def run():
        with torch.no_grad():
            m(x)

    return run


def dcgan(batch, fmt):
    """A step of the discriminator and one of the generator, 64 pixels: Radford et al. 2015."""
    up, down, latent = [nn.ConvTranspose2d(100, 512, 4, 1, 0, bias=False)], [nn.Conv2d(3, 64, 4, 2, 1, bias=False)], 100
    for w in (512, 256, 128):
        up += [nn.BatchNorm2d(w), nn.ReLU(True), nn.ConvTranspose2d(w, w // 2, 4, 2, 1, bias=False)]
    up += [nn.BatchNorm2d(64), nn.ReLU(True), nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False), nn.Tanh()]
    for w in (64, 128, 256):
        down += [nn.LeakyReLU(0.2, True), *conv_bn(w, 2 * w, 4, 2, 1)]
    down += [nn.LeakyReLU(0.2, True), nn.Conv2d(512, 1, 4, 1, 0, bias=False), nn.Flatten(0)]
    g, d = nn.Sequential(*up).to(memory_format=fmt), nn.Sequential(*down).to(memory_format=fmt)
    real = torch.randn(batch, 3, 64, 64).contiguous(memory_format=fmt)
    og, od = (torch.optim.Adam(m.parameters(), 2e-4, (0.5, 0.999)) for m in (g, d))
    one, zero, loss = torch.ones(batch), torch.zeros(batch), F.binary_cross_entropy_with_logits

    def step():
        od.zero_grad(set_to_none=True)
        loss(d(real), one).backward()
        fake = g(torch.randn(batch, latent, 1, 1))
        loss(d(fake.detach()), zero).backward()
        od.step()
        og.zero_grad(set_to_none=True)
        loss(d(fake), one).backward()
        og.step()

    return step


def main():
    name, mode, batch = sys.argv[1], sys.argv[2], int(sys.argv[3])
    fmt = torch.channels_last if sys.argv[4:] == ["nhwc"] else torch.contiguous_format
    torch.manual_seed(0)
    torch.set_num_threads(THREADS)
    f = dcgan(batch, fmt) if name == "dcgan" else {"train": train, "infer": infer}[mode](name, batch, fmt)
    t = measure(f)
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([dict(name=name, mode=mode, batch=batch, pictures_per_second=batch / t["ms"] * 1e3, rss_mib=rss, **t)]))


if __name__ == "__main__":
    main()

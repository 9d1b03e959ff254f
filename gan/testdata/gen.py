#!/usr/bin/python3
"""Writes torch.json: what PyTorch computes for the networks and losses of the tests, in float64.

Made with PyTorch 1.13.1. Weights, pictures and latent vectors are formulas (u01), so that only results travel. Of each
tensor there are its norm, its sum weighted by u01(999, i) - 0.5, and its first element.
"""
import json
import math
import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
M = (1 << 64) - 1


def u01(t, n):
    """n numbers of tensor t, in [0, 1): splitmix64."""
    with np.errstate(over="ignore"):
        z = np.arange(n, dtype=np.uint64) + np.uint64((t << 40) & M) + np.uint64(0x9E3779B97F4A7C15)
        z ^= z >> np.uint64(30)
        z *= np.uint64(0xBF58476D1CE4E5B9)
        z ^= z >> np.uint64(27)
        z *= np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) / (1 << 53)


def numbers(t, *shape):
    """Numbers from -1 to 1."""
    return torch.from_numpy(2 * u01(t, math.prod(shape)) - 1).reshape(shape)


def norm_of(kind, c):
    if kind == "batch":
        return nn.BatchNorm2d(c)
    if kind == "instance":
        return nn.InstanceNorm2d(c, affine=True)
    return nn.Identity()


class Net(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.main = nn.Sequential(*layers)

    def forward(self, x):
        return self.main(x)


def generator(doublings, width, channels, latent, norm="batch"):
    w = width << (doublings - 1)
    layers = [nn.ConvTranspose2d(latent, w, 4, 1, 0, bias=False), norm_of(norm, w), nn.ReLU()]
    for _ in range(doublings - 1):
        w //= 2
        layers += [nn.ConvTranspose2d(2 * w, w, 4, 2, 1, bias=False), norm_of(norm, w), nn.ReLU()]
    layers += [nn.ConvTranspose2d(w, channels, 4, 2, 1, bias=False), nn.Tanh()]
    return Net(layers)


def discriminator(doublings, width, channels, norm="batch", spectral=False):
    """Without the sigmoid: it gives logits."""
    sn = torch.nn.utils.spectral_norm if spectral else lambda m: m
    w = width
    layers = [sn(nn.Conv2d(channels, w, 4, 2, 1, bias=False)), nn.LeakyReLU(0.2)]
    for _ in range(doublings - 1):
        w *= 2
        layers += [sn(nn.Conv2d(w // 2, w, 4, 2, 1, bias=False)), norm_of(norm, w), nn.LeakyReLU(0.2)]
    layers += [sn(nn.Conv2d(w, 1, 4, 1, 0, bias=False))]
    return Net(layers)


def fill(net, first):
    """Variables in the order of their names, so that it does not matter in which order a program makes them."""
    state = net.state_dict()
    for k, name in enumerate(sorted(n for n in state if not n.endswith("num_batches_tracked"))):
        v = state[name]
        u = torch.from_numpy(u01(first + k, v.numel())).reshape(v.shape)
        if v.dim() > 1:
            x = (2 * u - 1) * math.sqrt(6 / (v.shape[1] * v.shape[2] * v.shape[3]))
        elif name.endswith("_u") or name.endswith("_v"):
            x = 2 * u - 1
            x /= x.norm()
        elif name.endswith("running_var") or name.endswith(".weight"):
            x = 0.5 + u
        else:
            x = (2 * u - 1) * 0.1
        v.copy_(x)
    net.train()
    return net


def digest(t):
    x = t.detach().reshape(-1)
    return [float(x.norm()), float(x @ torch.from_numpy(u01(999, x.numel()) - 0.5)), float(x[0])]


out = {}


def keep(case, name, t):
    out.setdefault(case, {})[name] = digest(t)


def gradients(case, prefix, net):
    for name, p in net.named_parameters():
        keep(case, prefix + "grad:" + name, p.grad)


def after(case, prefix, net):
    for name, v in net.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            keep(case, prefix + "after:" + name, v)


def step(case, g, d, real, z, lr=2e-4):
    """One D step and one G step as in PyTorch's DCGAN example."""
    og = torch.optim.Adam(g.parameters(), lr=lr, betas=(0.5, 0.999))
    od = torch.optim.Adam(d.parameters(), lr=lr, betas=(0.5, 0.999))
    bce = nn.BCEWithLogitsLoss()
    n = real.shape[0]
    logits = d(real).reshape(-1)
    loss_real = bce(logits, torch.ones(n))
    loss_real.backward()
    fake = g(z)
    fake_logits = d(fake.detach()).reshape(-1)
    loss_fake = bce(fake_logits, torch.zeros(n))
    loss_fake.backward()
    gradients(case, "d.", d)
    od.step()
    logits_g = d(fake).reshape(-1)
    loss_g = bce(logits_g, torch.ones(n))
    g.zero_grad()
    loss_g.backward()
    gradients(case, "g.", g)
    og.step()
    after(case, "d.", d)
    after(case, "g.", g)
    out[case]["figures"] = [float(loss_real + loss_fake), float(loss_g), float(logits.sigmoid().mean()), float(fake_logits.sigmoid().mean())]


def penalty(case, d, x, lam=10.0):
    x.requires_grad_(True)
    grad, = torch.autograd.grad(d(x).sum(), x, create_graph=True)
    loss = lam * ((grad.reshape(x.shape[0], -1).norm(dim=1) - 1) ** 2).mean()
    loss.backward()
    out.setdefault(case, {})["loss"] = [float(loss)]
    for name, p in d.named_parameters():
        keep(case, "grad:" + name, p.grad if p.grad is not None else torch.zeros_like(p))


def r1(case, d, x, gamma=10.0):
    x.requires_grad_(True)
    logits = d(x).reshape(-1)
    grad, = torch.autograd.grad(logits.sum(), x, create_graph=True)
    loss = F.softplus(-logits).mean() + gamma / 2 * grad.reshape(x.shape[0], -1).pow(2).sum(1).mean()
    loss.backward()
    out.setdefault(case, {})["loss"] = [float(loss)]
    gradients(case, "", d)


def spectral(case, d, x):
    loss = torch.zeros(())
    for k in range(3):  # the power iteration goes on from pass to pass
        d.zero_grad()
        logits = d(x).reshape(-1)
        loss = F.relu(1 - logits).mean()
        loss.backward()
    out.setdefault(case, {})["loss"] = [float(loss)]
    gradients(case, "", d)
    after(case, "", d)
    d.eval()
    keep(case, "eval", d(x))


def losses():
    def table(name, real, fake, gen):
        for part, f in (("real", real), ("fake", fake), ("generator", gen)):
            x = (4 * numbers(7, 9)).requires_grad_(True)
            loss = f(x)
            loss.backward()
            out.setdefault("losses", {})[name + "." + part] = [float(loss)] + x.grad.tolist()

    bce = F.binary_cross_entropy_with_logits
    one, zero = torch.ones(9), torch.zeros(9)
    table("minimax", lambda x: bce(x, one), lambda x: bce(x, zero), lambda x: torch.log(1 - torch.sigmoid(x)).mean())
    table("non-saturating", lambda x: bce(x, one), lambda x: bce(x, zero), lambda x: bce(x, one))
    table("smooth", lambda x: bce(x, 0.9 * one), lambda x: bce(x, zero), lambda x: bce(x, one))
    table("least-squares", lambda x: 0.5 * F.mse_loss(x, one), lambda x: 0.5 * F.mse_loss(x, zero), lambda x: 0.5 * F.mse_loss(x, one))
    table("wasserstein", lambda x: -x.mean(), lambda x: x.mean(), lambda x: -x.mean())
    table("hinge", lambda x: F.relu(1 - x).mean(), lambda x: F.relu(1 + x).mean(), lambda x: -x.mean())


losses()
step("dcgan64", fill(generator(4, 64, 3, 100), 100), fill(discriminator(4, 64, 3), 200), numbers(1, 3, 3, 64, 64), numbers(2, 3, 100, 1, 1))
for kind in ("instance", "batch", "none"):
    penalty("penalty " + kind, fill(discriminator(3, 6, 2, kind), 300), numbers(3, 4, 2, 32, 32))
r1("r1", fill(discriminator(3, 6, 2, "instance"), 300), numbers(3, 4, 2, 32, 32))
penalty("penalty spectral", fill(discriminator(3, 6, 2, "none", True), 400), numbers(3, 4, 2, 32, 32))
spectral("spectral", fill(discriminator(3, 6, 2, "batch", True), 400), numbers(3, 4, 2, 32, 32))

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch.json"), "w") as f:
    cases = []
    for case, tensors in out.items():
        lines = ",\n".join("  %s: %s" % (json.dumps(k), json.dumps(v)) for k, v in tensors.items())
        cases.append("%s: {\n%s\n}" % (json.dumps(case), lines))
    f.write("{" + ",\n".join(cases) + "}\n")

#!/usr/bin/env python3
"""Writes optim.safetensors: parameters after 1 and after 20 steps of every optimiser, as PyTorch 1.13 makes them.

Case "c" has the tensors c/64/1, c/64/20 (float64) and c/32/1, c/32/20 (float32); its settings are JSON under
"c" in the metadata, with the field names of the Go struct. All cases start at w and get the gradients g[0],
g[1], …. Seed 11. Run in this folder: python3 gen.py

LAMB is not in PyTorch: it is computed here in NumPy from algorithm 2 of You et al. 2020.
NAdam is run with foreach=True: the other branch of 1.13 multiplies the momentum product by μ twice, against
its own documentation, and later versions repaired it.
"""
import json
import os
import sys

import numpy as np
import torch

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../ops/testdata"))
from goldenfile import GoldenFile  # noqa: E402

STEPS = 20
golden = GoldenFile(seed=11)
w = torch.randn(5, 7)
g = torch.randn(STEPS, 5, 7) * torch.tensor([1.0, 0.1, 10.0, 1e-3, 1.0]).view(5, 1)
golden.put("all", w=w, g=g)


def lamb(w, g, rate, b1=0.9, b2=0.999, eps=1e-6, decay=0.01):
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t in range(1, STEPS + 1):
        m = b1 * m + (1 - b1) * g[t - 1]
        v = b2 * v + (1 - b2) * g[t - 1] ** 2
        r = (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps) + decay * w
        w = w - rate * np.linalg.norm(w) / np.linalg.norm(r) * r
        yield t, w


def torch_steps(make, w, g):
    p = torch.nn.Parameter(w.clone())
    opt = make([p])
    for t in range(1, STEPS + 1):
        p.grad = g[t - 1].clone()
        opt.step()
        yield t, p.detach().clone()


def case(name, optimizer, rate, settings, make=None, **lamb_settings):
    assert name not in golden.meta
    golden.meta[name] = json.dumps({"Optimizer": optimizer, "Rate": rate, "Settings": settings})
    for bits, dtype in ((64, torch.float64), (32, torch.float32)):
        torch.set_default_dtype(dtype)  # NAdam's momentum product takes it
        if make:
            steps = torch_steps(make, w.to(dtype), g.to(dtype))
        else:
            steps = lamb(w.to(dtype).numpy(), g.to(dtype).numpy(), rate, **lamb_settings)
        for t, value in steps:
            if t in (1, STEPS):
                golden.put(name, **{f"{bits}/{t}": value})


O = torch.optim
case("sgd", "SGD", 0.1, {}, lambda p: O.SGD(p, 0.1))
case("sgd_decay", "SGD", 0.1, {"WeightDecay": 0.05}, lambda p: O.SGD(p, 0.1, weight_decay=0.05))
case("sgd_momentum", "SGD", 0.05, {"Momentum": 0.9}, lambda p: O.SGD(p, 0.05, momentum=0.9))
case("sgd_dampening", "SGD", 0.05, {"Momentum": 0.9, "Dampening": 0.3, "WeightDecay": 0.01},
     lambda p: O.SGD(p, 0.05, momentum=0.9, dampening=0.3, weight_decay=0.01))
case("sgd_nesterov", "SGD", 0.05, {"Momentum": 0.9, "Nesterov": True, "WeightDecay": 1e-4},
     lambda p: O.SGD(p, 0.05, momentum=0.9, nesterov=True, weight_decay=1e-4))
case("adam", "Adam", 1e-2, {}, lambda p: O.Adam(p, 1e-2))
case("adam_settings", "Adam", 1e-2, {"Beta1": 0.5, "Beta2": 0.9, "Eps": 1e-4, "WeightDecay": 0.1},
     lambda p: O.Adam(p, 1e-2, betas=(0.5, 0.9), eps=1e-4, weight_decay=0.1))
case("adam_no_momentum", "Adam", 1e-2, {"Beta1": 2.0**-1070, "Beta2": 0.9}, lambda p: O.Adam(p, 1e-2, betas=(0.0, 0.9)))
case("adamw", "AdamW", 1e-2, {}, lambda p: O.AdamW(p, 1e-2))
case("adamw_settings", "AdamW", 3e-2, {"Beta1": 0.8, "Beta2": 0.99, "Eps": 1e-6, "WeightDecay": 0.3},
     lambda p: O.AdamW(p, 3e-2, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.3))
case("nadam", "NAdam", 2e-3, {}, lambda p: O.NAdam(p, 2e-3, foreach=True))
case("nadam_settings", "NAdam", 1e-2, {"Beta1": 0.8, "Beta2": 0.95, "Eps": 1e-5, "MomentumDecay": 0.1, "WeightDecay": 0.05},
     lambda p: O.NAdam(p, 1e-2, betas=(0.8, 0.95), eps=1e-5, momentum_decay=0.1, weight_decay=0.05, foreach=True))
case("rmsprop", "RMSProp", 1e-2, {}, lambda p: O.RMSprop(p, 1e-2))
case("rmsprop_momentum", "RMSProp", 1e-2, {"Alpha": 0.9, "Momentum": 0.8, "WeightDecay": 0.05, "Eps": 1e-5},
     lambda p: O.RMSprop(p, 1e-2, alpha=0.9, momentum=0.8, weight_decay=0.05, eps=1e-5))
case("rmsprop_centered", "RMSProp", 1e-2, {"Alpha": 0.95, "Centered": True},
     lambda p: O.RMSprop(p, 1e-2, alpha=0.95, centered=True))
case("rmsprop_all", "RMSProp", 1e-2, {"Alpha": 0.9, "Centered": True, "Momentum": 0.5, "WeightDecay": 0.01, "Eps": 1e-3},
     lambda p: O.RMSprop(p, 1e-2, alpha=0.9, centered=True, momentum=0.5, weight_decay=0.01, eps=1e-3))
case("adagrad", "Adagrad", 1e-2, {}, lambda p: O.Adagrad(p, 1e-2))
case("adagrad_settings", "Adagrad", 0.1, {"RateDecay": 0.1, "Initial": 0.5, "Eps": 1e-6, "WeightDecay": 0.05},
     lambda p: O.Adagrad(p, 0.1, lr_decay=0.1, initial_accumulator_value=0.5, eps=1e-6, weight_decay=0.05))
case("lamb", "LAMB", 1e-2, {})
case("lamb_settings", "LAMB", 3e-2, {"Beta1": 0.8, "Beta2": 0.99, "Eps": 1e-4, "WeightDecay": 0.2}, b1=0.8, b2=0.99, eps=1e-4, decay=0.2)

golden.write("optim.safetensors")

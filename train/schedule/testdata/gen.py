#!/usr/bin/env python3
"""Writes schedule.json: learning rates as PyTorch 1.13's schedulers give them. Run in this folder: python3 gen.py

A case is {"rates": [...]}, one rate a step (or an epoch); that of Plateau has the values it saw too.
"""
import json
import math
import random

import torch
from torch.optim import lr_scheduler as S


def run(make, n, rate, values=None):
    opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    schedule = make(opt)
    rates = []
    for i in range(n):
        rates.append(opt.param_groups[0]["lr"])
        opt.step()
        if values is None:
            schedule.step()
        else:
            schedule.step(float(values[i]))
    return {"rates": rates}


cases = {
    "step": run(lambda o: S.StepLR(o, 3, gamma=0.5), 12, 0.1),
    "multistep": run(lambda o: S.MultiStepLR(o, [2, 5, 5, 9]), 12, 0.1),
    "exponential": run(lambda o: S.ExponentialLR(o, 0.9), 12, 0.1),
    "polynomial": run(lambda o: S.PolynomialLR(o, total_iters=20, power=2.0), 26, 0.1),
    "polynomial_line": run(lambda o: S.PolynomialLR(o, total_iters=20), 20, 0.1),
    "cosine": run(lambda o: S.CosineAnnealingLR(o, T_max=20, eta_min=0.01), 20, 0.1),
    "restarts": run(lambda o: S.CosineAnnealingWarmRestarts(o, T_0=4, T_mult=2, eta_min=0.001), 40, 0.1),
    "restarts_equal": run(lambda o: S.CosineAnnealingWarmRestarts(o, T_0=5), 20, 0.1),
    "warmup_cosine": run(lambda o: S.SequentialLR(o, [
        S.LinearLR(o, start_factor=1 / 8, total_iters=7), S.CosineAnnealingLR(o, T_max=12)], milestones=[8]), 20, 0.1),
    "one_cycle": run(lambda o: S.OneCycleLR(o, 0.1, total_steps=20), 20, 0.1),
    "one_cycle_linear": run(lambda o: S.OneCycleLR(o, 0.1, total_steps=33, pct_start=0.25, div_factor=10, final_div_factor=100,
                                                   anneal_strategy="linear"), 33, 0.1),
}

# A loss that falls, hangs, jumps, is NaN for once, and falls again.
rnd = random.Random(3)
loss = [2 * math.exp(-i / 6) + 0.3 + 0.05 * rnd.random() for i in range(40)] + [float("nan")] + [0.31 + 0.02 * rnd.random() for _ in range(30)]
accuracy = [1 - v / 3 for v in loss]
for name, values, settings in (
    ("plateau", loss, dict()),
    ("plateau_short", loss, dict(patience=2, factor=0.5, cooldown=3, min_lr=1e-3)),
    ("plateau_none", loss, dict(patience=0, factor=0.7, threshold=0.01)),
    ("plateau_max", accuracy, dict(mode="max", patience=3, threshold=0.02, threshold_mode="abs", factor=0.3)),
    ("plateau_max_rel", accuracy, dict(mode="max", patience=1, threshold=0.01, factor=0.5, cooldown=1)),
    ("plateau_min_abs", loss, dict(patience=3, threshold=0.02, threshold_mode="abs", factor=0.3)),
):
    cases[name] = run(lambda o: S.ReduceLROnPlateau(o, **settings), len(values), 0.1, values)
    cases[name]["values"] = [None if v != v else v for v in values]

with open("schedule.json", "w") as f:
    json.dump(cases, f, indent=0)
    f.write("\n")

"""Writes reference.json: python3 gen.py, in this folder.

Written with NumPy 1.24.2 and SciPy 1.10.1, float64. Features and probabilities come from u01(t, i), as in
metric_test.go. FID is Heusel et al.'s formula with scipy.linalg.sqrtm of the product, real part, as TTUR and
pytorch-fid have it. fid_nuclear is the same of the singular values of the centred features' product, where they are
fewer than their dimensions: there sqrtm itself is inexact.
"""
import json

import numpy as np
from scipy import linalg


def u01(t, n):
    with np.errstate(over="ignore"):
        z = np.uint64(t << 40) + np.arange(n, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z ^= z >> np.uint64(30)
        z *= np.uint64(0xBF58476D1CE4E5B9)
        z ^= z >> np.uint64(27)
        z *= np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) / 2**53


def make(t, n, d, kind):
    x = u01(t, n * d).reshape(n, d)
    if kind == "relu":  # many zeros, and features that are dead or copies of others
        x = np.maximum(x - 0.5, 0)
        x[:, ::5] = 0
        x[:, 1::5] = x[:, 2::5]
    if kind == "offset":  # a mean much larger than the deviation
        x = 1000 + 0.01 * x
    if kind == "scaled":  # variances of 1e-8 to 1
        x = x * 10.0 ** (-4 * np.arange(d) / (d - 1))
    if t % 2 == 0:
        x = x * 1.25 + 0.125
    return x.astype(np.float32).astype(np.float64)


def fid(x, y):
    c1, c2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    diff = x.mean(0) - y.mean(0)
    root = linalg.sqrtm(c1 @ c2, disp=False)[0]
    return diff @ diff + np.trace(c1) + np.trace(c2) - 2 * np.trace(np.real(root))


def fid_nuclear(x, y):
    a, b = x - x.mean(0), y - y.mean(0)
    diff = x.mean(0) - y.mean(0)
    n, m = len(x) - 1, len(y) - 1
    root = np.linalg.svd(a @ b.T, compute_uv=False).sum() / np.sqrt(n * m)
    return diff @ diff + (a * a).sum() / n + (b * b).sum() / m - 2 * root


def kid(x, y):
    k = lambda a, b: (a @ b.T / x.shape[1] + 1) ** 3
    n, m = len(x), len(y)
    kx, ky = k(x, x), k(y, y)
    return ((kx.sum() - np.trace(kx)) / (n * (n - 1)) + (ky.sum() - np.trace(ky)) / (m * (m - 1)) - 2 * k(x, y).mean())


def covered(a, b, k):
    bb = ((b[:, None] - b[None]) ** 2).sum(-1)
    radius = np.sort(bb, 1)[:, k]  # column 0 is the point itself
    return (((a[:, None] - b[None]) ** 2).sum(-1) <= radius).any(1).mean()


def inception_score(p, splits):
    scores = []
    for i in range(splits):
        part = p[i * len(p) // splits : (i + 1) * len(p) // splits]
        kl = part * (np.log(part) - np.log(part.mean(0, keepdims=True)))
        scores.append(np.exp(kl.sum(1).mean()))
    return np.mean(scores), np.std(scores)


cases = []
for t, (n, m, d, kind) in enumerate([
    (300, 200, 24, ""), (40, 40, 40, ""), (12, 17, 32, ""), (200, 9, 32, ""), (2, 3, 16, ""),
    (150, 150, 30, "relu"), (20, 200, 30, "relu"), (100, 130, 16, "offset"), (100, 130, 16, "scaled"),
]):
    x, y = make(2 * t + 1, n, d, kind), make(2 * t + 2, m, d, kind)
    c = dict(real=n, fake=m, d=d, kind=kind, first=2 * t + 1, fid=fid(x, y), fid_nuclear=fid_nuclear(x, y))
    if n == m:
        c["kid"] = kid(x, y)
    if min(n, m) > 3:
        c["precision"], c["recall"] = covered(y, x, 3), covered(x, y, 3)
    cases.append(c)
    print(n, m, d, kind, c["fid"], c["fid_nuclear"])

scores = 6 * u01(99, 103 * 7).reshape(103, 7)
p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
value, deviation = inception_score(p.astype(np.float32).astype(np.float64), 4)
json.dump(dict(cases=cases, score=value, score_deviation=deviation), open("reference.json", "w"), indent=1)

#!/usr/bin/env python3
"""Measures PyTorch on the ops of `stheno bench ops`, with the same names, shapes and sampling.

usage: torch_ops.py SHAPES.json NAME [nchw|nhwc]      (SHAPES.json: `stheno bench ops --shapes`)

Prints a JSON list of {name, pass, ms, best_ms, cpu_ms, clean, all}; cpu_ms is processor time, of all threads. PyTorch
is strongest with OpenBLAS on OpenMP (one thread pool instead of two that fight) and a malloc that keeps its pages;
compare_ops.py sets both.
"""
import json
import os
import sys
import time

import torch
import torch.nn.functional as F

THREADS = int(os.environ.get("THREADS", os.cpu_count()))


def busy():
    v = [int(t) for t in open("/proc/stat").readline().split()[1:]]
    return (sum(v[:3]) + sum(v[5:8])) / 100


def measure(f, sample=0.15, samples=int(os.environ.get("SAMPLES", 7)), limit=float(os.environ.get("LIMIT", 15))):
    """As internal/bench: the median over samples that other processes did not disturb."""
    for _ in range(3):
        f()
    t = time.perf_counter()
    f()
    calls = int(sample / max(time.perf_counter() - t, 1e-9)) + 1
    clean, all_, cpu, begin = [], [], [], time.perf_counter()
    while len(clean) < samples and (time.perf_counter() - begin < limit or len(all_) < 3):
        b, own, t = busy(), time.process_time(), time.perf_counter()
        for _ in range(calls):
            f()
        took = time.perf_counter() - t
        own = time.process_time() - own
        others = (busy() - b) - own
        all_.append(took / calls)
        cpu.append(own / calls)
        if others <= 0.06 * took * os.cpu_count():
            clean.append(took / calls)
        else:
            time.sleep(0.1)
    use = sorted(clean if len(clean) >= 2 else all_)
    return dict(ms=use[len(use) // 2] * 1e3, best_ms=min(all_) * 1e3, cpu_ms=sorted(cpu)[len(cpu) // 2] * 1e3, clean=len(clean), all=len(all_))


def convolution(c, fmt):
    s, p, g = [c["stride"]] * 2, [c["pad_h"], c["pad_w"]], c["groups"]
    x = torch.randn(c["n"], c["c"], c["h"], c["h"]).contiguous(memory_format=fmt)
    w = torch.randn(c["k"], c["c"] // g, c["r"], c["s"]).contiguous(memory_format=fmt)
    y = F.conv2d(x, w, None, s, p, 1, g)
    dy = torch.randn_like(y).contiguous(memory_format=fmt)

    def backward(x, dy, transposed, mask):
        return torch.ops.aten.convolution_backward(dy, x, w, None, s, p, [1, 1], transposed, [0, 0], g, mask)

    if not c["transposed"]:
        yield "fwd", lambda: F.conv2d(x, w, None, s, p, 1, g)
        yield "bwd_data", lambda: backward(x, dy, False, [True, False, False])
        yield "bwd_weight", lambda: backward(x, dy, False, [False, True, False])
        return
    # The layer maps dy's shape to x's; its weight is [K, C, R, S], as the convolution's.
    yield "fwd", lambda: F.conv_transpose2d(dy, w, None, s, p)
    yield "bwd_data", lambda: backward(dy, x, True, [True, False, False])
    yield "bwd_weight", lambda: backward(dy, x, True, [False, True, False])


def product(m, n, k):
    a, b, bt, o = torch.randn(m, k), torch.randn(k, n), torch.randn(n, k), torch.empty(m, n)
    yield "mm", lambda: torch.mm(a, b, out=o)
    yield "mm_nt", lambda: torch.mm(a, bt.t(), out=o)


def batch_norm(relu, fmt):
    x = torch.randn(8, 64, 56, 56).contiguous(memory_format=fmt)
    bn = torch.nn.BatchNorm2d(64)
    y, mean, inv = torch.native_batch_norm(x, bn.weight, bn.bias, bn.running_mean, bn.running_var, True, 0.1, 1e-5)
    dy = torch.randn_like(x).contiguous(memory_format=fmt)

    def backward(g):
        return torch.ops.aten.native_batch_norm_backward(g, x, bn.weight, bn.running_mean, bn.running_var, mean, inv, True, 1e-5, [True] * 3)

    if relu:
        z = F.relu(y)
        yield "fwd_train", lambda: F.relu_(bn(x))
        yield "bwd", lambda: backward(torch.ops.aten.threshold_backward(dy, z, 0))
    else:
        yield "fwd_train", lambda: bn(x)
        yield "bwd", lambda: backward(dy)


def max_pool(fmt):
    x = torch.randn(8, 64, 112, 112).contiguous(memory_format=fmt)
    y, i = torch.ops.aten.max_pool2d_with_indices(x, [3, 3], [2, 2], [1, 1])
    dy = torch.randn_like(y).contiguous(memory_format=fmt)
    yield "fwd", lambda: F.max_pool2d(x, 3, 2, 1)
    yield "fwd_idx", lambda: torch.ops.aten.max_pool2d_with_indices(x, [3, 3], [2, 2], [1, 1])
    yield "bwd", lambda: torch.ops.aten.max_pool2d_with_indices_backward(dy, x, [3, 3], [2, 2], [1, 1], [1, 1], False, i)


def cases(name, shapes, fmt):
    if name in shapes:
        return convolution(shapes[name], fmt)
    return {
        "sgemm1024": lambda: product(1024, 1024, 1024),
        "sgemm4096x64x576": lambda: product(4096, 64, 576),
        "bn_64_56": lambda: batch_norm(False, fmt),
        "bn_relu_64_56": lambda: batch_norm(True, fmt),
        "maxpool3s2_64_112": lambda: max_pool(fmt),
    }[name]()


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(THREADS)
    shapes = {c["name"]: c for c in json.load(open(sys.argv[1]))}
    fmt = torch.channels_last if sys.argv[3:] == ["nhwc"] else torch.contiguous_format
    rows = []
    with torch.no_grad():
        for pass_, f in cases(sys.argv[2], shapes, fmt):
            rows.append(dict(name=sys.argv[2], **{"pass": pass_}, **measure(f)))
    print(json.dumps(rows))

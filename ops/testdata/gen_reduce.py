"""Golden values of reductions and matrix products, made with torch 1.13, float64; see goldenfile.py.

    python3 gen_reduce.py    writes reduce.safetensors beside this file
"""
import os

import torch
import torch.nn.functional as F

from goldenfile import GoldenFile

out = GoldenFile()


def over(fn):
    """Folds one axis after the other, for functions that take one."""

    def run(x, axes, keep):
        for a in sorted(axes, reverse=True):
            x = fn(x, a, keep)
        return x

    return run


reductions = {
    "sum": lambda x, axes, keep: x.sum(axes, keepdim=keep),
    "mean": lambda x, axes, keep: x.mean(axes, keepdim=keep),
    "variance": lambda x, axes, keep: x.var(axes, unbiased=False, keepdim=keep),
    "variance_unbiased": lambda x, axes, keep: x.var(axes, unbiased=True, keepdim=keep),
    "max": lambda x, axes, keep: x.amax(axes, keepdim=keep),
    "min": lambda x, axes, keep: x.amin(axes, keepdim=keep),
    "prod": over(lambda x, a, keep: x.prod(a, keepdim=keep)),
    "l1": lambda x, axes, keep: x.abs().sum(axes, keepdim=keep),
    "l2": lambda x, axes, keep: torch.linalg.vector_norm(x, 2, axes, keepdim=keep),
    "log_sum_exp": lambda x, axes, keep: x.logsumexp(axes, keepdim=keep),
}
sets = [
    ((2, 3, 4, 5), (2, 3)),
    ((2, 3, 4, 5), (0, 2, 3)),
    ((2, 3, 4, 5), (1,)),
    ((2, 3, 4, 5), (0, 1, 2, 3)),
    ((4, 3), (0,)),
    ((4, 3), (1,)),
    ((3, 2, 4), (0, 2)),
    ((1, 5, 1, 1), (1, 3)),
    ((6,), (0,)),
]
for name, fn in reductions.items():
    for shape, axes in sets:
        for keep in (False, True):
            if keep and len(axes) == 1:
                continue
            case = f"{name}_{'x'.join(map(str, shape))}_{''.join(map(str, axes))}{'_keep' if keep else ''}"
            out.add(case, {"Op": name, "Axes": axes, "Keep": keep}, [torch.randn(shape)], lambda x: fn(x, axes, keep))

special = {
    "prod_zero": ("prod", [[2.0, 0.0, 3.0], [0.0, 5.0, 0.0], [1.0, 2.0, 3.0]]),
    "max_ties": ("max", [[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]),
    "l1_zero": ("l1", [[0.0, 0.0], [0.0, -3.0]]),
    "l2_zero": ("l2", [[0.0, 0.0], [0.0, -3.0]]),
    "log_sum_exp_large": ("log_sum_exp", [[1000.0, 1001.0], [-1000.0, -1003.0]]),
    "variance_large_mean": ("variance", [[1e6 + 1, 1e6 + 2, 1e6 + 4]]),
}
for case, (name, values) in special.items():
    out.add(case, {"Op": name, "Axes": [1]}, [torch.tensor(values)], lambda x: reductions[name](x, (1,), False))

for shape, axis in (((4, 5), 0), ((4, 5), 1), ((2, 3, 4, 5), 1), ((1, 7), 1)):
    x = torch.randint(0, 4, shape).double()  # many ties: the first counts
    first = lambda x, pick: torch.from_numpy(getattr(x.numpy(), pick)(axis))
    for name in ("argmax", "argmin"):
        out.add(f"{name}_{'x'.join(map(str, shape))}_{axis}", {"Op": name, "Axes": [axis]}, [x], lambda x: first(x, name), grad=False)

# Matrix products: shapes as stored, and which of the two is transposed.
for a, b, ta, tb in [
    ((3, 5), (5, 4), False, False),
    ((5, 3), (5, 4), True, False),
    ((3, 5), (4, 5), False, True),
    ((5, 3), (4, 5), True, True),
    ((1, 1), (1, 1), False, False),
    ((1, 7), (7, 1), False, False),
    ((2, 3, 5), (2, 5, 4), False, False),
    ((2, 5, 3), (2, 4, 5), True, True),
    ((2, 3, 5), (5, 4), False, False),
    ((2, 5, 3), (5, 4), True, False),
    ((3, 5), (2, 5, 4), False, False),
    ((2, 1, 3, 5), (6, 5, 4), False, False),
    ((2, 6, 3, 5), (6, 4, 5), False, True),
]:
    t = lambda x, yes: x.transpose(-1, -2) if yes else x
    case = f"matmul_{'x'.join(map(str, a))}_{'x'.join(map(str, b))}_{int(ta)}{int(tb)}"
    out.add(case, {"Op": "matmul", "A": ta, "B": tb}, [torch.randn(a), torch.randn(b)], lambda x, y: torch.matmul(t(x, ta), t(y, tb)))

for n, i, o, bias in ((1, 1, 1, True), (1, 7, 3, True), (5, 3, 2, False), (4, 33, 17, True)):
    inputs = [torch.rand(n, i), torch.rand(o, i)] + ([torch.rand(o)] if bias else [])
    out.add(f"linear_{n}_{i}_{o}", {"Op": "linear"}, inputs, F.linear)
out.add("linear_pictures", {"Op": "linear"}, [torch.randn(2, 3, 4, 5), torch.randn(6, 5), torch.randn(6)], F.linear)

out.write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "reduce.safetensors"))

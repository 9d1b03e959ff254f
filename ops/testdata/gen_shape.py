"""Golden values of ops that move elements, and of resizing, made with torch 1.13, float64; see goldenfile.py.

    python3 gen_shape.py    writes shape.safetensors and resize.safetensors beside this file
"""
import os

import torch
import torch.nn.functional as F

from goldenfile import GoldenFile

out = GoldenFile()
here = os.path.dirname(os.path.abspath(__file__))


def name(op, *parts):
    return "_".join([op] + ["x".join(map(str, p)) if isinstance(p, (tuple, list)) else str(p) for p in parts])


x4 = (2, 3, 4, 5)

for shape, to in ((x4, (6, 20)), (x4, (2, -1)), (x4, (120,)), ((1, 1), ()), ((3, 4), (2, 2, 3))):
    out.add(name("reshape", shape, to), {"Op": "reshape", "To": to}, [torch.randn(shape)], lambda x: x.reshape(to))
out.add("flatten", {"Op": "flatten"}, [torch.randn(x4)], lambda x: x.flatten(1))
out.add("squeeze_1", {"Op": "squeeze", "Axes": [1]}, [torch.randn(2, 1, 3, 1)], lambda x: x.squeeze(1))
out.add("squeeze", {"Op": "squeeze"}, [torch.randn(2, 1, 3, 1)], torch.squeeze)
out.add("unsqueeze", {"Op": "unsqueeze", "Axes": [0, -1]}, [torch.randn(2, 3)], lambda x: x[None, ..., None])

for shape, order in (
    (x4, (0, 2, 3, 1)),
    (x4, (0, 3, 1, 2)),
    (x4, (3, 2, 1, 0)),
    (x4, (1, 0, 3, 2)),
    (x4, (0, 1, 2, 3)),
    ((3, 4), (1, 0)),
    ((1, 4), (1, 0)),
    ((2, 3, 4), (2, 0, 1)),
    ((35, 1, 33), (2, 1, 0)),
):
    out.add(name("transpose", shape, order), {"Op": "transpose", "Axes": order}, [torch.randn(shape)], lambda x: x.permute(order))

for i, ranges in enumerate(
    (
        [(0, 2, 1)],
        [(1, 2, 1), (0, 3, 2)],
        [(0, 2, 1), (1, 3, 1), (0, 4, 3), (1, 5, 2)],
        [(0, 0, 0), (0, 0, 0), (-3, -1, 1)],
        [(0, 0, 0), (2, 0, 0), (0, 0, 0), (4, 0, 0)],
    )
):
    index = tuple(slice(a or None, b or None, s or None) for a, b, s in ranges)
    attrs = [{"Start": a, "Stop": b, "Step": s} for a, b, s in ranges]
    out.add(name("slice", i), {"Op": "slice", "Ranges": attrs}, [torch.randn(x4)], lambda x: x[index])
for axes in ((1,), (2, 3), (0, 1, 2, 3)):
    out.add(name("flip", axes), {"Op": "flip", "Axes": axes}, [torch.randn(x4)], lambda x: x.flip(axes))

for axis, shapes in (
    (1, [(2, 3, 4, 5), (2, 1, 4, 5), (2, 2, 4, 5)]),
    (0, [(2, 3), (1, 3)]),
    (-1, [(2, 3, 4), (2, 3, 1)]),
    (2, [(1, 1, 2, 1), (1, 1, 3, 1)]),
):
    out.add(name("concat", axis, *shapes), {"Op": "concat", "Axis": axis}, [torch.randn(s) for s in shapes], lambda *x: torch.cat(x, axis))
for axis, sizes, part in ((1, [1, 4, 2], 1), (0, [1, 1], 1), (-1, [2, 3], 0)):
    out.add(name("split", axis, sizes), {"Op": "split", "Axis": axis, "To": sizes, "Part": part}, [torch.randn(2, 7, 5)], lambda x: x.split(sizes, axis)[part])

modes = {"constant": 0, "reflect": 1, "replicate": 2}
for shape, before, after in (
    (x4, (0, 0, 1, 2), (0, 0, 2, 1)),
    (x4, (0, 0, 0, 3), (0, 0, 3, 0)),
    ((1, 2, 3, 3), (0, 0, 2, 2), (0, 0, 2, 2)),
    ((2, 3, 6), (0, 0, 5), (0, 0, 1)),
):
    for mode in modes:
        flat = [n for pair in zip(reversed(before), reversed(after)) for n in pair]
        while mode != "constant" and len(flat) > 2 * (len(shape) - 2):
            flat = flat[:-2]
        out.add(
            name("pad", mode, shape, before, after),
            {"Op": "pad", "Before": before, "After": after, "Mode": modes[mode], "Value": 0.5},
            [torch.randn(shape)],
            lambda x: F.pad(x, flat, mode, **({"value": 0.5} if mode == "constant" else {})),
        )
out.add(
    "pad_all_axes",
    {"Op": "pad", "Before": (1, 0, 2, 0), "After": (0, 2, 1, 1), "Mode": 0, "Value": -1},
    [torch.randn(2, 3, 2, 3)],
    lambda x: F.pad(x, (0, 1, 2, 1, 0, 2, 1, 0), value=-1),
)

for shape, to in (((3, 1), (2, 3, 4)), ((), (2, 3)), ((1, 3, 1, 1), (2, 3, 4, 5)), ((5,), (4, 5)), ((2, 3, 4, 5), (2, 3, 4, 5))):
    out.add(name("broadcast", shape, to), {"Op": "broadcast", "To": to}, [torch.randn(shape)], lambda x: x.expand(to))
for shape, repeats in (((2, 3), (3, 2)), ((2, 1, 3), (1, 2, 3)), (x4, (1, 2, 1, 2)), ((3,), (1,))):
    out.add(name("tile", shape, repeats), {"Op": "tile", "To": repeats}, [torch.randn(shape)], lambda x: x.repeat(repeats))

for table, index in (((5, 3), (4,)), ((5, 2, 3), (2, 3)), ((1, 1), (1,)), ((4,), (6,))):
    i = torch.randint(0, table[0], index)
    out.add(name("gather", table, index), {"Op": "gather"}, [torch.randn(table), i], lambda t, i: t[i])
out.add("one_hot", {"Op": "one_hot", "To": [4]}, [torch.tensor([[0, 3], [1, 1]])], lambda i: F.one_hot(i, 4).double(), grad=False)

out.write(os.path.join(here, "shape.safetensors"))

# Resizing: Mode 0 nearest, 1 bilinear; Coordinates 1 half-pixel, 3 align corners; Rounding 3 half up.
out = GoldenFile()
for shape, size in ((x4, (8, 10)), (x4, (3, 7)), (x4, (1, 1)), ((1, 2, 1, 1), (3, 4)), (x4, (4, 5)), ((1, 1, 7, 6), (2, 9))):
    for kind, attrs, kw in (
        ("nearest", {}, {"mode": "nearest"}),
        ("nearest_exact", {"Coordinates": 1, "Rounding": 3}, {"mode": "nearest-exact"}),
        ("bilinear", {"Mode": 1}, {"mode": "bilinear", "align_corners": False}),
        ("corners", {"Mode": 1, "Coordinates": 3}, {"mode": "bilinear", "align_corners": True}),
    ):
        out.add(name("resize", kind, shape, size), {"Op": "resize", "Size": size, **attrs}, [torch.randn(shape)], lambda x: F.interpolate(x, size=size, **kw))
for scale in ((2.0, 2.0), (1.5, 0.6)):
    for kind, attrs, kw in (("nearest", {}, {"mode": "nearest"}), ("bilinear", {"Mode": 1}, {"mode": "bilinear", "align_corners": False})):
        out.add(name("resize", kind, x4, scale), {"Op": "resize", "Scale": scale, **attrs}, [torch.randn(x4)], lambda x: F.interpolate(x, scale_factor=scale, **kw))

out.write(os.path.join(here, "resize.safetensors"))

"""Golden values of activations, arithmetic and softmax, made with torch 1.13, float64; see goldenfile.py.

    python3 gen_elementwise.py    writes activation.safetensors and arithmetic.safetensors beside this file
"""
import os

import torch
import torch.nn.functional as F

from goldenfile import GoldenFile

out = GoldenFile()
here = os.path.dirname(os.path.abspath(__file__))


def apart(x, *kinks, margin=1e-3):
    """Moves elements away from places where a derivative jumps."""
    for k in kinks:
        x = torch.where((x - k).abs() < margin, x + 2 * margin, x)
    return x


# One input. Values reach out to where functions saturate.
unary = {
    "relu": (torch.relu, (0,)),
    "relu6": (F.relu6, (0, 6)),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.2), (0,)),
    "elu": (lambda x: F.elu(x, 0.7), (0,)),
    "selu": (F.selu, (0,)),
    "gelu": (F.gelu, ()),
    "gelu_tanh": (lambda x: F.gelu(x, approximate="tanh"), ()),
    "silu": (F.silu, ()),
    "sigmoid": (torch.sigmoid, ()),
    # F.hardsigmoid's own gradient holds 1/6 in float32, which errs by 3e-8.
    "hard_sigmoid": (lambda x: (x / 6 + 0.5).clamp(0, 1), (-3, 3)),
    "hard_sigmoid_0.2": (lambda x: (0.2 * x + 0.5).clamp(0, 1), (-2.5, 2.5)),
    "hard_swish": (F.hardswish, (-3, 3)),
    "tanh": (torch.tanh, ()),
    "softplus": (lambda x: F.softplus(x, threshold=1e9), ()),
    "softsign": (F.softsign, (0,)),
    "clamp": (lambda x: x.clamp(-0.5, 1.5), (-0.5, 1.5)),
    "neg": (torch.neg, ()),
    "exp": (torch.exp, ()),
    "square": (torch.square, ()),
    "reciprocal": (torch.reciprocal, (0,)),
    "abs": (torch.abs, (0,)),
    "add_scalar": (lambda x: x + 1.7, ()),
    "mul_scalar": (lambda x: x * -1.7, ()),
    "pow_3": (lambda x: x**3, ()),
}
for name, (fn, kinks) in unary.items():
    for shape in ((1, 1, 1, 1), (2, 3, 2, 3), (37,)):
        x = apart(3 * torch.randn(shape), *kinks)
        out.add(f"{name}_{len(shape)}_{shape[0]}", {"Op": name}, [x], fn)
positive = {"log": torch.log, "sqrt": torch.sqrt, "pow_2.5": lambda x: x**2.5, "pow_-0.5": lambda x: x**-0.5}
for name, fn in positive.items():
    out.add(name, {"Op": name}, [torch.rand(3, 7) * 4 + 0.05], fn)

# PReLU.
for name, shape, slopes in (("one", (2, 3, 4), (1,)), ("channel", (2, 3, 4, 2), (3,)), ("row", (4, 3), (3,))):
    out.add(f"prelu_{name}", {"Op": "prelu"}, [apart(torch.randn(shape), 0), torch.rand(slopes)], F.prelu)

# Softmax over each axis, with values that would overflow if nothing were subtracted.
for shape in ((4, 5), (2, 3, 4, 5), (1, 1), (7,), (2, 130, 3)):
    for axis in range(len(shape)):
        if shape == (2, 130, 3) and axis != 1:
            continue
        for name, fn in (("softmax", F.softmax), ("log_softmax", F.log_softmax)):
            x = 3 * torch.randn(shape) + (1000 if axis == 0 else 0)
            out.add(f"{name}_{'x'.join(map(str, shape))}_{axis}", {"Op": name, "Axis": axis}, [x], lambda x: fn(x, axis))

out.write(os.path.join(here, "activation.safetensors"))

# Two inputs, broadcast.
out = GoldenFile()
pairs = {
    "same": ((2, 3, 4, 5), (2, 3, 4, 5)),
    "scalar": ((3, 4), ()),
    "scalar_first": ((), (3, 4)),
    "channel": ((2, 3, 4, 5), (1, 3, 1, 1)),
    "channel_short": ((2, 3, 4, 5), (3, 1, 1)),
    "channel_first": ((3, 1, 1), (2, 3, 4, 5)),
    "row": ((4, 5), (5,)),
    "column": ((4, 5), (4, 1)),
    "picture": ((2, 1, 4, 5), (1, 3, 4, 5)),
    "outer": ((4, 1), (1, 5)),
    "mixed": ((2, 1, 4, 1), (3, 1, 5)),
}
binary = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "pow": torch.pow,
}
for name, fn in binary.items():
    for kind, (a, b) in pairs.items():
        x, y = torch.randn(a), torch.randn(b)
        if name == "div":
            y = apart(y, 0, margin=0.2)
        if name == "pow":
            x = torch.rand(a) * 3 + 0.1
        out.add(f"{name}_{kind}", {"Op": name}, [x, y], fn)
ties = torch.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
out.add("maximum_ties", {"Op": "maximum"}, [ties, torch.full((2, 3), 2.0)], torch.maximum)
out.add("minimum_ties", {"Op": "minimum"}, [ties, torch.full((2, 3), 2.0)], torch.minimum)
out.add("pow_zero", {"Op": "pow"}, [torch.tensor([0.0, 0.0, 2.0, 3.0]), torch.tensor([2.0, 0.5, 0.0, 1.0])], torch.pow)

# where, with the condition as a 0/1 mask.
for kind, (c, a, b) in {
    "same": ((3, 4), (3, 4), (3, 4)),
    "rows": ((3, 1), (3, 4), (4,)),
    "pictures": ((2, 1, 1, 1), (2, 3, 4, 5), (3, 1, 1)),
    "full": ((2, 3, 4, 5), (), (2, 3, 4, 5)),
}.items():
    mask = torch.randint(0, 2, c)
    out.add(f"where_{kind}", {"Op": "where"}, [mask, torch.randn(a), torch.randn(b)], lambda m, x, y: torch.where(m != 0, x, y))

out.write(os.path.join(here, "arithmetic.safetensors"))

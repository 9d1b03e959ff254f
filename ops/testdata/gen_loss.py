"""Golden values of the losses, made with torch 1.13, float64; see goldenfile.py for the format.

    python3 gen_loss.py    writes loss.safetensors beside this file
"""
import itertools
import os

import torch
import torch.nn.functional as F

from goldenfile import GoldenFile

out = GoldenFile()
reductions = ("mean", "sum", "none")


def labels(classes, *shape):
    return torch.randint(0, classes, shape)


def logits(*shape):
    return 3 * torch.randn(*shape)


def distribution(*shape):
    return torch.softmax(torch.randn(*shape), 1)


def name(*parts):
    return "_".join(str(p) for p in parts if p != "")


# Cross-entropy: labels, over forms, smoothing, ignored label and weights.
for (form, shape), red, smooth, ignore, weighted in itertools.product(
    {"flat": (4, 5), "one": (1, 3), "row": (2, 4, 3), "picture": (2, 3, 2, 3)}.items(), reductions, (0.0, 0.2), (None, 1), (False, True)
):
    if form in ("one", "row") and (red != "mean" or smooth != 0):
        continue
    x, y = logits(*shape), labels(shape[1], shape[0], *shape[2:])
    if ignore is not None:
        y.view(-1)[0] = 0  # so that one label counts
        y.view(-1)[-1] = ignore if y.numel() > 1 else 0
    w = torch.rand(shape[1]) + 0.5 if weighted else None
    case = name("ce", form, red, "smooth" if smooth else "", "ignore" if ignore is not None else "", "weights" if weighted else "")
    out.add(
        case,
        {"Reduction": red, "Smoothing": smooth, "Ignore": ignore, "Weights": w.tolist() if weighted else None},
        [x, y],
        lambda x, y: F.cross_entropy(x, y, weight=w, reduction=red, label_smoothing=smooth, ignore_index=-100 if ignore is None else ignore),
    )

# Cross-entropy: distributions.
for (form, shape), red, smooth, weighted in itertools.product({"flat": (4, 5), "picture": (2, 3, 2, 3)}.items(), reductions, (0.0, 0.2), (False, True)):
    x, q = logits(*shape), distribution(*shape)
    w = torch.rand(shape[1]) + 0.5 if weighted else None
    out.add(
        name("cesoft", form, red, "smooth" if smooth else "", "weights" if weighted else ""),
        {"Reduction": red, "Smoothing": smooth, "Ignore": None, "Weights": w.tolist() if weighted else None},
        [x, q],
        lambda x, q: F.cross_entropy(x, q, weight=w, reduction=red, label_smoothing=smooth),
    )

# Negative log-likelihood.
for (form, shape), red, ignore, weighted in itertools.product({"flat": (4, 5), "picture": (2, 3, 2, 3)}.items(), reductions, (None, 1), (False, True)):
    x, y = torch.log_softmax(logits(*shape), 1), labels(shape[1], shape[0], *shape[2:])
    if ignore is not None:
        y.view(-1)[0], y.view(-1)[-1] = 0, ignore
    w = torch.rand(shape[1]) + 0.5 if weighted else None
    out.add(
        name("nll", form, red, "ignore" if ignore is not None else "", "weights" if weighted else ""),
        {"Reduction": red, "Ignore": ignore, "Weights": w.tolist() if weighted else None},
        [x, y],
        lambda x, y: F.nll_loss(x, y, weight=w, reduction=red, ignore_index=-100 if ignore is None else ignore),
    )

# Binary cross-entropy.
for red, weighted, positive in itertools.product(reductions, (False, True), (False, True)):
    x, t = 5 * torch.randn(3, 4), torch.rand(3, 4)
    w = torch.rand(3, 4) + 0.5 if weighted else None
    p = torch.rand(4) + 0.5 if positive else None
    attrs = {"Reduction": red, "Weights": w.flatten().tolist() if weighted else None, "Positive": p.tolist() if positive else None}

    def bce(x, t):
        return F.binary_cross_entropy_with_logits(x, t, weight=w, pos_weight=p, reduction=red)

    out.add(name("bcelogits", red, "weights" if weighted else "", "positive" if positive else ""), attrs, [x, t], bce)
    if not positive:
        out.add(
            name("bce", red, "weights" if weighted else ""), attrs, [torch.rand(3, 4), t], lambda x, t: F.binary_cross_entropy(x, t, weight=w, reduction=red)
        )

# Regression.
for red in reductions:
    for form, shape in {"flat": (5,), "picture": (2, 3, 2, 2), "scalar": ()}.items():
        x, t = 2 * torch.randn(shape), 2 * torch.randn(shape)
        case = name(form, red)
        attrs = {"Reduction": red, "K": 0.0}
        out.add("mse_" + case, attrs, [x, t], lambda x, t: F.mse_loss(x, t, reduction=red))
        out.add("l1_" + case, attrs, [x, t], lambda x, t: F.l1_loss(x, t, reduction=red))
        for k in (0.5, 1.7):
            attrs = {"Reduction": red, "K": k}
            out.add(f"huber_{case}_{k}", attrs, [x, t], lambda x, t: F.huber_loss(x, t, reduction=red, delta=k))
            out.add(f"smoothl1_{case}_{k}", attrs, [x, t], lambda x, t: F.smooth_l1_loss(x, t, reduction=red, beta=k))

# Margins.
for red, k in itertools.product(reductions, (1.0, 0.3)):
    attrs = {"Reduction": red, "K": k, "Weights": None, "Squared": False}
    x, t = torch.randn(4, 3), (2 * torch.randint(0, 2, (4, 3)) - 1).double()
    case = name(red, k)
    zero = torch.zeros(4, 3)
    out.add("hinge_" + case, attrs, [x, t], lambda x, t: F.margin_ranking_loss(x, zero, t.detach(), margin=k, reduction=red) + 0 * t.sum())
    out.add("embedding_" + case, attrs, [x, t], lambda x, t: F.hinge_embedding_loss(x, t.detach(), margin=k, reduction=red) + 0 * t.sum())
    for c in ("hinge_", "embedding_"):
        del out.tensors[f"{c}{case}/dx1"]
    for squared, weighted in itertools.product((False, True), (False, True)):
        w = torch.rand(3) + 0.5 if weighted else None
        out.add(
            name("multimargin", case, "squared" if squared else "", "weights" if weighted else ""),
            {**attrs, "Squared": squared, "Weights": w.tolist() if weighted else None},
            [x, labels(3, 4)],
            lambda x, y: F.multi_margin_loss(x, y, p=2 if squared else 1, margin=k, weight=w, reduction=red),
        )

# Divergence.
for red in reductions + ("batchmean",):
    x, t = torch.log_softmax(torch.randn(3, 4), 1), distribution(3, 4)
    attrs = {"Reduction": red}
    out.add("kl_" + red, attrs, [x, t], lambda x, t: F.kl_div(x, t, reduction=red))
    out.add("kllog_" + red, attrs, [x, t.log()], lambda x, t: F.kl_div(x, t, reduction=red, log_target=True))

# Distillation, written out as in the paper.
for temperature, soft in itertools.product((1.0, 4.0), (0.0, 0.3, 1.0)):
    def distill(s, t, y):
        kl = F.kl_div(F.log_softmax(s / temperature, 1), F.log_softmax(t / temperature, 1), reduction="batchmean", log_target=True)
        return soft * temperature**2 * kl + (1 - soft) * F.cross_entropy(s, y)

    out.add(f"distill_{temperature}_{soft}", {"Temperature": temperature, "Soft": soft}, [logits(4, 5), logits(4, 5), labels(5, 4)], distill)

out.write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "loss.safetensors"))

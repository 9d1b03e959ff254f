"""References from torchvision for sizes other than the networks' own: python3 gen.py, in this folder.

Written with PyTorch 1.13.1 and torchvision 0.14.1, float64. Each case has a NAME_HxW.tensors.tsv and a
NAME_HxW.expected.safetensors, as reference_test.go reads them. Values come from u01(t, i), as in fill_test.go.
"""
import json
import struct
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torchvision import models

warnings.simplefilter("ignore")

CASES = [  # name, height, width, batch norms that end a residual branch
    ("resnet34", 49, 65, ".bn2.weight"),
    ("resnet50", 65, 40, ".bn3.weight"),
    ("googlenet", 97, 129, None),
    ("squeezenet1_0", 65, 81, None),
    ("squeezenet1_1", 64, 49, None),
    ("mobilenet_v2", 97, 65, None),
    ("vgg11_bn", 39, 64, None),
]
CLASSES = 10


def u01(t, n):
    with np.errstate(over="ignore"):
        z = np.uint64(t << 40) + np.arange(n, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z ^= z >> np.uint64(30)
        z *= np.uint64(0xBF58476D1CE4E5B9)
        z ^= z >> np.uint64(27)
        z *= np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) / 2**53


def fill(state, calm):
    for t, (name, v) in enumerate(state.items()):
        u = u01(t, v.numel())
        if v.dim() > 1:
            x = (2 * u - 1) * np.sqrt(6 / (v.numel() / v.shape[0]))
        elif name.endswith("running_var"):
            x = 0.5 + u
        elif is_norm(name, state) and name.endswith(".weight"):
            x = (0.5 + u) * (0.2 if calm and name.endswith(calm) else 1)
        else:
            x = (2 * u - 1) * 0.1
        v.copy_(torch.from_numpy(x.reshape(v.shape)))


def is_norm(name, state):
    return name.rsplit(".", 1)[0] + ".running_mean" in state


def save(path, tensors):
    header, data, at = {}, b"", 0
    for name, v in tensors.items():
        raw = np.ascontiguousarray(v.detach().numpy().reshape(-1), dtype="<f8").tobytes()
        header[name] = {"dtype": "F64", "shape": list(v.shape) or [1], "data_offsets": [at, at + len(raw)]}
        data += raw
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def run(name, height, width, calm):
    options = {"aux_logits": True} if name == "googlenet" else {}
    model = getattr(models, name)(num_classes=CLASSES, **options).double()
    state = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    fill(state, calm)
    for m in model.modules():
        if isinstance(m, torch.nn.Dropout):
            m.p = 0
    x = torch.from_numpy((2 * u01(1000003, 2 * 3 * height * width) - 1).reshape(2, 3, height, width))
    tensors = {}
    with torch.no_grad():
        tensors["eval_output"] = model.eval()(x)
    out = model.train()(x)
    out, *aux = out if isinstance(out, tuple) else (out,)
    labels = torch.tensor([7, 3])
    loss = F.cross_entropy(out, labels) + sum(0.3 * F.cross_entropy(a, labels) for a in aux)
    loss.backward()
    tensors["train_output"], tensors["train_loss"] = out, loss
    grads = {k: p.grad.numpy().reshape(-1) for k, p in model.named_parameters()}
    stem = f"{name}_{height}x{width}"
    save(stem + ".expected.safetensors", tensors)
    with open(stem + ".tensors.tsv", "w") as f:
        f.write("# t\tname\tshape\tkind\tnumel\tgrad_l2\tgrad_sum\tgrad_first\trunning_after_first\n")
        for t, (k, v) in enumerate(state.items()):
            row = [t, k, "x".join(map(str, v.shape)), "", v.numel(), "", "", "", ""]
            if k in grads:
                g = grads[k]
                row[5:8] = ["%.12g" % a for a in (np.sqrt((g * g).sum()), g.sum(), g[0])]
            else:
                row[8] = "%.12g" % v.reshape(-1)[0].item()
            f.write("\t".join(map(str, row)) + "\n")
    print(stem, float(loss))


for case in CASES:
    run(*case)

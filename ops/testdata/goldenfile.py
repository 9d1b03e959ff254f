"""Writes golden files: values and gradients of an op as another implementation computes them.

A golden file is a safetensors file (8 bytes length, JSON header, raw little-endian data). Case "c" holds the
tensors "c/x0", "c/x1", … (inputs in argument order), "c/y" (result), "c/dy" (gradient given to the result)
and "c/dx0", … (gradient for each floating-point input); its attributes are JSON under "c" in the metadata.
internal/golden reads it. Attribute names are the field names of the Go struct.

The scripts gen_*.py beside this file run in this folder, with PyTorch 1.13 (Debian's python3-torch 1.13.1); each
begins with the seed below. Version and seed are in the metadata too.
"""
import json
import struct

import numpy as np
import torch

SEED = 20240501


class GoldenFile:
    def __init__(self, seed=SEED):
        torch.manual_seed(seed)
        torch.set_default_dtype(torch.float64)
        self.meta = {"made with": f"torch {torch.__version__}", "seed": str(seed)}
        self.tensors = {}

    def put(self, case, **tensors):
        """Adds tensors to a case."""
        for name, t in tensors.items():
            a = t.detach().numpy() if isinstance(t, torch.Tensor) else np.asarray(t)
            self.tensors[f"{case}/{name}"] = np.ascontiguousarray(a) if a.ndim else a

    def add(self, case, attrs, inputs, fn, grad=True):
        """Adds a case: fn(*inputs), and its gradients for a random dy."""
        assert case not in self.meta, case
        self.meta[case] = json.dumps(attrs)
        leaves = [t.detach().clone().requires_grad_(grad and t.is_floating_point()) for t in inputs]
        y = fn(*leaves)
        self.put(case, y=y, **{f"x{i}": t for i, t in enumerate(leaves)})
        if not grad:
            return y
        dy = torch.randn_like(y)
        wrt = [i for i, t in enumerate(leaves) if t.requires_grad]
        grads = torch.autograd.grad(y, [leaves[i] for i in wrt], dy, allow_unused=True)
        self.put(case, dy=dy, **{f"dx{i}": g for i, g in zip(wrt, grads) if g is not None})
        return y

    def write(self, path):
        names = {"float64": "F64", "float32": "F32", "int64": "I64", "bool": "BOOL"}
        header, blobs, at = {"__metadata__": self.meta}, [], 0
        for name, a in self.tensors.items():
            b = a.tobytes()
            header[name] = {"dtype": names[str(a.dtype)], "shape": list(a.shape), "data_offsets": [at, at + len(b)]}
            blobs.append(b)
            at += len(b)
        h = json.dumps(header, separators=(",", ":")).encode()
        h += b" " * (-len(h) % 8)
        with open(path, "wb") as f:
            f.write(struct.pack("<Q", len(h)) + h + b"".join(blobs))
        print(path, at + len(h) + 8, "bytes")

#!/usr/bin/env python3
"""Writes state dicts as PyTorch 1.13 (Debian's python3-torch) and arrays as NumPy 1.24 save them, seed 11.

views.safetensors holds what every other file holds, in C order: dict.pth (zip), legacy.pth (the format before
PyTorch 1.6), protocol4.pth and protocol4legacy.pth (the newest pickle protocol that they take), checkpoint.pth
(nested, with an optimiser's state, parameters and the arguments of a program beside it, names of DataParallel),
arrays.npz and packed.npz (compressed; no bfloat16 there). module.pth is a whole pickled module, which must be
refused. Run in this folder: python3 gen_torch.py
"""
import argparse, collections, json, struct
import numpy as np
import torch

torch.manual_seed(11)
base = torch.randn(6, 5, 4)
plain = {
    "f64": torch.randn(2, 3, dtype=torch.float64),
    "f32": base,
    "f16": torch.randn(7).half(),
    "bf16": torch.randn(7).bfloat16(),
    "i64": torch.tensor([-(2**63), -1, 2**63 - 1]),
    "i32": torch.tensor([[-7], [2**31 - 1]], dtype=torch.int32),
    "i16": torch.tensor([-(2**15), 9], dtype=torch.int16),
    "i8": torch.tensor([-128, 127], dtype=torch.int8),
    "u8": torch.tensor([0, 255], dtype=torch.uint8),
    "bool": torch.tensor([True, False]),
    "scalar": torch.tensor(3.5),
    "counter": torch.tensor(12),
    "empty": torch.zeros(0, 4),
    # Views that share the memory of f32.
    "row": base[2],
    "column": base[:, 3, 1],
    "steps": base[1::2, ::3],
    "turned": base.permute(2, 0, 1),
    "last": base[5, 4, 3],
    "channels_last": torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
    "noncontiguous.bf16": torch.randn(4, 3).bfloat16().t(),
}


def safetensors(path, tensors):
    names = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
             torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}
    header, data = {}, b""
    for name, t in tensors.items():
        raw = bytes(t.contiguous().reshape(-1).view(torch.uint8).tolist()) if t.numel() else b""
        header[name] = {"dtype": names[t.dtype], "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


safetensors("views.safetensors", plain)
state = collections.OrderedDict(plain)
state._metadata = {"": {"version": 1}}  # as Module.state_dict() has it
torch.save(state, "dict.pth")
torch.save(plain, "legacy.pth", _use_new_zipfile_serialization=False)
torch.save(state, "protocol4.pth", pickle_protocol=4)
torch.save(plain, "protocol4legacy.pth", pickle_protocol=4, _use_new_zipfile_serialization=False)
net = torch.nn.Linear(3, 2)
optimizer = torch.optim.Adam(net.parameters())
net(torch.randn(4, 3)).sum().backward()
optimizer.step()
torch.save({
    "epoch": 3, "best": 0.25, "args": argparse.Namespace(lr=0.1, device=torch.device("cpu")), "score": np.float64(1.5),
    "optimizer": optimizer.state_dict(), "tags": {"a", "b"}, "history": [1.5, [2, None, True]],
    "state_dict": {"module." + k: torch.nn.Parameter(t, requires_grad=t.is_floating_point()) for k, t in plain.items()},
}, "checkpoint.pth")
torch.save(net, "module.pth")
arrays = {k: t.numpy() for k, t in plain.items() if t.dtype != torch.bfloat16}
np.savez("arrays.npz", **arrays)
np.savez_compressed("packed.npz", **{k: np.asfortranarray(a) if a.ndim else a for k, a in arrays.items()})

#!/usr/bin/env python3
"""Writes torch.safetensors: every element type as PyTorch 1.13 lays it out in memory, seed 7.

The format is written by hand here, from its description alone: nothing is shared with the Go code.
For a half type, NAME.wide holds what PyTorch widens it to. Run in this folder: python3 gen.py
"""
import json, struct
import torch

torch.manual_seed(7)
special = [0.0, -0.0, 1.0, -2.5, 65504.0, 6.1e-5, 6e-8, -3e-7, float("inf"), float("-inf"), float("nan")]
tensors = {
    "f64": torch.randn(2, 3, dtype=torch.float64),
    "f32": torch.randn(2, 1, 3, 2),
    "f16": torch.tensor(special).half(),
    "bf16": torch.cat([torch.tensor(special), torch.randn(5) * 1e20]).bfloat16(),
    "i64": torch.tensor([-(2**63), -1, 0, 2**63 - 1]),
    "i32": torch.tensor([[-(2**31)], [2**31 - 1]], dtype=torch.int32),
    "i16": torch.tensor([-(2**15), 2**15 - 1], dtype=torch.int16),
    "i8": torch.tensor([-128, 127, 5], dtype=torch.int8),
    "u8": torch.tensor([0, 255, 7], dtype=torch.uint8),
    "bool": torch.tensor([True, False, True]),
    "bn.num_batches_tracked": torch.tensor(12345),
    "empty": torch.zeros(0, 4),
}
tensors["f16.wide"] = tensors["f16"].float()
tensors["bf16.wide"] = tensors["bf16"].float()

types = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.bool: "BOOL",
}
header, data = {"__metadata__": {"format": "pt", "ключ": "значение"}}, b""
for name, t in tensors.items():  # in this order on purpose: many start at odd places
    raw = bytes(t.contiguous().reshape(-1).view(torch.uint8).tolist()) if t.numel() else b""
    header[name] = {"dtype": types[t.dtype], "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
    data += raw
text = json.dumps(header, indent=1).encode()
with open("torch.safetensors", "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + data)

#!/usr/bin/env python3
"""Writes pillow.safetensors: pictures resized by Pillow 9.4.0 (Debian's python3-pil), from noise and stripes made
by a formula. Case "filter CxHxW to HxW" is one uint8 tensor [H, W, C]. Run in this folder: python3 gen.py

The sources: sample i of the picture (counted over [H, W, C]) is byte 2 of i·2654435761 mod 2³², and for even
channel counts every third column is black and every fifth row white, so that overshoot is clipped.
"""
import json, struct
import numpy as np
import PIL
from PIL import Image


def source(c, h, w):
    i = np.arange(c * h * w, dtype=np.uint64)
    a = ((i * 2654435761 % 2**32) >> 16 & 255).astype(np.uint8).reshape(h, w, c)
    if c % 2 == 0 or c == 1:
        a[:, ::3] = 0
        a[::5] = 255
    return a


def picture(a):
    if a.shape[2] == 1:
        return Image.fromarray(a[:, :, 0], "L")
    return Image.fromarray(a, {3: "RGB", 4: "CMYK"}[a.shape[2]])  # CMYK: four channels, none taken for alpha


filters = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS,
           "hamming": Image.HAMMING, "box": Image.BOX}
cases = [  # channels, from h, w, to h, w
    (3, 37, 53, 16, 16), (3, 37, 53, 37, 20), (3, 37, 53, 20, 53), (3, 13, 11, 40, 33), (1, 64, 48, 31, 47),
    (4, 30, 29, 17, 41), (3, 200, 3, 7, 5), (1, 1, 1, 4, 4), (3, 9, 9, 9, 9), (1, 5, 333, 5, 100),
]
header, data = {"__metadata__": {"made with": "Pillow " + PIL.__version__}}, b""
for name, f in filters.items():
    for c, h, w, oh, ow in cases:
        b = np.asarray(picture(source(c, h, w)).resize((ow, oh), f)).reshape(oh, ow, c)
        header[f"{name} {c}x{h}x{w} to {oh}x{ow}"] = {"dtype": "U8", "shape": [oh, ow, c], "data_offsets": [len(data), len(data) + b.size]}
        data += b.tobytes()
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open("pillow.safetensors", "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + data)

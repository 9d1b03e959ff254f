#!/usr/bin/env python3
"""Writes golden.safetensors: pictures as torchvision 0.14.1 and Pillow 9.4.0 (Debian's python3-torchvision and
python3-pil) preprocess them, and the pictures, wide.png, tall.png, grey.png and alpha.png, seed 5.
Run in this folder: python3 gen.py
"""
import json, math, struct
import numpy as np
from PIL import Image
from torchvision import transforms as T

r = np.random.default_rng(5)


def picture(h, w, c):
    y, x = np.mgrid[0:h, 0:w]
    a = np.stack([127 + 120 * np.sin(x / (5 + k) + k) * np.cos(y / (4 + k)) for k in range(c)], 2)
    a[h // 4:h // 2, w // 3:w // 2] = r.integers(0, 256, c)
    return np.clip(a + r.normal(0, 3, a.shape), 0, 255).astype(np.uint8)


Image.fromarray(picture(45, 67, 3)).save("wide.png")
Image.fromarray(picture(71, 40, 3)).save("tall.png")
Image.fromarray(picture(50, 39, 1)[:, :, 0]).save("grey.png")
Image.fromarray(picture(41, 48, 4)).save("alpha.png")

imagenet = dict(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
half = dict(mean=[0.5] * 3, std=[0.5] * 3)


def torchvision(img, size, resize, interpolation, norm):
    t = T.Compose([T.Resize(resize, interpolation), T.CenterCrop(size), T.ToTensor(), T.Normalize(**norm)])
    return t(img.convert("RGB")).numpy()


def keras(img, size, mode):
    a = np.asarray(img.convert("RGB").resize((size, size), Image.NEAREST)).astype(np.float64)
    if mode == "caffe":
        a = a[..., ::-1] - [103.939, 116.779, 123.68]
    elif mode == "tf":
        a = a / 127.5 - 1
    else:
        a = (a / 255 - imagenet["mean"]) / imagenet["std"]
    return a.transpose(2, 0, 1).astype(np.float32)


header, data = {"__metadata__": {"made with": "torchvision 0.14.1, Pillow " + Image.__version__}}, b""
for name in ("wide", "tall", "grey", "alpha"):
    img = Image.open(name + ".png")
    bl, bc = T.InterpolationMode.BILINEAR, T.InterpolationMode.BICUBIC
    for case, a in {
        "torchvision": torchvision(img, 32, 37, bl, imagenet),
        "odd": torchvision(img, 27, 32, bl, imagenet),
        "inception": torchvision(img, 29, 33, bl, half),
        "timm": torchvision(img, 29, int(math.floor(29 / 0.8975)), bc, half),
        "larger": torchvision(img, 48, int(math.floor(48 / 0.95)), bc, half),
        "caffe": keras(img, 30, "caffe"), "tf": keras(img, 30, "tf"), "torch": keras(img, 30, "torch"),
        "grey": np.asarray(T.CenterCrop(24)(T.Resize(28, bl)(img.convert("RGB").convert("L"))))[None].astype(np.float32) / 255,
    }.items():
        a = np.ascontiguousarray(a, np.float32)
        header[name + "/" + case] = {"dtype": "F32", "shape": list(a.shape), "data_offsets": [len(data), len(data) + a.nbytes]}
        data += a.tobytes()
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open("golden.safetensors", "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + data)

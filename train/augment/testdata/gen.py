#!/usr/bin/python3
"""What torchvision 0.14 on PIL 9.4 makes of two pictures. Run in this folder; it writes golden.safetensors."""
import json, math, struct
import numpy as np
import torch
from PIL import Image, ImageOps
from torchvision.transforms import functional as F
from torchvision.transforms.functional import InterpolationMode as I, _get_inverse_affine_matrix, _get_perspective_coeffs
from torchvision.transforms.autoaugment import _apply_op, RandAugment

H, W = 23, 31
rng = np.random.RandomState(1)
y, x = np.mgrid[0:H, 0:W]
smooth = np.stack([8 * x, 11 * y, 5 * (x + y)], -1) % 200
rgb = np.clip(smooth + rng.randint(-40, 41, (H, W, 3)), 0, 230).astype(np.uint8)
rgb[4:9, 5:20] = (rgb[4:9, 5:20] // 64) * 64  # flat colours and grey pixels too
rgb[15:18, 3:9] = rgb[15:18, 3:9, :1]
grey = np.clip(6 * x + 3 * y + rng.randint(-30, 31, (H, W)), 20, 220).astype(np.uint8)

tensors = {"rgb": rgb, "grey": grey[:, :, None]}
pil = {"rgb": Image.fromarray(rgb), "grey": Image.fromarray(grey)}

def put(name, f):
    for k, p in pil.items():
        a = np.asarray(f(p))
        tensors[name + "/" + k] = a if a.ndim == 3 else a[:, :, None]

by = {"bilinear": I.BILINEAR, "bicubic": I.BICUBIC, "nearest": I.NEAREST, "lanczos": I.LANCZOS, "box": I.BOX}
for n, i in by.items():
    put("resize down " + n, lambda p: F.resize(p, [9, 14], i))
    put("resize up " + n, lambda p: F.resize(p, [40, 37], i))
put("resize mixed", lambda p: F.resize(p, [40, 11], I.BICUBIC))
put("resize short", lambda p: F.resize(p, [10], I.BILINEAR))
put("center crop", lambda p: F.center_crop(p, [10, 14]))
put("center crop odd", lambda p: F.center_crop(p, [10, 40]))
put("center crop large", lambda p: F.center_crop(p, [30, 36]))
for m in ["constant", "edge", "reflect", "symmetric"]:
    put("pad " + m, lambda p: F.pad(p, [3, 5, 2, 7], fill=(9, 8, 7) if p.mode == "RGB" and m == "constant" else 9 if m == "constant" else 0, padding_mode=m))
put("hflip", F.hflip)
put("vflip", F.vflip)
for n in ["nearest", "bilinear", "bicubic"]:
    put("rotate " + n, lambda p: F.rotate(p, 23.5, by[n]))
    put("rotate expand " + n, lambda p: F.rotate(p, -67, by[n], expand=True))
    put("affine " + n, lambda p: F.affine(p, 17, [3, -2], 1.2, [5, -8], by[n]))
    put("perspective " + n, lambda p: F.perspective(p, [[0, 0], [30, 0], [30, 22], [0, 22]], [[3, 2], [28, 4], [25, 20], [1, 19]], by[n]))
for a in [90, 180, 270]:
    put("rotate %d" % a, lambda p: F.rotate(p, a, I.NEAREST))
    put("rotate expand %d" % a, lambda p: F.rotate(p, a, I.NEAREST, expand=True))
put("translate nearest", lambda p: F.affine(p, 0, [4, -3], 1.0, [0, 0], I.NEAREST))
put("scale nearest", lambda p: F.affine(p, 0, [0, 0], 0.7, [0, 0], I.NEAREST))
put("fill", lambda p: F.rotate(p, 30, I.BILINEAR, fill=[10, 20, 30] if p.mode == "RGB" else 10))
for v in [0.0, 0.4, 1.7]:
    put("brightness %g" % v, lambda p: F.adjust_brightness(p, v))
    put("contrast %g" % v, lambda p: F.adjust_contrast(p, v))
    put("saturation %g" % v, lambda p: F.adjust_saturation(p, v))
    put("sharpness %g" % v, lambda p: F.adjust_sharpness(p, v))
for v in [-0.5, -0.13, 0.0, 0.2, 0.37]:
    put("hue %g" % v, lambda p: F.adjust_hue(p, v))
put("grayscale", lambda p: F.to_grayscale(p, 3 if p.mode == "RGB" else 1))
put("autocontrast", F.autocontrast)
put("equalize", F.equalize)
put("invert", F.invert)
for b in [1, 3, 8]:
    put("posterize %d" % b, lambda p: F.posterize(p, b))
for t in [0, 100.5, 256]:
    put("solarize %g" % t, lambda p: F.solarize(p, t))
put("blur 3", lambda p: F.gaussian_blur(p, 3, 0.7))
put("blur 9", lambda p: F.gaussian_blur(p, 9, 2.0))
space = RandAugment()._augmentation_space(31, (H, W))
for name, (mags, signed) in space.items():
    for m in [9, 30]:
        mag = float(mags[m]) if mags.ndim > 0 else 0.0
        put("randaugment %s %d" % (name, m), lambda p: _apply_op(p, name, mag, I.NEAREST, None))
        if signed:
            put("randaugment %s -%d" % (name, m), lambda p: _apply_op(p, name, -mag, I.NEAREST, None))

floats = {
    "affine matrix": np.array(_get_inverse_affine_matrix([15.5, 11.5], 17, [3, -2], 1.2, [5, -8])),
    "perspective coefficients": np.array(_get_perspective_coeffs([[0, 0], [30, 0], [30, 22], [0, 22]], [[3, 2], [28, 4], [25, 20], [1, 19]])),
}
header, data = {}, b""
for kind, group in (("F64", floats), ("U8", tensors)):
    for k in sorted(group):
        b = np.ascontiguousarray(group[k]).tobytes()
        header[k] = {"dtype": kind, "shape": list(group[k].shape), "data_offsets": [len(data), len(data) + len(b)]}
        data += b
h = json.dumps(header).encode()
h += b" " * (-len(h) % 8)
open("golden.safetensors", "wb").write(struct.pack("<Q", len(h)) + h + data)

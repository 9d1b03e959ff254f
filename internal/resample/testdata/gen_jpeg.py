#!/usr/bin/env python3
"""Writes NAME.jpg and, as NAME.png, what Pillow 9.4.0 (with libjpeg-turbo 2.1) decodes it to, seed 3: smooth colours
with sharp edges, in each way of storing chroma. Run in this folder: python3 gen_jpeg.py
"""
import numpy as np
from PIL import Image

r = np.random.default_rng(3)
h, w = 45, 67
y, x = np.mgrid[0:h, 0:w]
a = np.stack([127 + 120 * np.sin(x / 9 + c) * np.cos(y / (7 + c)) for c in range(3)], 2)
a[10:30, 20:40] = [220, 30, 40]
a[25:40, 35:60] = [20, 40, 230]
img = Image.fromarray(np.clip(a + r.normal(0, 4, a.shape), 0, 255).astype(np.uint8))
for name, sub in (("420", "4:2:0"), ("422", "4:2:2"), ("444", "4:4:4")):
    img.save(name + ".jpg", quality=90, subsampling=sub)
    Image.open(name + ".jpg").convert("RGB").save(name + ".png")
img.convert("L").save("grey.jpg", quality=90)
Image.open("grey.jpg").save("grey.png")

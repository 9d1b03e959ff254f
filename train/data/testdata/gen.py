#!/usr/bin/python3
"""Pictures in every format, with PIL (9.4). Run in this folder; it writes pictures/."""
from PIL import Image, ImageOps

W, H = 12, 8
rgb = Image.new("RGB", (W, H))
grey = Image.new("L", (W, H))
for y in range(H):
    for x in range(W):
        rgb.putpixel((x, y), (20 * x, 30 * y, 10 * (x + y)))
        grey.putpixel((x, y), 10 * x + 15 * y)
out = "pictures/"
rgb.save(out + "rgb.png")
rgb.save(out + "rgb.bmp")
rgb.save(out + "rgb.tiff", compression="tiff_lzw")
rgb.save(out + "rgb.ppm")
rgb.save(out + "rgb.webp", lossless=True)
rgb.save(out + "lossy.jpg", quality=95, subsampling=0)
rgb.save(out + "lossy.webp", quality=95)
grey.save(out + "grey.pgm")
grey.save(out + "grey.gif")
grey.save(out + "grey.png")
grey.save(out + "grey.jpg", quality=95)

def exif(o):
    e = Image.Exif()
    e[0x0112] = o
    return e

for o in range(1, 9):
    rgb.save(out + "turned%d.png" % o, exif=exif(o))
    im = Image.open(out + "turned%d.png" % o)
    ImageOps.exif_transpose(im).convert("RGB").save(out + "upright%d.ppm" % o)
for name, args in {"jpg": dict(quality=95, subsampling=0), "webp": dict(lossless=True), "tiff": {}}.items():
    rgb.save(out + "turned6." + name, exif=exif(6), **args)
grey.save(out + "turnedgrey6.png", exif=exif(6))
ImageOps.exif_transpose(Image.open(out + "turnedgrey6.png")).save(out + "uprightgrey6.pgm")

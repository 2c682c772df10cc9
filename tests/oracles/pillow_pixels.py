#!/usr/bin/env python3
"""What Pillow makes of pictures: the oracle of src/image.

usage: pillow_pixels.py REQUESTS

REQUESTS is a file with a line for each answer, fields parted by tabs:
    picture, answer, operation...
An operation is `resize HEIGHT WIDTH FILTER`, `crop TOP LEFT HEIGHT WIDTH`, `luma`, `affine A B C D E F`, `rotate DEGREES`, or
one of ADJUST with its number; they are done from left to right on the picture after EXIF orientation and convert("RGB"). The answer is a file: "HEIGHT WIDTH CHANNELS\n", then bytes.
Exit 77: this machine has no Pillow.
"""
import sys

try:
    from PIL import Image, ImageEnhance, ImageOps
except ImportError:
    sys.exit(77)

FILTERS = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
ADJUST = {
    "brightness": lambda im, x: ImageEnhance.Brightness(im).enhance(x),
    "color": lambda im, x: ImageEnhance.Color(im).enhance(x),
    "contrast": lambda im, x: ImageEnhance.Contrast(im).enhance(x),
    "sharpness": lambda im, x: ImageEnhance.Sharpness(im).enhance(x),
    "posterize": lambda im, x: ImageOps.posterize(im, int(x)),
    "solarize": ImageOps.solarize,
    "autocontrast": lambda im, x: ImageOps.autocontrast(im),
    "equalize": lambda im, x: ImageOps.equalize(im),
}


def picture(path, cache={}):
    if path not in cache:
        cache.clear()
        cache[path] = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    return cache[path]


def answer(path, operations):
    im = picture(path)
    for operation in operations:
        name, *args = operation.split(" ")
        if name == "resize":
            im = im.resize((int(args[1]), int(args[0])), FILTERS[args[2]])
        elif name == "crop":
            top, left, height, width = map(int, args)
            im = im.crop((left, top, left + width, top + height))
        elif name == "luma":
            im = im.convert("L")
        elif name == "affine":
            im = im.transform(im.size, Image.Transform.AFFINE, [float(x) for x in args], Image.Resampling.NEAREST)
        elif name == "rotate":
            im = im.rotate(float(args[0]), Image.Resampling.NEAREST)
        elif name in ADJUST:
            im = ADJUST[name](im, float(args[0]))
        else:
            raise ValueError(operation)
    return im


def main():
    with open(sys.argv[1]) as requests:
        for line in requests:
            path, out, *operations = line.rstrip("\n").split("\t")
            im = answer(path, operations)
            with open(out, "wb") as f:
                f.write(b"%d %d %d\n" % (im.height, im.width, len(im.getbands())))
                f.write(im.tobytes())


main()

#!/usr/bin/env python3
"""What Pillow makes of pictures: the oracle of src/image.

usage: pillow_pixels.py REQUESTS

REQUESTS is a file with a line for each answer, fields parted by tabs:
    picture, answer, operation...
An operation is `resize HEIGHT WIDTH FILTER`, `crop TOP LEFT HEIGHT WIDTH` or `luma`; they are done from left to right on
the picture after EXIF orientation and convert("RGB"). The answer is a file: "HEIGHT WIDTH CHANNELS\n", then bytes.
Exit 77: this machine has no Pillow.
"""
import sys

try:
    from PIL import Image, ImageOps
except ImportError:
    sys.exit(77)

FILTERS = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


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

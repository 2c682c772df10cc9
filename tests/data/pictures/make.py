#!/usr/bin/env python3
"""Makes the pictures of this folder, and what decoding, resizing and preprocessing them must give.

usage: make.py    (Debian: python3-pil, python3-numpy, python3-torchvision)

    expected.tsv    picture, and the file of its pixels: "HEIGHT WIDTH CHANNELS\\n", then RGB bytes
    resize.tsv      Pillow's resize of noise: height, width, noise, new height, new width, filter, CRC-32 of the bytes
    preprocess.tsv  torchvision's and Hugging Face's pipelines on noise: see preprocess_cases()
    tensorflow.tsv  half-pixel bilinear resize without antialias, by PyTorch: height, width, new height, new width, values

The lossless pictures are written by the code below, so their pixels are known; Pillow, which reads them too, is only the
check. Of lossy pictures the pixels are Pillow's.
"""
import io
import os
import struct
import zlib

import numpy as np
import torch
import torchvision.transforms as T
from PIL import Image, ImageOps

HERE = os.path.dirname(os.path.abspath(__file__))
H, W = 17, 23
MASK = (1 << 64) - 1
expected = {}


# --- the picture -----------------------------------------------------------------------------------------------------

def base_rgb():
    y, x = np.mgrid[0:H, 0:W]
    rgb = np.stack([x * 255 // (W - 1), y * 255 // (H - 1), (x * 11 + y * 7) % 256], axis=-1).astype(np.uint8)
    rgb[3:7, 4:9] = (250, 10, 30)
    rgb[9:14, 12:20] = (5, 60, 200)
    return rgb


RGB = base_rgb()
GREY = (RGB.astype(int) @ [19595, 38470, 7471] + 0x8000 >> 16).astype(np.uint8)
ALPHA = ((np.mgrid[0:H, 0:W].sum(0) * 9) % 256).astype(np.uint8)


def as_rgb(grey):
    return np.repeat(grey[..., None], 3, axis=-1).astype(np.uint8)


def write(name, data):
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(data)


def pixels_file(name, rgb):
    write(name, b"%d %d 3\n" % rgb.shape[:2] + rgb.astype(np.uint8).tobytes())
    return name


def by_pillow(data):
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


def lossless(name, data, rgb, pixels, pillow_agrees=True):
    """A picture whose pixels are known; `pixels` names their file."""
    if pillow_agrees:
        assert np.array_equal(by_pillow(data), rgb), name
    write(name, data)
    expected[name] = pixels_file(pixels, rgb)


def lossy(name, data):
    write(name, data)
    expected[name] = pixels_file(name + ".pixels", by_pillow(data))


def saved(image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


# --- EXIF ------------------------------------------------------------------------------------------------------------

def tiff(orientation, order="<"):
    head = b"II*\0" if order == "<" else b"MM\0*"
    return (head + struct.pack(order + "IH", 8, 2) + struct.pack(order + "HHII", 0x0100, 4, 1, W)
            + struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0) + struct.pack(order + "I", 0))


# --- JPEG ------------------------------------------------------------------------------------------------------------

def insert_segment(jpeg, marker, payload):
    return jpeg[:2] + struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload + jpeg[2:]


def without_segment(jpeg, marker):
    at = 2
    while jpeg[at + 1] != 0xDA:
        size = struct.unpack(">H", jpeg[at + 2:at + 4])[0] + 2
        if jpeg[at + 1] == marker:
            return jpeg[:at] + jpeg[at + size:]
        at += size
    raise ValueError(marker)


def jpegs():
    rgb = Image.fromarray(RGB)
    for name, subsampling in (("444", "4:4:4"), ("422", "4:2:2"), ("420", "4:2:0"), ("411", "4:1:1")):
        lossy(f"rgb_{name}.jpg", saved(rgb, "JPEG", quality=70, subsampling=subsampling))
    lossy("grey.jpg", saved(Image.fromarray(GREY), "JPEG", quality=70))
    lossy("progressive.jpg", saved(rgb, "JPEG", quality=70, progressive=True))
    lossy("progressive_grey.jpg", saved(Image.fromarray(GREY), "JPEG", quality=70, progressive=True))
    lossy("one_pixel.jpg", saved(rgb.crop((5, 5, 6, 6)), "JPEG", quality=70))
    cmyk = saved(rgb.convert("CMYK"), "JPEG", quality=70)
    lossy("cmyk.jpg", cmyk)
    adobe = cmyk.index(b"Adobe")
    assert cmyk[adobe + 11] == 0
    lossy("ycck.jpg", cmyk[:adobe + 11] + b"\2" + cmyk[adobe + 12:])
    # The same three channels, said to be RGB and not YCbCr.
    plain = without_segment(saved(rgb, "JPEG", quality=70, subsampling="4:4:4"), 0xE0)
    lossy("adobe_rgb.jpg", insert_segment(plain, 0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, 0)))
    for orientation in range(1, 9):
        order = "<" if orientation % 2 else ">"
        data = saved(rgb, "JPEG", quality=70)
        lossy(f"orientation_{orientation}.jpg", insert_segment(data, 0xE1, b"Exif\0\0" + tiff(orientation, order)))


# --- PNG -------------------------------------------------------------------------------------------------------------

def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_filter(rows, bytes_per_pixel):
    """Filters row y with type y % 5, so that every type is used."""
    out = b""
    above = bytes(len(rows[0]))
    for y, row in enumerate(rows):
        kind = y % 5
        out += bytes([kind])
        for i, v in enumerate(row):
            a = row[i - bytes_per_pixel] if i >= bytes_per_pixel else 0
            b = above[i]
            c = above[i - bytes_per_pixel] if i >= bytes_per_pixel else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            out += bytes([(v - (0, a, b, (a + b) // 2, paeth)[kind]) % 256])
        above = row
    return out


def png_rows(samples, depth):
    """samples: height x width x channels."""
    rows = []
    for row in samples.reshape(samples.shape[0], -1):
        if depth == 16:
            rows.append(row.astype(">u2").tobytes())
        else:
            bits = "".join(format(v, f"0{depth}b") for v in row)
            bits += "0" * (-len(bits) % 8)
            rows.append(bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8)))
    return rows


def png(samples, depth, colour, extra=b"", interlaced=False, after=b""):
    samples = samples.reshape(H, W, -1)
    bytes_per_pixel = max(1, samples.shape[2] * depth // 8)
    if interlaced:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
        parts = [samples[y::dy, x::dx] for y, x, dy, dx in passes]
        data = b"".join(png_filter(png_rows(part, depth), bytes_per_pixel) for part in parts if part.size)
    else:
        data = png_filter(png_rows(samples, depth), bytes_per_pixel)
    header = struct.pack(">IIBBBBB", W, H, depth, colour, 0, 0, interlaced)
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", zlib.compress(data, 9)) + after
            + png_chunk(b"IEND", b""))


def pngs():
    rgb16 = RGB.astype(int) * 256 + (RGB.astype(int) * 37 + 11) % 256
    grey16 = GREY.astype(int) * 256 + (GREY.astype(int) * 37 + 11) % 256
    alpha16 = ALPHA.astype(int) * 257
    for interlaced in (False, True):
        tail = "_interlaced.png" if interlaced else ".png"
        for depth in (1, 2, 4, 8):
            grey = GREY.astype(int) >> (8 - depth)
            lossless(f"grey{depth}" + tail, png(grey, depth, 0, interlaced=interlaced), as_rgb(grey * 255 // (2**depth - 1)),
                     f"grey{depth}.pixels")
            colours = min(2**depth, 200)  # the palette of 8 bits is short, as encoders write it
            palette = np.array([((i * 91 + 7) % 256, (i * 53) % 256, 255 - i) for i in range(colours)])
            index = (RGB.astype(int).sum(2) * 3) % colours
            lossless(f"palette{depth}" + tail,
                     png(index, depth, 3, png_chunk(b"PLTE", palette.astype(np.uint8).tobytes()), interlaced), palette[index],
                     f"palette{depth}.pixels")
        lossless("rgb8" + tail, png(RGB, 8, 2, interlaced=interlaced), RGB, "rgb.pixels")
        lossless("rgb16" + tail, png(rgb16, 16, 2, interlaced=interlaced), RGB, "rgb.pixels")
        # Pillow 9 clips grey of 16 bits at 255; the upper 8 bits are what it takes of RGB.
        lossless("grey16" + tail, png(grey16, 16, 0, interlaced=interlaced), as_rgb(GREY), "grey8.pixels", False)
        lossless("grey_alpha8" + tail, png(np.stack([GREY, ALPHA], -1), 8, 4, interlaced=interlaced), as_rgb(GREY), "grey8.pixels")
        lossless("grey_alpha16" + tail, png(np.stack([grey16, alpha16], -1), 16, 4, interlaced=interlaced), as_rgb(GREY),
                 "grey8.pixels")
        lossless("rgba8" + tail, png(np.dstack([RGB, ALPHA]), 8, 6, interlaced=interlaced), RGB, "rgb.pixels")
        lossless("rgba16" + tail, png(np.dstack([rgb16, alpha16]), 16, 6, interlaced=interlaced), RGB, "rgb.pixels")
    palette = np.array([((i * 91 + 7) % 256, (i * 53) % 256, 255 - i) for i in range(16)])
    index = (RGB.astype(int).sum(2) * 3) % 16
    transparent = png_chunk(b"PLTE", palette.astype(np.uint8).tobytes()) + png_chunk(b"tRNS", bytes(range(0, 240, 30)))
    lossless("palette4_transparent.png", png(index, 4, 3, transparent), palette[index], "palette4.pixels")
    lossless("grey8_transparent.png", png(GREY, 8, 0, png_chunk(b"tRNS", struct.pack(">H", int(GREY[0, 0])))), as_rgb(GREY),
             "grey8.pixels")
    lossless("rgb8_transparent.png", png(RGB, 8, 2, png_chunk(b"tRNS", struct.pack(">HHH", 250, 10, 30))), RGB, "rgb.pixels")
    turned = np.rot90(RGB, -1)
    lossless("orientation_6.png", png(RGB, 8, 2, png_chunk(b"eXIf", tiff(6))), turned, "turned.pixels")
    lossless("orientation_6_at_the_end.png", png(RGB, 8, 2, after=png_chunk(b"eXIf", tiff(6, ">"))), turned, "turned.pixels")


# --- WebP ------------------------------------------------------------------------------------------------------------

def webps():
    rgb = Image.fromarray(RGB)
    rgba = Image.fromarray(np.dstack([RGB, ALPHA]))
    lossy("lossy.webp", saved(rgb, "WEBP", quality=70))
    lossy("lossy_alpha.webp", saved(rgba, "WEBP", quality=70))
    lossless("lossless.webp", saved(rgb, "WEBP", lossless=True), RGB, "rgb.pixels")
    lossless("lossless_alpha.webp", saved(rgba, "WEBP", lossless=True, exact=True), RGB, "rgb.pixels")
    lossless("orientation_6.webp", saved(rgb, "WEBP", lossless=True, exif=b"Exif\0\0" + tiff(6)), np.rot90(RGB, -1),
             "turned.pixels")
    write("animated.webp", saved(rgb, "WEBP", save_all=True, append_images=[rgb.rotate(180)], lossless=True))


# --- BMP -------------------------------------------------------------------------------------------------------------

def bmp(rows, bits, compression=0, palette=b"", colours=0, header=40, masks=b"", top_down=False):
    """rows: bytes of each row from the top, or all bytes of a compressed picture."""
    if isinstance(rows, list):
        rows = [row + bytes(-len(row) % 4) for row in rows]
        data = b"".join(rows if top_down else rows[::-1])
    else:
        data = rows
    if header == 12:
        info = struct.pack("<IHHHH", 12, W, H, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, W, -H if top_down else H, 1, bits, compression, len(data), 2835, 2835,
                           colours, 0)
        if header > 40:
            info += (masks + bytes(header))[:header - 40]
            masks = b""
    at = 14 + len(info) + len(masks) + len(palette)
    return struct.pack("<2sIHHI", b"BM", at + len(data), 0, 0, at) + info + masks + palette + data


def rle8(index, move):
    """Runs, literal stretches of odd and even length, and perhaps a move over three pixels of colour 0."""
    out = b""
    for y, row in enumerate(index[::-1]):
        x = 0
        if y == 1 and move:
            out += bytes([0, 2, 3, 0])  # x += 3
            x = 3
        while x < W:
            run = 1
            while x + run < W and row[x + run] == row[x]:
                run += 1
            if run > 1 or W - x < 3:
                out += bytes([run, row[x]])
                x += run
            else:
                n = min(W - x, 3 + y % 4)
                out += bytes([0, n]) + bytes(row[x:x + n].astype(np.uint8)) + bytes(n % 2)
                x += n
        out += b"\0\0"
    return out + b"\0\1"


def rle4(index):
    out = b""
    for y, row in enumerate(index[::-1]):
        x = 0
        while x < W:
            n = min(W - x, 4 + y % 5)
            if y % 2 and n >= 3:
                nibbles = list(row[x:x + n]) + [0] * (n % 2)
                packed = bytes(int(a) << 4 | int(b) for a, b in zip(nibbles[::2], nibbles[1::2]))
                out += bytes([0, n]) + packed + bytes(len(packed) % 2)
            else:
                n = min(n, 2)
                out += bytes([n, int(row[x]) << 4 | (int(row[x + 1]) if n == 2 else 0)])
            x += n
        out += b"\0\0"
    return out + b"\0\1"


def bmps():
    quads = lambda palette: np.dstack([palette[None, :, ::-1], np.zeros((1, len(palette), 1))]).astype(np.uint8).tobytes()
    bgr = [row.tobytes() for row in RGB[..., ::-1]]
    for bits in (1, 2, 4, 8):
        colours = min(2**bits, 200)
        palette = np.array([((i * 91 + 7) % 256, (i * 53) % 256, 255 - i) for i in range(colours)])
        index = (RGB.astype(int).sum(2) * 3) % colours
        data = bmp(png_rows(index[..., None], bits), bits, palette=quads(palette), colours=colours)
        lossless(f"palette{bits}.bmp", data, palette[index], f"palette{bits}.pixels", bits != 2)  # Pillow knows no 2 bits
        if bits == 8:
            index[H - 2, :3] = 0
            run = lambda move: bmp(rle8(index, move), 8, 1, quads(palette), colours)
            lossless("rle8.bmp", run(False), palette[index], "rle8.pixels")
            # Pillow 9.4 reads the two bytes of a move twice.
            lossless("rle8_move.bmp", run(True), palette[index], "rle8.pixels", False)
        if bits == 4:
            # Pillow 9.4 misreads RLE4's stretches; the pixels are those of the raw file.
            lossless("rle4.bmp", bmp(rle4(index), 4, 2, quads(palette), colours), palette[index], "palette4.pixels", False)
    greys = np.repeat(np.arange(256)[:, None], 3, axis=1)
    lossless("grey8.bmp", bmp(png_rows(GREY[..., None], 8), 8, palette=quads(greys), colours=256), as_rgb(GREY), "grey8.pixels")
    lossless("rgb24.bmp", bmp(bgr, 24), RGB, "rgb.pixels")
    lossless("top_down.bmp", bmp(bgr, 24, top_down=True), RGB, "rgb.pixels")
    lossless("header12.bmp", bmp(bgr, 24, header=12), RGB, "rgb.pixels")
    lossless("header108.bmp", bmp(bgr, 24, header=108), RGB, "rgb.pixels")
    lossless("header124.bmp", bmp(bgr, 24, header=124), RGB, "rgb.pixels")
    bgrx = [row.tobytes() for row in np.dstack([RGB[..., ::-1], ALPHA])]
    lossless("rgb32.bmp", bmp(bgrx, 32), RGB, "rgb.pixels")
    rgba = [row.tobytes() for row in np.dstack([RGB, ALPHA])]
    lossless("fields32.bmp", bmp(rgba, 32, 3, header=124, masks=struct.pack("<4I", 0xFF, 0xFF00, 0xFF0000, 0xFF000000)), RGB,
             "rgb.pixels")
    for name, widths in (("555", (5, 5, 5)), ("565", (5, 6, 5))):
        small = np.stack([RGB[..., c].astype(int) >> (8 - n) for c, n in enumerate(widths)], -1)
        packed = small[..., 0] << (widths[1] + widths[2]) | small[..., 1] << widths[2] | small[..., 2]
        full = np.stack([small[..., c] * 255 // (2**n - 1) for c, n in enumerate(widths)], -1)
        rows = [row.astype("<u2").tobytes() for row in packed]
        masks = struct.pack("<3I", (2**widths[0] - 1) << (widths[1] + widths[2]), (2**widths[1] - 1) << widths[2], 2**widths[2] - 1)
        lossless(f"fields{name}.bmp", bmp(rows, 16, 3, masks=masks), full, f"fields{name}.pixels")
        if name == "555":
            lossless("rgb16.bmp", bmp(rows, 16), full, "fields555.pixels")


# --- PNM -------------------------------------------------------------------------------------------------------------

def pnms():
    bits = (GREY < 128).astype(int)
    black = as_rgb(255 - bits * 255)
    text = lambda samples: b"\n".join(b" ".join(b"%d" % v for v in row.reshape(-1)) for row in samples) + b"\n"
    lossless("bits_text.pbm", b"P1\n# 1 is black\n%d %d\n" % (W, H) + text(bits), black, "bits.pixels")
    lossless("bits_dense.pbm", b"P1 %d %d\n" % (W, H) + text(bits).replace(b" ", b""), black, "bits.pixels")
    lossless("bits.pbm", b"P4\n%d %d\n" % (W, H) + b"".join(png_rows(bits[..., None], 1)), black, "bits.pixels")
    lossless("grey_text.pgm", b"P2\n%d %d\n255\n" % (W, H) + text(GREY), as_rgb(GREY), "grey8.pixels")
    lossless("grey.pgm", b"P5 %d # columns\n%d 255\n" % (W, H) + GREY.tobytes(), as_rgb(GREY), "grey8.pixels")
    lossless("rgb_text.ppm", b"P3\n%d %d\n255\n" % (W, H) + text(RGB), RGB, "rgb.pixels")
    lossless("rgb.ppm", b"P6\n%d %d\n255\n" % (W, H) + RGB.tobytes(), RGB, "rgb.pixels")
    scaled = RGB.astype(int) * 100 // 255
    lossless("rgb_to_100.ppm", b"P6\n%d %d\n100\n" % (W, H) + scaled.astype(np.uint8).tobytes(), np.round(scaled / 100 * 255),
             "rgb_to_100.pixels")
    wide = RGB.astype(int) * 1023 // 255
    lossless("rgb_to_1023.ppm", b"P6\n%d %d\n1023\n" % (W, H) + wide.astype(">u2").tobytes(), np.round(wide / 1023 * 255),
             "rgb_to_1023.pixels")
    # Pillow makes 32-bit integers of grey with 16 bits and clips them at 255 in convert("RGB").
    lossless("grey16.pgm", b"P5\n%d %d\n65535\n" % (W, H) + (GREY.astype(int) * 257).astype(">u2").tobytes(), as_rgb(GREY),
             "grey8.pixels", False)


# --- resize and preprocess -------------------------------------------------------------------------------------------

def noise(height, width, kind, seed=1):
    """The same as in picture_test_support.h: SplitMix64's upper bytes; `hard` keeps only their top bit, as 0 or 255."""
    state = seed
    out = bytearray()
    for _ in range(height * width * 3):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        value = (z ^ (z >> 31)) >> 56
        out.append(value if kind == "noise" else 255 * (value >> 7))
    return np.frombuffer(bytes(out), np.uint8).reshape(height, width, 3)


FILTERS = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def resize_cases():
    sizes = [((1, 1), (1, 1)), ((1, 1), (7, 5)), ((37, 53), (1, 1)), ((37, 53), (37, 53)), ((37, 53), (37, 20)),
             ((37, 53), (20, 53)), ((37, 53), (36, 52)), ((37, 53), (38, 54)), ((37, 53), (74, 106)), ((37, 53), (19, 27)),
             ((37, 53), (13, 71)), ((37, 53), (71, 13)), ((37, 53), (224, 224)), ((64, 48), (32, 24)), ((64, 48), (16, 12)),
             ((97, 3), (5, 11)), ((3, 97), (11, 5)), ((1, 200), (9, 9)), ((200, 1), (9, 9)), ((2, 2), (100, 3)),
             ((90, 120), (7, 113)), ((90, 120), (89, 1)), ((5, 400), (3, 399)), ((150, 100), (96, 96))]
    lines = []
    for (h, w), (ho, wo) in sizes:
        for kind in ("noise", "hard"):
            image = Image.fromarray(noise(h, w, kind))
            for name, code in FILTERS.items():
                crc = zlib.crc32(image.resize((wo, ho), code).tobytes())
                lines.append(f"{h}\t{w}\t{kind}\t{ho}\t{wo}\t{name}\t{crc}\n")
    write("resize.tsv", "".join(lines).encode())


def hf_resize_size(h, w, edge):
    short, long = (h, w) if h <= w else (w, h)
    new_long = int(edge * long / short)
    return (edge, new_long) if h <= w else (new_long, edge)


def hf_center_crop(image, crop_h, crop_w):
    """As transformers.image_transforms.center_crop describes it: floor of the margin; zeros around what is smaller, the
    larger half first."""
    h, w = image.shape[:2]
    top, left = (h - crop_h) // 2, (w - crop_w) // 2
    out = np.zeros((crop_h, crop_w, image.shape[2]), image.dtype)
    for y in range(crop_h):
        for x in range(crop_w):
            if 0 <= y + top < h and 0 <= x + left < w:
                out[y, x] = image[y + top, x + left]
    return out


def preprocess_cases():
    """style, height, width, edge (0: none), filter, input, CRC-32 of the float32 values in HWC."""
    lines = []
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    for h, w in ((50, 70), (71, 50), (33, 33), (20, 90), (41, 64), (9, 300)):
        pixels = noise(h, w, "noise")
        image = Image.fromarray(pixels)
        for edge, crop in ((40, 32), (41, 32), (32, 32), (20, 32), (0, 32), (43, 31)):
            for name, mode in (("bilinear", T.InterpolationMode.BILINEAR), ("bicubic", T.InterpolationMode.BICUBIC)):
                steps = [T.Resize(edge, mode)] if edge else []
                steps += [T.CenterCrop(crop), T.ToTensor(), T.Normalize(mean, std)]
                values = T.Compose(steps)(image).permute(1, 2, 0).contiguous().numpy()
                lines.append(f"torchvision\t{h}\t{w}\t{edge}\t{name}\t{crop}\t{zlib.crc32(values.tobytes())}\n")

                resized = image
                if edge:
                    ho, wo = hf_resize_size(h, w, edge)
                    resized = image.resize((wo, ho), FILTERS[name])
                cropped = hf_center_crop(np.asarray(resized), crop, crop)
                values = (cropped.astype(np.float64) * 0.00392156862745098).astype(np.float32)
                values = (values - np.array([0.5] * 3, np.float32)) / np.array([0.5] * 3, np.float32)
                lines.append(f"huggingface\t{h}\t{w}\t{edge}\t{name}\t{crop}\t{zlib.crc32(values.tobytes())}\n")
    write("preprocess.tsv", "".join(lines).encode())


def tensorflow_cases():
    lines = []
    for (h, w), (ho, wo) in (((7, 5), (11, 3)), ((6, 9), (3, 3)), ((5, 4), (9, 13)), ((20, 30), (4, 7))):
        image = torch.from_numpy(noise(h, w, "noise").copy()).permute(2, 0, 1)[None].double()
        out = torch.nn.functional.interpolate(image, (ho, wo), mode="bilinear", align_corners=False)[0].permute(1, 2, 0)
        values = " ".join(f"{v:.6f}" for v in out.reshape(-1).tolist())
        lines.append(f"{h}\t{w}\t{ho}\t{wo}\t{values}\n")
    write("tensorflow.tsv", "".join(lines).encode())


def main():
    for name in os.listdir(HERE):
        if name != "make.py":
            os.remove(os.path.join(HERE, name))
    jpegs()
    pngs()
    webps()
    bmps()
    pnms()
    write("expected.tsv", "".join(f"{name}\t{expected[name]}\n" for name in sorted(expected)).encode())
    resize_cases()
    preprocess_cases()
    tensorflow_cases()


main()

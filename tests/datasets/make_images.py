#!/usr/bin/env python3
"""make_images.py: writes images/, the pictures that image_pixels_test.cc reads.

Each NAME.jpg or NAME.png lies beside NAME.rgb.png, the pixels that Pillow gives for it: turned upright by
ImageOps.exif_transpose, then convert("RGB"). Pillow cannot write some of the files (YCCK, Adam7, 16 bits of several
kinds), so they are put together here, and it only reads them. Needs Pillow 11 or later and NumPy.
"""
import io
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

OUT = pathlib.Path(__file__).parent / "images"
W, H = 21, 13


def smooth():
    """No two sides, corners or halves alike, and smooth, so that two decoders of JPEG agree within a few steps."""
    y, x = np.mgrid[0:H, 0:W].astype(float)
    return np.stack([30 + 9 * x, 40 + 14 * y, 200 - 5 * x - 6 * y], axis=2).clip(0, 255).astype(np.uint8)


def segments(jpeg):
    """[(marker, bytes with the marker)]; the last holds the scan and all that follows."""
    at, found = 2, []
    while True:
        marker = jpeg[at + 1]
        if marker == 0xDA:
            return found + [(marker, jpeg[at:])]
        end = at + 2 + struct.unpack(">H", jpeg[at + 2:at + 4])[0]
        found.append((marker, jpeg[at:end]))
        at = end


def joined(parts):
    return b"\xff\xd8" + b"".join(part for _, part in parts)


def segment(marker, payload):
    return marker, bytes([0xFF, marker]) + struct.pack(">H", 2 + len(payload)) + payload


def adobe(transform):
    return segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform))


JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")


def tiff(orientation, big=False, kind=3, count=1, extra=b""):
    e = ">" if big else "<"
    value = {1: "Bxxx", 3: "Hxx", 4: "I"}[kind]
    return ((b"MM\0*" if big else b"II*\0") + struct.pack(e + "IH", 8, 2) +
            struct.pack(e + "HHIHxx", 0x0100, 3, 1, 77) +
            struct.pack(e + "HHI" + value, 0x0112, kind, count, orientation) + struct.pack(e + "I", 0) + extra)


def exif(*args, **named):
    return segment(0xE1, b"Exif\0\0" + tiff(*args, **named))


def xmp(text):
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + text + b"</x:xmpmeta>")


def jpeg(image=None, **options):
    data = io.BytesIO()
    (image or Image.fromarray(smooth())).save(data, "JPEG", **{"quality": 97, "subsampling": 0, **options})
    return data.getvalue()


def with_segments(data, first, drop=()):
    return joined(list(first) + [s for s in segments(data) if s[0] not in drop])


def with_ids(data, ids):
    parts = []
    for marker, part in segments(data):
        part = bytearray(part)
        if marker in (0xC0, 0xC2):
            for i, c in enumerate(ids):
                part[10 + 3 * i] = c
        if marker == 0xDA:
            for i, c in enumerate(ids):
                part[5 + 2 * i] = c
        parts.append((marker, bytes(part)))
    return joined(parts)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def rows_of(samples, depth):
    """Filtered with each of the five filters in turn; samples: [h, w, channels]."""
    h, w, c = samples.shape
    if h == 0 or w == 0:
        return b""
    if depth == 16:
        packed = samples.astype(">u2").tobytes()
        rows = [packed[i * w * c * 2:(i + 1) * w * c * 2] for i in range(h)]
    else:
        bits = ((samples.reshape(h, w * c)[:, :, None] >> np.arange(depth - 1, -1, -1)) & 1).reshape(h, -1)
        rows = [r.tobytes() for r in np.packbits(bits.astype(np.uint8), axis=1)]
    step, before, out = max(1, c * depth // 8), bytes(len(rows[0])), b""
    for i, row in enumerate(rows):
        kind = i % 5
        line = bytearray()
        for k, value in enumerate(row):
            a = row[k - step] if k >= step else 0
            b = before[k]
            d = before[k - step] if k >= step else 0
            p = a + b - d
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - d), 2, d))[2]
            line.append((value - [0, a, b, (a + b) // 2, paeth][kind]) & 255)
        out += bytes([kind]) + bytes(line)
        before = row
    return out


def png(kind, depth, interlaced=False, before=(), after=(), samples=None):
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    if samples is None:
        samples = np.random.default_rng(7).integers(0, 1 << depth, (H, W, channels))
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    raw = b"".join(rows_of(samples[y::dy, x::dx], depth) for y, x, dy, dx in passes)
    packed = zlib.compress(raw, 9)
    half = len(packed) // 2
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, depth, kind, 0, 0, int(interlaced))) +
            b"".join(chunk(*c) for c in before) + chunk(b"IDAT", packed[:half]) + chunk(b"IDAT", packed[half:]) +
            b"".join(chunk(*c) for c in after) + chunk(b"IEND", b""))


def palette(entries):
    return b"PLTE", np.random.default_rng(3).integers(0, 256, 3 * entries, np.uint8).tobytes()


def animation(frame):
    control = struct.pack(">IIIIIHHBB", 0, W, H, 0, 0, 1, 10, 0, 0)
    return png(2, 8, before=[(b"acTL", struct.pack(">II", 2, 0)), (b"fcTL", control)],
               after=[(b"fcTL", struct.pack(">I", 1) + control[4:]), (b"fdAT", struct.pack(">I", 2) + frame)])


def files():
    plain = jpeg()
    for orientation in range(1, 9):
        yield f"orientation_{orientation}.jpg", with_segments(plain, [JFIF, exif(orientation, big=orientation % 2 == 0)],
                                                              drop=[0xE0])
    yield "orientation_0.jpg", with_segments(plain, [exif(0)])
    yield "orientation_9.jpg", with_segments(plain, [exif(9, big=True)])
    yield "orientation_long.jpg", with_segments(plain, [exif(6, kind=4, big=True)])
    yield "orientation_byte.jpg", with_segments(plain, [exif(5, kind=1, big=True)])
    yield "orientation_two_values.jpg", with_segments(plain, [exif(6, count=2)])
    yield "exif_cut_off.jpg", with_segments(plain, [segment(0xE1, b"Exif\0\0" + tiff(6)[:26])])
    yield "exif_far_directory.jpg", with_segments(plain, [segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff" + tiff(6))])
    yield "exif_behind_others.jpg", with_segments(plain, [xmp(b"nothing"), segment(0xFE, b"\xff\xe1 a comment"), exif(8)])
    yield "exif_before_xmp.jpg", with_segments(plain, [xmp(b'<a tiff:Orientation="3"/>'), exif(6)])
    yield "xmp_attribute.jpg", with_segments(plain, [xmp(b'<a tiff:Orientation="6"/>')])
    yield "xmp_element.jpg", with_segments(plain, [xmp(b"<tiff:Orientation>8</tiff:Orientation>")])
    yield "progressive.jpg", jpeg(progressive=True)
    yield "restart.jpg", jpeg(restart_marker_blocks=2)
    yield "halved_colours.jpg", jpeg(subsampling=2)
    yield "grey.jpg", jpeg(Image.fromarray(smooth()[:, :, 0]))
    cmyk = jpeg(Image.fromarray(np.dstack([smooth(), 90 + smooth()[:, :, 0] // 2]), "CMYK"))
    yield "cmyk_adobe.jpg", cmyk
    yield "cmyk_plain.jpg", with_segments(cmyk, [], drop=[0xEE])
    yield "cmyk_plain_turned.jpg", with_segments(cmyk, [exif(5)], drop=[0xEE])
    yield "ycck.jpg", with_segments(cmyk, [adobe(2)], drop=[0xEE])
    yield "cmyk_adobe_ycbcr.jpg", with_segments(cmyk, [adobe(1)], drop=[0xEE])
    rgb = with_segments(jpeg(keep_rgb=True), [], drop=[0xE0, 0xEE])
    yield "rgb_adobe.jpg", with_segments(rgb, [adobe(0)])
    yield "rgb_ids.jpg", rgb
    yield "rgb_ids_jfif.jpg", with_segments(rgb, [JFIF])
    yield "rgb_ids_adobe_ycbcr.jpg", with_segments(rgb, [adobe(1)])
    yield "rgb_adobe_plain_ids.jpg", with_ids(with_segments(rgb, [adobe(0)]), [1, 2, 3])
    yield "adobe_rgb_and_jfif.jpg", with_segments(plain, [JFIF, adobe(0)], drop=[0xE0])
    yield "adobe_ycbcr.jpg", with_segments(plain, [adobe(1)], drop=[0xE0])

    for depth in (1, 2, 4, 8, 16):
        yield f"grey{depth}.png", png(0, depth)
    for depth in (8, 16):
        yield f"rgb{depth}.png", png(2, depth)
        yield f"grey_alpha{depth}.png", png(4, depth)
        yield f"rgb_alpha{depth}.png", png(6, depth)
    for depth in (1, 2, 4, 8):
        yield f"palette{depth}.png", png(3, depth, before=[palette(1 << depth)])
    yield "grey2_interlaced.png", png(0, 2, True)
    yield "rgb8_interlaced.png", png(2, 8, True)
    yield "rgb_alpha16_interlaced.png", png(6, 16, True)
    yield "palette4_interlaced.png", png(3, 4, True, before=[palette(16)])
    yield "palette8_transparent.png", png(3, 8, before=[palette(256), (b"tRNS", bytes(range(0, 256, 2)))])
    yield "grey8_transparent.png", png(0, 8, before=[(b"tRNS", b"\0\7")])
    yield "grey16_transparent.png", png(0, 16, before=[(b"tRNS", b"\0\7")])
    yield "rgb8_transparent.png", png(2, 8, before=[(b"tRNS", b"\0\7\0\7\0\7")])
    yield "exif_orientation.png", png(2, 8, before=[(b"eXIf", tiff(6, big=True))])
    yield "exif_behind_pixels.png", png(2, 8, after=[(b"eXIf", tiff(7))])
    text = b"XML:com.adobe.xmp\0\0\0\0\0"
    yield "xmp_orientation.png", png(2, 8, before=[(b"iTXt", text + b'<a tiff:Orientation="8"/>')])
    yield "animation.png", animation(b"no pixels")


def main():
    OUT.mkdir(exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    for name, data in files():
        (OUT / name).write_bytes(data)
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        if image.mode.startswith("I"):  # 16 bits, which convert("RGB") would clip: the upper 8
            image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
        image.convert("RGB").save(OUT / (name.replace(".", "_") + ".rgb.png"), optimize=True)
    print(f"{len(list(OUT.iterdir()))} files, {sum(f.stat().st_size for f in OUT.iterdir())} bytes")


main()

"""make_images.py DIR: an image_folder of ten classes of 32x32 colour images that a network learns within seconds.

Each class has a colour, a direction and a width of its stripes; noise lies over all of it. Only Python's own library is needed.
"""

import math
import pathlib
import random
import struct
import sys
import zlib

SIDE, CLASSES, TRAIN, TEST = 32, 10, 24, 20


def png(rows):
    """rows: bytes of RGB pixels"""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", len(rows[0]) // 3, len(rows), 8, 2, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def image(kind, random_source):
    angle, width = math.pi * kind / CLASSES, 3 + kind % 4
    colour = [127 + 100 * math.cos(2 * math.pi * (kind / CLASSES + c / 3)) for c in range(3)]
    phase = random_source.uniform(0, 2 * math.pi)
    rows = []
    for y in range(SIDE):
        row = bytearray()
        for x in range(SIDE):
            stripe = 0.5 + 0.5 * math.sin((x * math.cos(angle) + y * math.sin(angle)) * 2 * math.pi / width + phase)
            row.extend(min(255, max(0, round(c * stripe + random_source.gauss(0, 40)))) for c in colour)
        rows.append(bytes(row))
    return png(rows)


def main():
    random_source = random.Random(1)
    for split, count in (("train", TRAIN), ("test", TEST)):
        for kind in range(CLASSES):
            folder = pathlib.Path(sys.argv[1]) / split / f"class{kind}"
            folder.mkdir(parents=True, exist_ok=True)
            for i in range(count):
                (folder / f"{i:03}.png").write_bytes(image(kind, random_source))


if __name__ == "__main__":
    main()

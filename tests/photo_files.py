"""Codes of pictures, and files that no library here writes: PNG chunks, a turned 16-bit TIFF."""

import numpy as np


def codes(picture: np.ndarray, top: int = 255) -> np.ndarray:
    return np.round(picture * top).astype(np.uint8 if top == 255 else np.uint16)


def with_exif_chunk(png: bytes, exif: bytes) -> bytes:
    return _with_chunk(png, b"eXIf", exif.removeprefix(b"Exif\0\0"))


def with_icc_chunk(png: bytes, profile: bytes) -> bytes:
    import zlib

    return _with_chunk(png, b"iCCP", b"p\0\0" + zlib.compress(profile))


def _with_chunk(png: bytes, name: bytes, data: bytes) -> bytes:
    import struct
    import zlib

    chunk = struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return png[:33] + chunk + png[33:]  # after the signature and IHDR


def tiff16(codes: np.ndarray, orientation: int) -> bytes:
    """A minimal little-endian TIFF with one uncompressed strip."""
    import struct

    height, width = codes.shape[:2]
    data = codes.astype("<u2").tobytes()
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, None), (259, 3, 1, 1), (262, 3, 1, 2)]
    entries += [
        (273, 4, 1, None),
        (274, 3, 1, orientation),
        (277, 3, 1, 3),
        (278, 4, 1, height),
        (279, 4, 1, len(data)),
    ]
    after = 8 + 2 + 12 * len(entries) + 4
    values = {258: after, 273: after + 6}
    table = b"".join(struct.pack("<HHII", t, k, n, values.get(t, v)) for t, k, n, v in entries)
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + table + struct.pack("<I", 0)
    return head + struct.pack("<3H", 16, 16, 16) + data

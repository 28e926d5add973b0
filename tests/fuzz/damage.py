"""Ways to damage a file, and the damaged file of a seed."""

from __future__ import annotations

import struct

import numpy as np

from fuzz.corpus import FILES, whole


def truncated(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data[: int(rng.integers(0, len(data)))]


def flipped(data: bytearray, rng: np.random.Generator) -> bytearray:
    for at in rng.integers(0, len(data), int(rng.integers(1, 65))):
        data[at] ^= 1 << int(rng.integers(8))
    return data


def edited_header(data: bytearray, rng: np.random.Generator) -> bytearray:
    for at in rng.integers(0, min(len(data), 400), int(rng.integers(1, 9))):
        data[at] = int(rng.integers(256))
    return data


def swapped(data: bytearray, rng: np.random.Generator) -> bytearray:
    size = int(rng.integers(1, max(2, len(data) // 4)))
    a, b = (int(v) for v in rng.integers(0, max(1, len(data) - size), 2))
    data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]
    return data


def emptied(data: bytearray, rng: np.random.Generator) -> bytearray:
    a = int(rng.integers(0, len(data)))
    b = min(len(data), a + int(rng.integers(1, 1 + len(data) // 3)))
    data[a:b] = bytes(b - a)
    return data


def inserted(data: bytearray, rng: np.random.Generator) -> bytearray:
    at = int(rng.integers(0, len(data)))
    data[at:at] = rng.bytes(int(rng.integers(1, 300)))
    return data


def bomb(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Numbers of the header made huge, in both byte orders."""
    for at in rng.integers(0, max(1, min(len(data), 300) - 4), int(rng.integers(1, 4))):
        value = int(rng.choice([0xFFFFFFFF, 0x7FFFFFFF, 0x0FFFFFFF, 65535, 30000, 0]))
        kind = str(rng.choice([">I", "<I", ">H", "<H"]))
        struct.pack_into(kind, data, int(at), value & (0xFFFFFFFF if kind[1] == "I" else 0xFFFF))
    return data


def absurd(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Digits in the text of a file become long, deep or no numbers."""
    places = [k for k, value in enumerate(data[:4000]) if 48 <= value <= 57]
    if not places:
        return flipped(data, rng)
    at = int(rng.choice(places))
    words = [b"9" * 5000, b"1e999", b"-1", b"NaN", b"[" * 3000, b'"', b"null", b"\xff\xfe", b"0", b"99999999"]
    data[at : at + 1] = words[int(rng.integers(len(words)))]
    return data


DAMAGES = (truncated, flipped, edited_header, swapped, emptied, inserted, bomb, absurd)


def case(seed: int) -> tuple[str, str, bytes]:
    """The file of a seed: its name, the damage, and its bytes."""
    rng = np.random.default_rng(seed)
    names = list(FILES)
    name, damage = names[seed % len(names)], DAMAGES[seed // len(names) % len(DAMAGES)]
    return name, damage.__name__, bytes(damage(bytearray(whole(name)), rng))

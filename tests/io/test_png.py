"""Our PNG writer, read by pillow, OpenCV and libpng's own checks (pillow verifies every checksum)."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from illures.io.png import png


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 5), (33, 40, 4), (900, 1201, 3), (3, 4000)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_code_comes_back(shape, dtype, rng):
    codes = rng.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
    data = png(codes, colour=True)
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if codes.ndim == 3:
        read = cv2.cvtColor(read, cv2.COLOR_BGR2RGB if shape[2] == 3 else cv2.COLOR_BGRA2RGBA)
    np.testing.assert_array_equal(read, codes)
    Image.open(io.BytesIO(data)).verify()
    if dtype is np.uint8:
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), codes)


def test_smooth_pictures_are_no_larger_than_opencvs():
    y, x = np.mgrid[:600, :800]
    codes = np.stack([x / 4, y / 3, (x + y) / 6], -1).astype(np.uint8)
    done, theirs = cv2.imencode(".png", codes)
    assert done and len(png(codes, colour=True)) < 1.2 * len(theirs)


def test_colour_says_srgb_and_data_says_nothing():
    codes = np.zeros((4, 4, 3), np.uint8)
    assert Image.open(io.BytesIO(png(codes, colour=True))).info["srgb"] == 0
    data = png(codes, colour=False)
    assert "srgb" not in Image.open(io.BytesIO(data)).info
    kinds, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kinds.append(data[at + 4 : at + 8])
        at += 12 + length
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]


def test_maps_say_which_they_are(tmp_path):
    from illures.io.formats import MAPS, Format

    for name in MAPS:
        shape = (4, 4) if name == "mask" else (4, 4, 3)
        format = Format("png")
        format.write(tmp_path, name, format.quantise(name, np.full(shape, 0.5, np.float32)))
        tagged = "srgb" in Image.open(tmp_path / f"{name}.png").info
        assert tagged == (name in ("albedo", "shading", "reconstruction")), name

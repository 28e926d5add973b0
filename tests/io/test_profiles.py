"""Colour profiles of photos; the witness is LittleCMS, by Pillow."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from illures.io import icc
from illures.io.photos import as_float, load_image, read_photo, save_image
from photo_files import codes, with_icc_chunk

# A wide-gamut RGB profile with gamma 2.2, built by hand, as Pillow can only make sRGB.


def _profile(gamma: float = 2.2) -> bytes:
    """A minimal matrix profile: Adobe RGB (1998) primaries (D50), one gamma."""
    import struct

    def fixed(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))

    text = b"wide"
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0" + b"\0" * 78 + b"\0" * 1,
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.60974, 0.31111, 0.01947),
        b"gXYZ": xyz(0.20528, 0.62567, 0.06087),
        b"bXYZ": xyz(0.14919, 0.06322, 0.74457),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
    }
    offset, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", offset + len(body), b"lcms", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28 + xyz(0.9642, 1, 0.8249)[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def test_profile_eight_bits(tmp_path, picture):
    soft = 0.25 + picture / 2
    Image.fromarray(codes(soft)).save(tmp_path / "a.png", icc_profile=_profile())
    source = ImageCms.ImageCmsProfile(io.BytesIO(_profile()))
    expected = ImageCms.profileToProfile(Image.fromarray(codes(soft)), source, ImageCms.createProfile("sRGB"))
    image = load_image(tmp_path / "a.png")
    np.testing.assert_array_equal(image, as_float(np.asarray(expected)))
    assert np.abs(image - soft).max() > 0.02  # the profile matters


@pytest.mark.parametrize("profile", ["wide", "srgb"])
def test_profile_sixteen_bits_agrees_with_littlecms(picture, profile):
    soft = 0.25 + picture / 2
    data = _profile() if profile == "wide" else ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = ImageCms.ImageCmsProfile(io.BytesIO(data))
    eight = codes(soft)
    expected = np.asarray(ImageCms.profileToProfile(Image.fromarray(eight), source, ImageCms.createProfile("sRGB")))
    deep = icc.to_srgb16(eight.astype(np.uint16) * 257, data)
    np.testing.assert_allclose(deep / 65535, expected / 255, rtol=0, atol=1.2 / 255)


def test_profile_in_a_sixteen_bit_file(tmp_path, picture):
    soft = 0.4 + picture / 5  # inside sRGB, where rounding is not enlarged
    Image.fromarray(codes(soft)).save(tmp_path / "8.png", icc_profile=_profile())
    save_image(tmp_path / "16.png", soft, bits=16)
    tagged = Image.open(tmp_path / "8.png")
    assert tagged.info["icc_profile"] == _profile()
    (tmp_path / "16.png").write_bytes(with_icc_chunk((tmp_path / "16.png").read_bytes(), _profile()))
    deep = read_photo(tmp_path / "16.png")
    assert deep.dtype == np.uint16
    np.testing.assert_allclose(as_float(deep), load_image(tmp_path / "8.png"), rtol=0, atol=2 / 255)


def test_broken_profile_is_ignored(tmp_path, picture):
    Image.fromarray(codes(picture)).save(tmp_path / "a.png", icc_profile=b"nonsense")
    np.testing.assert_allclose(load_image(tmp_path / "a.png"), picture, rtol=0, atol=1 / 255)

"""Reading and writing photos; the witness is the array that the file was made of, or LittleCMS."""

import io
import re
import struct
import warnings

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from illures.errors import InputError, InputWarning
from illures.io import icc
from illures.io.photos import as_float, as_linear, load_image, read_photo, save_image, to_photo
from illures.math.color import linear_to_srgb, srgb_to_linear


@pytest.fixture
def picture() -> np.ndarray:
    """40 x 60, smooth enough for lossy files, different at all four corners."""
    y, x = np.mgrid[:40, :60].astype(np.float32)
    return np.stack([x / 59, y / 39, (x + 2 * y) / 137], axis=-1)


def codes(picture: np.ndarray, top: int = 255) -> np.ndarray:
    return np.round(picture * top).astype(np.uint8 if top == 255 else np.uint16)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "webp", "jpg", "ppm"])
def test_reads_eight_bits(tmp_path, picture, suffix):
    path = tmp_path / f"a.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {"quality": 98, "subsampling": 0} if suffix == "jpg" else {}
    Image.fromarray(codes(picture)).save(path, **options)
    image = load_image(path)
    assert image.dtype == np.float32 and image.shape == (40, 60, 3)
    np.testing.assert_allclose(image, picture, rtol=0, atol=0.02 if suffix == "jpg" else 0.5 / 255 + 1e-6)


@pytest.mark.parametrize("name", ["a.heic", "renamed.jpg"])
def test_reads_heic(tmp_path, picture, name):
    import pillow_heif

    pillow_heif.from_pillow(Image.fromarray(codes(picture))).save(tmp_path / "a.heic", quality=-1)
    (tmp_path / "a.heic").rename(tmp_path / name)
    np.testing.assert_allclose(load_image(tmp_path / name), picture, rtol=0, atol=0.03)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("thumbnail", [False, True])
def test_a_jpeg_that_ends_too_early_is_said(tmp_path, rng, progressive, thumbnail):
    """A mark that it is whole after half its data: what is left is read, and its part is named."""
    path, rows = tmp_path / "cut.jpg", 64
    rough = rng.integers(0, 256, (rows, 96, 3), np.uint8)
    exif = _exif_with_thumbnail(Image.fromarray(rough[::4, ::4])) if thumbnail else b""
    Image.fromarray(rough).save(path, quality=90, progressive=progressive, exif=exif)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = read_photo(path)
    data = path.read_bytes()
    scan = data.rindex(b"\xff\xc2" if progressive else b"\xff\xc0")
    path.write_bytes(data[: scan + (len(data) - scan) // 2] + b"\xff\xd9")
    with pytest.warns(InputWarning, match=r"cut\.jpg: ends too early") as said:
        cut = read_photo(path)
    if progressive:
        assert "the last scans" in str(said[0].message)
        return
    told, of = (int(number) for number in re.findall(r"(\d+) of (\d+) rows", str(said[0].message))[0])
    assert of == rows and 8 <= told < rows - 8
    same = (cut == whole).all(axis=(1, 2))
    assert same[: told - 1].all() and not same[told + 8 :].any()


def _exif_with_thumbnail(small: Image.Image) -> bytes:
    """As cameras write it: an empty first directory, and a second one with a whole JPEG file (EXIF 2.3, 4.6.3)."""
    memory = io.BytesIO()
    small.save(memory, "JPEG")
    first = struct.pack("<HI", 0, 14)
    second = struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, 44, 0x0202, 4, 1, len(memory.getvalue()), 0)
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + first + second + memory.getvalue()


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", ["grey", "rgb", "rgba"])
def test_sixteen_bits_stay_sixteen(tmp_path, picture, suffix, channels):
    path, deep = tmp_path / f"a.{suffix}", codes(picture, 65535)
    bgr = deep[..., ::-1]
    opaque = np.full((40, 60, 1), 65535, np.uint16)
    cv2.imwrite(str(path), {"grey": deep[..., 0], "rgb": bgr, "rgba": np.concatenate([bgr, opaque], -1)}[channels])
    photo = read_photo(path)
    assert photo.dtype == np.uint16
    np.testing.assert_array_equal(photo, np.repeat(deep[..., :1], 3, -1) if channels == "grey" else deep)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpg", "png", "png16", "tif", "tif16"])
def test_exif_orientation(tmp_path, picture, orientation, kind):
    path = tmp_path / f"a.{kind[:3]}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(codes(picture))
    if kind == "png16":
        save_image(path, picture, bits=16)
        path.write_bytes(_with_exif_chunk(path.read_bytes(), exif.tobytes()))
    elif kind == "tif16":
        path.write_bytes(_tiff16(codes(picture, 65535), orientation))
    else:
        image.save(path, exif=exif, **({"quality": 98} if kind == "jpg" else {}))
    tagged = image.copy()
    tagged.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(tagged)) / 255
    photo = read_photo(path)
    assert photo.dtype == (np.uint16 if kind.endswith("16") else np.uint8)
    np.testing.assert_allclose(as_float(photo), expected, rtol=0, atol=0.03)


def test_transparent_pixels_show_mid_grey(tmp_path, picture):
    alpha = np.zeros((40, 60), np.uint8)
    alpha[:, 30:] = 255
    rgba = Image.fromarray(np.dstack([codes(picture), alpha]))
    rgba.save(tmp_path / "a.png")
    image = load_image(tmp_path / "a.png")
    np.testing.assert_allclose(image[:, :30], 0.5, rtol=0, atol=1 / 255)
    np.testing.assert_allclose(image[:, 30:], picture[:, 30:], rtol=0, atol=1 / 255)
    np.testing.assert_array_equal(as_float(to_photo(rgba)), image)


def test_palette_bilevel_grey_and_cmyk(tmp_path, picture):
    image = Image.fromarray(codes(picture))
    for mode, name in [("P", "p.png"), ("1", "b.png"), ("L", "l.jpg"), ("CMYK", "c.jpg"), ("LA", "la.png")]:
        converted = image.convert(mode)
        converted.save(tmp_path / name)
        expected = np.asarray(converted.convert("RGB")) / 255
        np.testing.assert_allclose(load_image(tmp_path / name), expected, rtol=0, atol=0.03)


def test_exr_is_linear(tmp_path, picture):
    save_image(tmp_path / "a.exr", picture)
    np.testing.assert_allclose(load_image(tmp_path / "a.exr"), picture, rtol=0, atol=1e-3)


@pytest.mark.parametrize("suffix, bits", [("png", 8), ("png", 16), ("tif", 16), ("webp", 8), ("jpg", 8), ("exr", 8)])
def test_save_and_load(tmp_path, picture, suffix, bits):
    save_image(tmp_path / f"a.{suffix}", picture, bits=bits)
    tolerance = {"jpg": 0.03, "webp": 0.03, "exr": 1e-3}.get(suffix, 0.5 / (2**bits - 1) + 1e-6)
    np.testing.assert_allclose(load_image(tmp_path / f"a.{suffix}"), picture, rtol=0, atol=tolerance)
    assert [p.name for p in tmp_path.iterdir()] == [f"a.{suffix}"]


def test_linear_table_is_the_curve(picture):
    for top in (255, 65535):
        deep = codes(picture, top)
        np.testing.assert_allclose(as_linear(deep), srgb_to_linear(deep / top), rtol=1e-6, atol=1e-9)


# Profiles: a wide-gamut RGB profile with gamma 2.2, built by hand (pillow can only make sRGB).


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
    (tmp_path / "16.png").write_bytes(_with_icc_chunk((tmp_path / "16.png").read_bytes(), _profile()))
    deep = read_photo(tmp_path / "16.png")
    assert deep.dtype == np.uint16
    np.testing.assert_allclose(as_float(deep), load_image(tmp_path / "8.png"), rtol=0, atol=2 / 255)


def test_broken_profile_is_ignored(tmp_path, picture):
    Image.fromarray(codes(picture)).save(tmp_path / "a.png", icc_profile=b"nonsense")
    np.testing.assert_allclose(load_image(tmp_path / "a.png"), picture, rtol=0, atol=1 / 255)


# Bad input


@pytest.mark.parametrize("name", ["text.jpg", "empty.jpg", "cut.jpg", "cut16.png", "missing.png", "folder", "cut.exr"])
def test_unreadable(tmp_path, picture, name):
    path = tmp_path / name
    if name == "text.jpg":
        path.write_text("this is no picture")
    elif name == "empty.jpg":
        path.write_bytes(b"")
    elif name == "folder":
        path.mkdir()
    elif name.startswith("cut"):
        rng = np.random.default_rng(0)
        save_image(path, rng.random((64, 64, 3), np.float32), bits=16 if "16" in name else 8)
        path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError, match=name) as caught:
        load_image(path)
    assert "\n" not in str(caught.value)


def test_too_wide(tmp_path):
    Image.new("L", (30_000, 8)).save(tmp_path / "wide.png")
    with pytest.raises(InputError, match=r"wide\.png: 30000 x 8 pixels; at most 20000"):
        load_image(tmp_path / "wide.png")


def test_too_many_pixels_are_not_decoded(tmp_path):
    Image.new("1", (19_000, 19_000)).save(tmp_path / "bomb.png")
    with pytest.raises(InputError, match=r"bomb\.png: .*pixels"):
        load_image(tmp_path / "bomb.png")


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4, 5)), np.zeros(4), np.full((4, 4, 3), 2.0), np.full((4, 4, 3), np.nan), np.zeros((4, 4), np.int64)],
)
def test_bad_arrays(array):
    with pytest.raises(InputError):
        to_photo(array)


def test_bad_saves(tmp_path, picture):
    for name, bits in [("a.xyz", 8), ("a", 8), ("a.jpg", 16), ("a.png", 12), ("no/such/folder/a.png", 8)]:
        with pytest.raises(InputError):
            save_image(tmp_path / name, picture, bits=bits)
    assert not list(tmp_path.iterdir())


def _with_exif_chunk(png: bytes, exif: bytes) -> bytes:
    return _with_chunk(png, b"eXIf", exif.removeprefix(b"Exif\0\0"))


def _with_icc_chunk(png: bytes, profile: bytes) -> bytes:
    import zlib

    return _with_chunk(png, b"iCCP", b"p\0\0" + zlib.compress(profile))


def _with_chunk(png: bytes, name: bytes, data: bytes) -> bytes:
    import struct
    import zlib

    chunk = struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return png[:33] + chunk + png[33:]  # after the signature and IHDR


def _tiff16(codes: np.ndarray, orientation: int) -> bytes:
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


def test_exr_of_other_layouts(tmp_path):
    import OpenEXR

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    half = np.full((8, 9), 0.5, np.float32)
    for name, channels in {
        "grey": {"Y": half},
        "separate": {"R": half, "G": half, "B": half},
        "alpha": {"RGBA": np.dstack([half, half, half, np.ones_like(half)])},
        "hdr": {"RGB": np.dstack([half * 9, half, half])},
    }.items():
        with OpenEXR.File(header, channels) as file:
            file.write(str(tmp_path / f"{name}.exr"))
        image = load_image(tmp_path / f"{name}.exr")
        assert image.shape == (8, 9, 3) and image.max() <= 1
        np.testing.assert_allclose(image[..., 1:], linear_to_srgb(np.float32(0.5)), rtol=0, atol=1e-5)

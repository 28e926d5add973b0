"""Reading and writing photos; the witness is the array that the file was made of."""

import io
import re
import struct
import warnings

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from illures.errors import InputError, InputWarning
from illures.io.photos import as_float, as_linear, load_image, read_photo, save_image, to_photo
from illures.math.color import linear_to_srgb, srgb_to_linear
from photo_files import codes, tiff16, with_exif_chunk


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
        path.write_bytes(with_exif_chunk(path.read_bytes(), exif.tobytes()))
    elif kind == "tif16":
        path.write_bytes(tiff16(codes(picture, 65535), orientation))
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

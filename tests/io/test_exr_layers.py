"""One EXR of layers, read by OpenEXR and OpenImageIO, not by our reader alone; primaries by colour-science and OCIO."""

from pathlib import Path

import numpy as np
import pytest

from face_scene import scene
from illures.decompose.map_files import write_maps
from illures.errors import InputError
from illures.faces import upright
from illures.io.exr_layers import read_layers
from illures.io.formats import Format
from illures.io.photos import as_linear
from illures.math.colorspace import CHROMATICITIES, from_linear_srgb
from illures.math.normals import normalize


def write(folder: Path, **options):
    s = scene(roll_deg=20)
    write_maps(folder, s.photo, [s.face], Format(**{"name": "exr", **options}), name="x.exr")
    return s, folder / "x.exr"


@pytest.mark.parametrize("name", ["exr", "exr32"])
def test_openexr_finds_the_layers_and_their_sum_is_the_photo(tmp_path, name):
    import OpenEXR

    s, path = write(tmp_path, name=name)
    with OpenEXR.File(str(path), separate_channels=True) as file:
        found = {n: np.asarray(c.pixels) for n, c in file.channels().items()}
        header = dict(file.header())
    layers = {"albedo": "RGB", "normal": "XYZ", "shading": "RGB", "residual": "RGB", "mask": "A", "matte": "A"}
    assert set(found) == {*"RGBA", *(f"{layer}.{c}" for layer, axes in layers.items() for c in axes)}
    assert {v.dtype for v in found.values()} == {np.dtype(np.float16 if name == "exr" else np.float32)}
    total = [found[f"albedo.{c}"].astype(float) * found[f"shading.{c}"] + found[f"residual.{c}"] for c in "RGB"]
    photo = as_linear(s.photo)
    np.testing.assert_allclose(np.stack(total, -1), photo, rtol=0, atol=1e-3 if name == "exr" else 1e-6)
    np.testing.assert_allclose(np.stack([found[c] for c in "RGB"], -1), photo, rtol=0, atol=5e-4)
    assert (found["A"] == 1).all() and 0.05 < (found["mask.A"] > 0.5).mean() < 0.9
    np.testing.assert_allclose(header["chromaticities"], CHROMATICITIES["srgb-linear"], rtol=0, atol=1e-6)
    assert "y up" in header["illures:frame"] and header["illures:normals"] == "opengl"


def test_openimageio_reads_the_same(tmp_path):
    oiio = pytest.importorskip("OpenImageIO")
    s, path = write(tmp_path)
    buffer = oiio.ImageBuf(str(path))
    names, ours = buffer.spec().channelnames, read_layers(path)
    pixels = buffer.get_pixels(oiio.FLOAT)
    for layer, axes in {"albedo": "RGB", "normal": "XYZ", "residual": "RGB"}.items():
        theirs = np.stack([pixels[..., names.index(f"{layer}.{c}")] for c in axes], axis=-1)
        np.testing.assert_array_equal(theirs, ours[layer])
    light = np.reshape(buffer.spec().getattribute("illures:light"), (9, 3))
    from illures.math import sh

    np.testing.assert_allclose(light, sh.rotate(s.face.light, upright(s.face.crop)), rtol=0, atol=1e-6)


def test_normals_of_directx_have_y_down(tmp_path):
    s, path = write(tmp_path)
    up = read_layers(path)["normal"]
    _, path = write(tmp_path, normals="directx")
    np.testing.assert_array_equal(read_layers(path)["normal"], up * [1, -1, 1])
    for name in ("png", "png16", "exr"):
        gl, dx = Format(name), Format(name, normals="directx")
        values = normalize(np.random.default_rng(0).normal(size=(5, 4, 3))).astype(np.float32)
        codes = dx.quantise("normal", values)
        np.testing.assert_allclose(dx.decode("normal", codes), values, rtol=0, atol=0.005)
        np.testing.assert_allclose(gl.decode("normal", codes), values * [1, -1, 1], rtol=0, atol=0.005)
        assert dx.describe()["normals"] == "directx" and "y down" in dx.describe()["normal"]


def test_primaries_are_those_of_colour_science():
    colour = pytest.importorskip("colour")
    spaces = colour.RGB_COLOURSPACES
    theirs = colour.matrix_RGB_to_RGB(spaces["sRGB"], spaces["ACEScg"], "Bradford")
    np.testing.assert_allclose(from_linear_srgb("acescg"), theirs, rtol=0, atol=2e-4)
    np.testing.assert_allclose(from_linear_srgb("acescg").sum(axis=1), 1, rtol=0, atol=1e-12)


def test_primaries_are_those_of_opencolorio():
    ocio = pytest.importorskip("PyOpenColorIO")
    config = ocio.Config.CreateFromBuiltinConfig("cg-config-v1.0.0_aces-v1.3_ocio-v2.1")
    processor = config.getProcessor("Linear Rec.709 (sRGB)", "ACEScg").getDefaultCPUProcessor()
    rgb = np.random.default_rng(0).random((20, 3)).astype(np.float32)
    theirs = np.array([processor.applyRGB(list(map(float, v))) for v in rgb])
    np.testing.assert_allclose(rgb @ from_linear_srgb("acescg").T, theirs, rtol=0, atol=2e-4)


def test_acescg_layers_sum_to_the_converted_photo(tmp_path):
    s, path = write(tmp_path, name="exr32", colorspace="acescg")
    found = read_layers(path)
    expected = as_linear(s.photo) @ from_linear_srgb("acescg").T
    total = found["albedo"] * found["shading"] + found["residual"]
    np.testing.assert_allclose(total, expected, rtol=0, atol=2e-6)
    np.testing.assert_allclose(found["photo"], expected, rtol=0, atol=2e-6)
    plain = read_layers(write(tmp_path, name="exr32")[1])
    np.testing.assert_allclose(found["albedo"], plain["albedo"] @ from_linear_srgb("acescg").T, rtol=0, atol=2e-6)


def test_split_files_carry_the_attributes_too(tmp_path):
    import OpenEXR

    write(tmp_path, split=True, colorspace="acescg")
    with OpenEXR.File(str(tmp_path / "albedo.exr")) as file:
        np.testing.assert_allclose(file.header()["chromaticities"], CHROMATICITIES["acescg"], rtol=0, atol=1e-6)
    assert not (tmp_path / "x.exr").exists()


def test_some_layers_alone_are_read_back(tmp_path):
    s = scene()
    write_maps(tmp_path, s.photo, [s.face], Format("exr"), ("albedo", "normal"))
    assert set(read_layers(tmp_path / "maps.exr")) == {"photo", "albedo", "normal"}
    assert Format("exr").read(tmp_path, "albedo").shape == s.photo.shape
    for name in ("residual", "reconstruction", "mask"):
        with pytest.raises(InputError, match="maps.exr: has no layer"):
            Format("exr").read(tmp_path, name)


@pytest.mark.parametrize("name", ["exr", "exr32"])
def test_regions_are_a_layer_of_whole_numbers_with_a_legend(tmp_path, name):
    from dataclasses import replace

    import OpenEXR
    from PIL import Image

    from illures.types import Region

    s = scene(roll_deg=0)
    size = s.face.crop.size
    regions = np.zeros((size, size, len(Region)), np.float32)
    regions[: size // 2, :, Region.HAIR] = regions[size // 2 :, :, Region.CLOTHES] = 1
    face = replace(s.face, regions=regions)
    write_maps(tmp_path, s.photo, [face], Format(name), name="x.exr")
    write_maps(tmp_path, s.photo, [face], Format("png"))
    labels = np.asarray(Image.open(tmp_path / "regions.png"))
    with OpenEXR.File(str(tmp_path / "x.exr"), separate_channels=True) as file:
        found = np.asarray(file.channels()["regions.ID"].pixels)
        legend = file.header()["illures:regions"]
    assert found.dtype == (np.float16 if name == "exr" else np.float32)
    np.testing.assert_array_equal(found, labels)
    assert set(np.unique(found)) == {Region.BACKGROUND, Region.HAIR, Region.CLOTHES}
    told = {int(number): word for number, word in (each.split() for each in legend.split(", "))}
    assert told == {int(region): region.name.lower() for region in Region}
    np.testing.assert_array_equal(read_layers(tmp_path / "x.exr")["regions"], labels)
    write_maps(tmp_path, s.photo, [face], Format(name), ["albedo"], name="y.exr")
    assert "regions" not in read_layers(tmp_path / "y.exr")

"""The weights that ship, on a real photo, as a user runs them."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from illures import Decomposer, save_image
from illures.io.formats import CROP_MAPS, MAPS, Format
from illures.io.photos import as_linear, read_photo
from illures.math.color import linear_to_srgb
from illures.model.weights import FAST, FINE, packaged, read_weights
from illures.types import Region


@pytest.fixture(scope="module")
def decomposer() -> Decomposer:
    return Decomposer.from_pretrained()


@pytest.fixture(scope="module")
def face(decomposer):
    (found,) = decomposer(astronaut())
    return found


def test_the_command_on_a_real_photo(tmp_path):
    photo = tmp_path / "astronaut.png"
    save_image(photo, astronaut() / np.float32(255))
    command = [sys.executable, "-m", "illures", "decompose", str(photo), "-o", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, "--format", "png16", "--maps", "all", "--json"], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["faces"] == 1 and done.stderr == ""
    maps = {
        name: Format("png16").read(tmp_path / "out" / "astronaut", name)
        for name in ("albedo", "shading", "residual", "mask")
    }
    total = linear_to_srgb(maps["albedo"] * maps["shading"] + maps["residual"])
    encoded = linear_to_srgb(as_linear(read_photo(photo)))
    assert np.abs(total - encoded)[maps["mask"] > 0].max() < 0.5 / 255 + 1e-4
    folder = tmp_path / "out" / "astronaut"
    assert (folder / "sheet.png").stat().st_size > 10_000
    written = {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.*")}
    crop = {f"face-1/{name}" for name in (*CROP_MAPS, "regions", "probe", "light", "face")}
    assert written == {*MAPS, "regions", "sheet", "photo", *crop}
    labels = np.asarray(Image.open(folder / "regions.png"))
    assert (labels[maps["mask"] > 0.9] != Region.BACKGROUND).mean() > 0.99


def test_maps_are_those_of_a_face(face):
    mask = face.mask > 0.5
    assert 0.2 < mask.mean() < 0.6
    for name in ("albedo", "normal", "light", "residual"):
        assert np.isfinite(getattr(face, name)).all()
    np.testing.assert_allclose(np.linalg.norm(face.normal, axis=-1), 1, rtol=0, atol=1e-4)
    rows, columns, along = *np.nonzero(mask), np.arange(len(mask))
    middle, reach = columns.mean(), np.ptp(columns)
    left, right = (mask & (sign * (along - middle) > 0.25 * reach) for sign in (-1, 1))
    assert face.normal[left][:, 0].mean() < -0.2 and face.normal[right][:, 0].mean() > 0.2
    top = mask & (along[:, None] < rows.min() + 0.12 * np.ptp(rows))
    bottom = mask & (along[:, None] > rows.max() - 0.12 * np.ptp(rows))
    assert face.normal[top][:, 1].mean() > face.normal[bottom][:, 1].mean() + 0.2
    assert face.normal[mask][:, 2].mean() > 0.6


def test_the_sum_is_near_the_photo_and_skin_is_skin(face):
    mask = face.mask > 0.5
    error = np.abs(face.reconstruct() - face.image)[mask].mean()
    assert error < 0.5 * np.abs(face.image[mask] - face.image[mask].mean(axis=0)).mean()
    red, green, blue = np.median(face.albedo[mask], axis=0)
    assert 0.08 < green < 0.6 and red > green > blue


def test_a_mirrored_photo_gives_mirrored_maps(decomposer, face):
    """Not exactly, as landmarks and network are not symmetric, but the frame of the normals must turn with it."""
    (mirrored,) = decomposer(np.ascontiguousarray(astronaut()[:, ::-1]))
    both = (face.mask > 0.5) & (mirrored.mask[:, ::-1] > 0.5)
    back = mirrored.normal[:, ::-1] * [-1, 1, 1]
    cosine = np.clip((back * face.normal).sum(-1)[both], -1, 1)
    assert np.rad2deg(np.arccos(cosine)).mean() < 8


@pytest.mark.parametrize("name", [FAST, FINE])
def test_weights_files_are_small_and_describe_themselves(name):
    info = read_weights(name).info
    assert info.data and info.recipe["stages"] and info.metrics["yaleb_natural_normal_deg"] < 15.2
    assert packaged(name).stat().st_size < 16 * 2**20

"""What Python programs hand in and get: batches, pillow images, tensors, and pictures for notebooks."""

import io
from importlib.resources import as_file, files

import numpy as np
import pytest
import torch
from PIL import Image

import illures
from illures.errors import InputError


@pytest.fixture(scope="module")
def decomposer():
    return illures.Decomposer.from_pretrained("illures-128")


@pytest.fixture(scope="module")
def astronaut():
    with as_file(files("illures") / "assets" / "astronaut.jpg") as path:
        return np.array(Image.open(path))


def _same(one, other, atol=1e-5):
    np.testing.assert_allclose(one.albedo, other.albedo, rtol=0, atol=atol)
    np.testing.assert_allclose(one.crop.matrix, other.crop.matrix, rtol=0, atol=1e-4)


def test_a_photo_is_the_same_in_whatever_it_comes(decomposer, astronaut):
    (wanted,) = decomposer(astronaut)
    codes = torch.from_numpy(np.ascontiguousarray(astronaut))
    for other in (Image.fromarray(astronaut), codes, codes.permute(2, 0, 1)):
        (found,) = decomposer(other)
        _same(found, wanted)
    (found,) = decomposer(codes.float().requires_grad_() / 255)
    _same(found, wanted, atol=0.02)  # crops of 8-bit photos are rounded to codes


def test_a_batch_gives_what_its_images_give(decomposer, astronaut):
    blank = np.full_like(astronaut, 127)
    mirrored = np.ascontiguousarray(astronaut[:, ::-1])
    single = [decomposer(image) for image in (astronaut, blank, mirrored)]
    images = [astronaut, blank, mirrored]
    for batch in (images, tuple(images), np.stack(images), torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)):
        found = decomposer(batch)
        assert [len(faces) for faces in found] == [1, 0, 1]
        for one, other in zip(found, single, strict=True):
            for face, wanted in zip(one, other, strict=True):
                _same(face, wanted)
    with pytest.raises(InputError, match="image 2"):
        decomposer([astronaut, astronaut[:8, :8]])


def test_tensors_hold_the_equation(decomposer, astronaut):
    (face,) = decomposer(astronaut)
    maps = face.to_torch()
    assert maps.albedo.shape == (3, len(face.image), len(face.image)) and maps.mask.shape[0] == 1
    torch.testing.assert_close(maps.albedo * maps.shading + maps.residual, maps.image, rtol=0, atol=1e-5)
    torch.testing.assert_close(maps.normal.square().sum(dim=0), torch.ones(maps.mask.shape[1:]), rtol=0, atol=1e-4)
    assert maps.regions is not None and maps.regions.shape[0] == face.regions.shape[-1]


def test_a_photo_is_relit_in_one_call_and_notebooks_show_pictures(decomposer, astronaut):
    (face,) = decomposer(astronaut)
    light = illures.Light.from_direction(-60, 20)
    lit = illures.relight_photo(astronaut, [face], light)
    assert lit.shape == astronaut.shape and lit.dtype == astronaut.dtype
    assert np.abs(lit.astype(int) - astronaut).max() > 20
    for shown in (face, light):
        picture = Image.open(io.BytesIO(shown._repr_png_()))
        assert picture.format == "PNG" and min(picture.size) > 100
        assert np.asarray(picture.convert("L")).std() > 10

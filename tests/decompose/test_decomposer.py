"""From a photo to decompositions with a stand-in network, and the file that a decomposition is kept in."""

import numpy as np
import pytest
from PIL import Image

from face_scene import scene
from fake_network import FakePredictor, find_middle, middle_face
from illures import Decomposer, Decomposition, save_image
from illures.errors import InputError
from illures.math.color import srgb_to_linear
from illures.render import render, shade


@pytest.fixture
def decomposer() -> Decomposer:
    return Decomposer(FakePredictor(), find_faces=find_middle)


@pytest.fixture
def photo(rng) -> np.ndarray:
    return rng.random((150, 200, 3), np.float32)


def test_a_photo(decomposer, photo):
    (face,) = decomposer(photo)
    assert face.image.shape == face.albedo.shape == face.normal.shape == face.residual.shape == (128, 128, 3)
    assert face.mask.shape == (128, 128) and 0.05 < face.mask.mean() < 0.95
    assert face.light.shape == (9, 3)
    for name in ("image", "albedo", "normal", "light", "residual", "mask"):
        assert getattr(face, name).dtype == np.float32
    np.testing.assert_array_equal(face.shading, shade(face.normal, face.light))
    np.testing.assert_array_equal(face.reconstruct(), render(face.albedo, face.normal, face.light, face.residual))
    assert face.crop.photo_size == (150, 200)


def test_image_is_linear(decomposer):
    (face,) = decomposer(np.full((150, 200, 3), 0.5, np.float32))
    np.testing.assert_allclose(face.image, srgb_to_linear(np.float32(0.5)), rtol=0, atol=1e-6)


def test_a_grey_photo_has_no_colour_in_any_map(photo):
    grey = np.repeat(photo[..., :1], 3, axis=-1)
    for codes in (grey, (grey + 1 / 255).clip(0, 1)):
        (face,) = Decomposer(FakePredictor(), find_faces=find_middle)(codes)
        for name in ("albedo", "light", "residual", "shading"):
            np.testing.assert_allclose(np.ptp(getattr(face, name), axis=-1), 0, rtol=0, atol=1e-5)


def test_path_array_and_pillow_agree(tmp_path, decomposer, photo):
    save_image(tmp_path / "a.png", photo)
    from_path = decomposer(tmp_path / "a.png")
    codes = np.round(photo * 255).astype(np.uint8)
    for other in (str(tmp_path / "a.png"), codes, Image.fromarray(codes), codes.astype(np.float32) / 255):
        (face,) = decomposer(other)
        np.testing.assert_allclose(face.image, from_path[0].image, rtol=0, atol=0.01)


def test_no_face(decomposer):
    assert decomposer(np.zeros((64, 64, 3), np.uint8)) == []


def test_more_faces_than_a_batch(photo):
    faces = [middle_face(150, 200)] * 11
    found = Decomposer(FakePredictor(), find_faces=lambda _: faces)(photo)
    assert len(found) == 11
    np.testing.assert_array_equal(found[0].image, found[10].image)


def test_other_crop_size(photo):
    (face,) = Decomposer(FakePredictor(), size=256, find_faces=find_middle)(photo)
    assert face.albedo.shape == (256, 256, 3) and face.crop.size == 256


@pytest.mark.parametrize("size", [0, -128, 100, 4096])
def test_bad_size(size):
    with pytest.raises(InputError, match=f"size {size}"):
        Decomposer(FakePredictor(), size=size)


@pytest.mark.parametrize("shape", [(1, 1, 3), (8, 300, 3)])
def test_too_small(decomposer, shape):
    with pytest.raises(InputError, match=f"image: {shape[1]} x {shape[0]} pixels; must be at least"):
        decomposer(np.zeros(shape, np.uint8))


def test_small_file_is_named(tmp_path, decomposer):
    save_image(tmp_path / "dot.png", np.zeros((1, 1, 3), np.float32))
    with pytest.raises(InputError, match=r"dot\.png: 1 x 1 pixels"):
        decomposer(tmp_path / "dot.png")


def test_save_and_load_is_exact(tmp_path):
    face = scene().face
    face.save(tmp_path / "face.npz")
    again = Decomposition.load(tmp_path / "face.npz")
    for name in ("image", "albedo", "normal", "light", "residual", "mask"):
        np.testing.assert_array_equal(getattr(again, name), getattr(face, name))
        assert getattr(again, name).dtype == getattr(face, name).dtype
    np.testing.assert_array_equal(again.crop.matrix, face.crop.matrix)
    np.testing.assert_array_equal(again.crop.face.landmarks, face.crop.face.landmarks)
    assert (again.crop.size, again.crop.photo_size) == (face.crop.size, face.crop.photo_size)
    assert again.crop.face.score == face.crop.face.score
    assert [p.name for p in tmp_path.iterdir()] == ["face.npz"]


def test_save_keeps_the_name_that_was_asked_for(tmp_path):
    scene().face.save(tmp_path / "face")
    assert Decomposition.load(tmp_path / "face").crop.size == 128


@pytest.mark.parametrize("kind", ["missing", "text", "cut", "array", "other", "shape", "version", "folder"])
def test_bad_files(tmp_path, kind):
    path = tmp_path / "face.npz"
    face = scene().face
    if kind == "text":
        path.write_text("nothing of the kind")
    elif kind == "cut":
        face.save(path)
        path.write_bytes(path.read_bytes()[:5000])
    elif kind == "array":
        np.save(path.open("wb"), np.zeros(3))
    elif kind == "other":
        np.savez(path, albedo=np.zeros(3))
    elif kind in ("shape", "version"):
        face.save(path)
        wrong = {"albedo": face.albedo[:5]} if kind == "shape" else {"version": np.int64(99)}
        np.savez(path, **{**dict(np.load(path)), **wrong})
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(InputError, match=r"face\.npz: ") as caught:
        Decomposition.load(path)
    assert "\n" not in str(caught.value)


def test_importing_illures_is_light():
    import subprocess
    import sys

    code = "import sys, illures, illures.cli; print([m for m in ('torch', 'cv2', 'numpy', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600)
    assert done.stdout.strip() == "[]"

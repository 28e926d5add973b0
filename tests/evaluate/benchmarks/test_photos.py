"""Reconstruction of photos without truth, on a public one."""

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from illures.errors import InputError
from illures.evaluate.benchmark import Estimate, Failure
from illures.evaluate.benchmarks.photos import load
from illures.evaluate.face_crop import cut_face_crop, window_around
from illures.faces import find_faces
from illures.math.color import linear_to_srgb, srgb_to_linear


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    Image.fromarray(astronaut()).save(root / "a.png")
    Image.fromarray(np.full((200, 200, 3), 90, np.uint8)).save(root / "b.png")
    (root / "c.jpg").write_bytes(b"no photo")
    return root


def items(folder):
    benchmark = load(folder)
    return benchmark, [item for group in benchmark.groups for item in benchmark.items(group)]


def flat_light():
    """Shading 1 everywhere."""
    light = np.zeros((9, 3), np.float32)
    light[0] = np.sqrt(4 * np.pi)
    return light


def test_photos_that_show_no_face_or_cannot_be_read_are_failures_with_a_name(folder):
    benchmark, found = items(folder)
    assert benchmark.groups == ("a.png", "b.png", "c.jpg") and benchmark.size == 3
    assert [type(item) is Failure for item in found] == [False, True, True]
    assert "b.png: no face found" in found[1].message and "c.jpg" in found[2].message


def test_the_face_crop_is_upright_and_shows_the_face_where_it_says(folder):
    _, (item, *_) = items(folder)
    assert max(item.photo.shape) <= 320 and item.photo.dtype == np.float32
    assert 0.05 < item.truth.mask.mean() < 0.5
    eyes = item.face.landmarks[[33, 263]].mean(axis=0)
    rows, columns = np.nonzero(item.truth.mask)
    assert rows.min() < eyes[1] < rows.mean() and columns.min() < eyes[0] < columns.max()
    # Skin is redder than it is blue.
    red, _, blue = item.photo[item.truth.mask].mean(axis=0)
    assert red > blue + 0.1


@pytest.mark.parametrize("side", [400, 97])
def test_the_face_crop_is_cut_at_the_photos_edge_and_never_mirrored(side):
    """Each pixel of the face crop is the photo's own place, as the landmarks have it."""
    photo = astronaut()[60:220, 150:300]
    face = find_faces(photo)[0]
    shown, found = cut_face_crop(photo, face, window_around(face, photo.shape[:2], side))
    scale = np.ptp(found.landmarks[:, 0]) / np.ptp(face.landmarks[:, 0])
    shift = (found.landmarks - scale * face.landmarks)[:, :2].mean(axis=0)
    corners = (np.array([[0, 0], [shown.shape[1] - 1, shown.shape[0] - 1]]) - shift) / scale
    assert corners.min() > -1 and (corners[1] < [150, 160]).all()
    assert (corners[0] < 3).all() and (corners[1] > [146, 156]).all()
    x, y = (np.array([shown.shape[1] // 2, shown.shape[0] // 2]) - shift) / scale
    near = photo[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3].reshape(-1, 3) / 255
    middle = shown[shown.shape[0] // 2, shown.shape[1] // 2]
    assert (middle > near.min(0) - 0.02).all() and (middle < near.max(0) + 0.02).all()


def test_the_photo_as_albedo_under_even_light_is_reconstructed(folder):
    benchmark, (item, *_) = items(folder)
    linear = srgb_to_linear(item.photo)
    normal = np.broadcast_to(np.float32([0, 0, 1]), item.photo.shape)
    exact = Estimate(normal, 5 * linear, flat_light(), np.zeros_like(linear))
    figures = benchmark.score(item, exact).figures
    assert figures["recon_l1"] < 1e-5 and figures["residual_energy_pct"] == 0
    rest = Estimate(normal, 0.3 * linear, flat_light(), 0.4 * linear)
    figures = benchmark.score(item, rest).figures
    assert figures["recon_l1"] < 1e-5 and figures["residual_energy_pct"] == pytest.approx(16, abs=1e-3)
    assert "residual_energy_pct" not in benchmark.score(item, Estimate(normal, linear, flat_light())).figures
    assert benchmark.score(item, Estimate(normal)).figures == {"coverage_pct": 100.0}


def test_a_known_error_scores_itself(folder):
    """A grey albedo: what remains after the best scale, by hand."""
    benchmark, (item, *_) = items(folder)
    normal, grey = np.broadcast_to(np.float32([0, 0, 1]), item.photo.shape), np.full_like(item.photo, 0.5)
    seen = srgb_to_linear(item.photo)[item.truth.mask]
    expected = np.abs(linear_to_srgb(np.full_like(seen, seen.mean())) - item.photo[item.truth.mask]).mean()
    found = benchmark.score(item, Estimate(normal, grey, flat_light())).figures
    assert found["recon_l1"] == pytest.approx(expected, rel=1e-4)


def test_a_limit_takes_photos_evenly_and_an_empty_folder_is_refused(folder, tmp_path):
    assert load(folder, limit=2).groups == ("a.png", "c.jpg")
    with pytest.raises(InputError, match="limit 0"):
        load(folder, limit=0)
    with pytest.raises(InputError, match="no photos in this folder"):
        load(tmp_path)

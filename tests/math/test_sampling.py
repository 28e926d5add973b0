"""Sampling between pixels: exact with any OpenCV; SciPy is the witness."""

import cv2
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from illures.math import sampling
from illures.math.sampling import remap, warp_affine

MODES = {cv2.BORDER_CONSTANT: "grid-constant", cv2.BORDER_REPLICATE: "nearest", cv2.BORDER_REFLECT_101: "mirror"}
MATRIX = np.array([[0.41, 0.23, -17.3], [-0.23, 0.41, 11.9]])  # to places beyond every side of the picture
SIZE = (150, 190)


@pytest.fixture(params=["as installed", "without OpenCV"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without OpenCV":
        monkeypatch.setattr(sampling, "_OPENCV_IS_EXACT", False)


def places() -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(*(np.arange(n, dtype=np.float64) for n in SIZE))
    return tuple(row[0] * x + row[1] * y + row[2] for row in MATRIX)


def witness(picture: np.ndarray, border: int) -> np.ndarray:
    x, y = places()
    layers = np.atleast_3d(picture.astype(np.float64))
    found = [map_coordinates(layers[..., k], [y, x], order=1, mode=MODES[border]) for k in range(layers.shape[2])]
    return np.stack(found, -1)


@pytest.mark.parametrize("border", MODES)
@pytest.mark.parametrize("channels", [None, 1, 3, 4])
@pytest.mark.parametrize(("kind", "top"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)])
def test_it_is_bilinear(rng, either, border: int, channels: int | None, kind, top: int) -> None:
    noise = (rng.random((61, 47, *([channels] if channels else []))) * top).astype(kind)
    found = warp_affine(noise, MATRIX, SIZE, border)
    assert found.dtype == kind and found.shape == (*SIZE[::-1], *([channels] if channels and channels > 1 else []))
    error = np.abs(np.atleast_3d(found).astype(np.float64) - witness(noise, border)).max()
    assert error < (0.51 if kind == np.uint8 else 1.5 if kind == np.uint16 else 2e-5)  # OpenCV 4: 5 of 255
    forth = cv2.invertAffineTransform(MATRIX)
    turned = np.abs(warp_affine(noise, forth, SIZE, border, inverse=False).astype(np.float64) - found)
    assert turned.max() <= (1 if kind == np.uint8 else 2 if kind == np.uint16 else 2e-5)


@pytest.mark.parametrize("shape", [(61, 47), (61, 47, 3), (1, 47, 3)])
def test_places_of_ones_own(rng, either, shape: tuple[int, ...]) -> None:
    noise = rng.random(shape, dtype=np.float32)
    x, y = (axis.astype(np.float32) for axis in places())
    found = remap(noise, x, y, cv2.BORDER_REPLICATE)
    np.testing.assert_allclose(np.atleast_3d(found), witness(noise, cv2.BORDER_REPLICATE), rtol=0, atol=5e-5)

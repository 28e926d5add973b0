"""A photo's mirror image has the mirrored maps, and all framings come back to the same pixels."""

import numpy as np
import pytest

from illures import Decomposer
from illures.faces import crop_face, extract, find_faces, guide_normals, photo_context, thumbnail, to_crop
from illures.io.photos import as_float, read_photo
from illures.math import sh
from illures.math.color import srgb_to_linear
from illures.math.normals import mirror, normalize
from illures.math.quotient import albedo_of
from illures.model import Prediction, Predictor
from illures.model.averaged import Averaged
from illures.render import render
from stored_figures import PHOTO


@pytest.fixture(scope="module")
def inputs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Crop, guide and context of a photo, as batches of one."""
    photo = read_photo(PHOTO)
    crop = crop_face(find_faces(photo)[0], photo.shape[:2], 128)
    guide = guide_normals(to_crop(crop.face.landmarks, crop), 128)
    context = photo_context(as_float(thumbnail(photo)), photo.shape[:2], crop.matrix, 128)
    return as_float(extract(photo, crop))[None], guide[None], context[None]


def test_the_mirror_image_has_mirrored_maps(inputs):
    network = Predictor.from_pretrained("illures-128")
    image, guide, context = inputs
    turned = image[:, :, ::-1], mirror(guide), context[:, :, ::-1]
    off = {}
    for name, run in (("once", network), ("averaged", Averaged(network))):
        (one,), (other,) = run(*inputs), run(*turned)
        off[name] = [
            np.abs(one.albedo - other.albedo[:, ::-1]).max(),
            np.abs(one.normal - mirror(other.normal)).max(),
            np.abs(one.light - sh.mirror(other.light)).max(),
            np.abs(one.regions - other.regions[:, ::-1]).max(),
        ]
    assert min(off["once"]) > 1e-3  # the network alone tells left from right
    assert max(off["averaged"]) < 1e-4


def test_the_sum_is_the_photo(inputs):
    (found,) = Averaged(Predictor.from_pretrained("illures-128"))(*inputs)
    again = render(found.albedo, found.normal, found.light, found.residual)
    np.testing.assert_allclose(again, srgb_to_linear(inputs[0][0]), rtol=0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found.normal, axis=-1), 1, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.regions.sum(-1), 1, rtol=0, atol=1e-5)


def test_networks_for_photos_see_both():
    assert isinstance(Decomposer.from_pretrained().predictor, Averaged)
    assert isinstance(Decomposer.from_pretrained("illures-128").predictor, Predictor)
    assert isinstance(Decomposer.from_pretrained("illures-256", averaged=False).predictor, Predictor)
    assert isinstance(Decomposer.from_pretrained("illures-128", averaged=True).predictor, Averaged)


class Local(Predictor):
    """It knows no neighbours, so that no framing changes what it finds: the guide gives light and normal."""

    def __init__(self) -> None:
        self.size, self.info = 128, None

    def __call__(self, images: np.ndarray, guides: np.ndarray, contexts: np.ndarray) -> list[Prediction]:
        linear = srgb_to_linear(images)
        albedo = albedo_of(linear, 0.8 + 0.3 * guides**2)
        normal = normalize(guides + np.float32([0, 0.1, 0.1]))
        light = np.zeros((9, 3), np.float32)
        return [Prediction(a, n, light, np.zeros_like(a), i) for a, n, i in zip(albedo, normal, images, strict=True)]


def test_framings_come_back_to_the_same_pixels(rng):
    y, x = np.mgrid[:128, :128] / 127
    image = np.stack([0.5 + 0.3 * np.sin(7 * x + y), 0.5 + 0.3 * np.cos(6 * y), 0.4 + 0.4 * x * y], -1)
    grain = rng.uniform(0, 0.02, (128, 128, 1))  # finer than the light is
    guide = normalize(np.stack([np.sin(5 * x), np.cos(4 * y), np.ones_like(x)], -1))
    inputs = image[None].astype(np.float32), guide[None].astype(np.float32), np.zeros((1, 32, 32, 4), np.float32)
    (plain,), (found,) = Local()(*inputs), Averaged(Local())(*inputs)
    inner = slice(14, -14), slice(14, -14)  # beside it a framing sees what lies beyond the crop
    for name, most in (("albedo", 0.005), ("normal", 0.01), ("regions", 0.01)):
        np.testing.assert_allclose(getattr(found, name)[inner], getattr(plain, name)[inner], rtol=0, atol=most)
    grainy = (inputs[0] + grain).astype(np.float32)
    (rough,) = Averaged(Local())(grainy, *inputs[1:])
    (sharp,) = Local()(grainy, *inputs[1:])
    kept = [np.diff(one.albedo[inner], axis=1).std() for one in (rough, sharp)]
    assert kept[0] > 0.95 * kept[1]

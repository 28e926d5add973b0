"""A photo's mirror image has the mirrored maps."""

import numpy as np
import pytest

from illures import Decomposer
from illures.faces import crop_face, extract, find_faces, guide_normals, photo_context, thumbnail, to_crop
from illures.io.photos import as_float, read_photo
from illures.math import sh
from illures.math.color import srgb_to_linear
from illures.math.normals import mirror
from illures.model import Predictor
from illures.model.mirrored import Mirrored
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
    for name, run in (("once", network), ("mirrored", Mirrored(network))):
        (one,), (other,) = run(*inputs), run(*turned)
        off[name] = [
            np.abs(one.albedo - other.albedo[:, ::-1]).max(),
            np.abs(one.normal - mirror(other.normal)).max(),
            np.abs(one.light - sh.mirror(other.light)).max(),
            np.abs(one.regions - other.regions[:, ::-1]).max(),
        ]
    assert min(off["once"]) > 1e-3  # the network alone tells left from right
    assert max(off["mirrored"]) < 1e-4


def test_the_sum_is_the_photo(inputs):
    (found,) = Mirrored(Predictor.from_pretrained("illures-128"))(*inputs)
    again = render(found.albedo, found.normal, found.light, found.residual)
    np.testing.assert_allclose(again, srgb_to_linear(inputs[0][0]), rtol=0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found.normal, axis=-1), 1, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.regions.sum(-1), 1, rtol=0, atol=1e-5)


def test_networks_for_photos_see_both():
    assert isinstance(Decomposer.from_pretrained().predictor, Mirrored)
    assert isinstance(Decomposer.from_pretrained("illures-128").predictor, Predictor)
    assert isinstance(Decomposer.from_pretrained("illures-256", mirrored=False).predictor, Predictor)
    assert isinstance(Decomposer.from_pretrained("illures-128", mirrored=True).predictor, Mirrored)

"""Augmentation keeps the equation: whatever is done to a sample, image = albedo ∘ f(normal, light) + residual."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from illures.faces import mesh_normals
from illures.math.normals import mirror
from illures.render import render
from illures.train import augment


def residual_of(batch):
    return batch.image - render(batch.albedo, batch.normal, batch.light[:, None])


@pytest.fixture
def batch(cache):
    return cache.batch(range(16))


def test_relit_images_are_local_images(batch, rng):
    lit = augment.relight(batch, rng)
    unclipped = (lit.image > 0) & (lit.image < 1) & (batch.mask > 0)
    torch.testing.assert_close(residual_of(lit)[unclipped], torch.zeros(int(unclipped.sum())), rtol=0, atol=1e-5)
    assert (lit.image - batch.image).abs().mean() > 0.01


def test_images_with_global_illumination_stay_when_asked(batch, rng):
    traced = torch.tensor([1.0, 0.0] * 8)
    batch = replace(batch, traced=traced)
    lit = augment.relight(batch, rng, everything=False)
    torch.testing.assert_close(lit.image[traced > 0], batch.image[traced > 0])
    torch.testing.assert_close(lit.light[traced > 0], batch.light[traced > 0])
    changed = (lit.light - batch.light).abs().amax((1, 2))
    assert (changed[traced == 0] > 1e-3).all()
    assert not lit.traced[traced == 0].any() and lit.traced[traced > 0].all()


def test_local_images_get_a_background(batch, rng):
    batch = replace(batch, traced=torch.zeros(16), image=batch.image * batch.mask)
    behind = augment.relight(batch, rng).image[batch.mask[..., 0] == 0]
    assert behind.std() > 0.01 and behind.min() >= 0 and behind.max() <= 1


def test_mirrored_residuals_are_residuals_mirrored(batch, rng):
    mirrored = augment.flip(batch, rng)
    plain, found = residual_of(batch), residual_of(mirrored)
    same = torch.isclose(found, plain, rtol=0, atol=1e-5).flatten(1).all(1)
    turned = torch.isclose(found, plain.flip(2), rtol=0, atol=1e-5).flatten(1).all(1)
    assert (same ^ turned).all() and same.any() and turned.any()


def test_mirrored_landmarks_draw_the_mirrored_face(batch):
    points = batch.landmarks[:1]
    mirrored = augment.mirror_landmarks(points, 32)
    torch.testing.assert_close(augment.mirror_landmarks(mirrored, 32), points, rtol=0, atol=1e-5)
    face, seen = (p[0].numpy() for p in (points, mirrored))
    # Painting differs by the pixels that an edge runs through.
    normals = np.abs(mesh_normals(seen, 32) - mirror(mesh_normals(face, 32))).max(axis=-1)
    assert (normals > 0.1).mean() < 0.05
    assert (np.abs(mesh_normals(seen, 32)).sum(axis=-1) > 0).mean() > 0.2

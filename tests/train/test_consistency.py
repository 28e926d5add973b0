"""L_a and L_n are 0 for maps that belong to the face, and no way of saying nothing pays."""

import dataclasses

import numpy as np
import pytest
import torch

from illures.errors import InputError
from illures.faces import draw_contour, points68
from illures.model.alignnet import AlignNet, save_alignnet
from illures.model.network import Estimate
from illures.render import render
from illures.train.augment import Frames
from illures.train.consistency import (
    ALBEDO,
    NORMAL,
    AlignNets,
    FrameConsistency,
    albedo_change,
    albedo_difference,
    collapse,
    correspondences,
    load_consistency,
    log_albedo_std,
    normal_slant_deg,
    residual_energy,
    visibility,
)
from tiny_networks import ALIGN_ALBEDO
from turned_sphere import TurnedSphere, rotation

SIZE = 64


def seen(yaw: float, pitch: float = 0.0, side: float = 0.4) -> tuple[Frames, Estimate]:
    """A view of the sphere lit from the side, and the truth about it."""
    view = TurnedSphere(rotation(yaw, pitch), SIZE)
    contour = draw_contour(points68(view.landmarks), SIZE)[..., None]
    albedo, normal, mask = (one(v.astype(np.float32)) for v in (view.albedo, view.normal, view.mask[..., None]))
    light = torch.zeros(1, 9, 3)
    light[:, 0], light[:, 3] = 2.0, side
    truth = Estimate(albedo, normal, light, torch.zeros_like(albedo))
    image = render(albedo, normal, light[:, None])
    return Frames(image, mask, normal, one(view.landmarks), one(contour)), truth


def one(value: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(value)[None]


def shaded(estimate: Estimate) -> Estimate:
    """Light left in the albedo."""
    return dataclasses.replace(estimate, albedo=(0.5 * estimate.local()).clamp(0, 1))


def flat(estimate: Estimate) -> Estimate:
    """All normals toward the viewer."""
    return dataclasses.replace(estimate, normal=torch.tensor([0.0, 0.0, 1.0]).expand_as(estimate.normal))


@pytest.fixture
def networks() -> AlignNets:
    torch.manual_seed(0)
    config = dataclasses.replace(ALIGN_ALBEDO, size=SIZE)
    return AlignNets(AlignNet(config), AlignNet(dataclasses.replace(config, kind="normal")))


@pytest.mark.parametrize("plain", [False, True])
def test_the_truth_costs_next_to_nothing_and_errors_cost(plain):
    (first, true_first), (second, true_second) = seen(-15), seen(20, 5)
    consistency = FrameConsistency(None, plain=plain)
    truth = consistency(first, second, (true_first, true_second))
    light_left = consistency(first, second, (shaded(true_first), shaded(true_second)))
    flattened = consistency(first, second, (flat(true_first), flat(true_second)))
    assert light_left.albedo.item() > 3 * truth.albedo.item()
    assert flattened.normal.item() > 5 * truth.normal.item()
    assert truth.normal.item() < 0.02


@pytest.mark.parametrize("plain", [False, True])
def test_equal_frames_with_equal_maps_cost_nothing(plain):
    frames, truth = seen(10)
    drift = FrameConsistency(None, plain=plain)(frames, frames, (truth, truth))
    assert drift.albedo.item() == pytest.approx(0, abs=1e-3)
    assert drift.normal.item() == pytest.approx(0, abs=1e-3)


def test_order_of_the_frames_does_not_matter():
    (first, a), (second, b) = seen(-15), seen(20)
    a = shaded(a)
    forth, back = (FrameConsistency(None)(*args) for args in ((first, second, (a, b)), (second, first, (b, a))))
    torch.testing.assert_close(forth.albedo, back.albedo)
    torch.testing.assert_close(forth.normal, back.normal)


def test_neither_darker_nor_duller_albedo_pays():
    torch.manual_seed(0)
    base = torch.rand(2, 16, 16, 3) * 0.5 + 0.3
    there, here = base, (base + 0.1 * torch.rand_like(base)).clamp(0, 1)
    weight = (torch.rand(2, 16, 16, 1) > 0.3).float()
    darker = [0.4 * value for value in (there, here)]
    torch.testing.assert_close(albedo_change(*darker, weight), albedo_change(there, here, weight))
    # Duller: the pattern costs the same; what is left of the level shrinks with it, but never all.
    pattern = [value / value.log().mean(dim=(1, 2), keepdim=True).exp() for value in (there, here)]
    full = weight * 0 + 1
    before = albedo_change(*(0.5 * p for p in pattern), full)
    after = albedo_change(*(0.5 * p**0.5 for p in pattern), full)
    assert (after > 0.9 * before).all()
    assert (albedo_difference(*(0.5 * p**0.5 for p in pattern), full) < 0.6 * albedo_difference(*pattern, full)).all()


def test_only_what_both_frames_show_counts():
    (first, a), (second, b) = seen(-20), seen(20)
    weight = visibility(second, first, correspondences(first, second)[1])
    assert 0.1 < weight.mean() < 0.9
    changed = dataclasses.replace(a, albedo=torch.where(weight > 0, a.albedo, torch.rand_like(a.albedo)))
    value = FrameConsistency(None)._drift(second, first, b, changed, correspondences(first, second)[1])
    truth = FrameConsistency(None)._drift(second, first, b, a, correspondences(first, second)[1])
    torch.testing.assert_close(value.albedo, truth.albedo)


def test_gradients_reach_both_frames_and_no_alignnet(networks):
    (first, a), (second, b) = seen(-15), seen(20)
    for consistency in (FrameConsistency(None), FrameConsistency(networks), FrameConsistency(networks, plain=True)):
        leaves = [value.clone().requires_grad_() for value in (a.albedo, a.normal, b.albedo, b.normal)]
        found = [dataclasses.replace(a, albedo=x, normal=n) for x, n in (leaves[:2], leaves[2:])]
        drift = consistency(first, second, (found[0], found[1]))
        (drift.albedo.sum() + drift.normal.sum()).backward()
        for leaf in leaves:
            assert torch.isfinite(leaf.grad).all()
            assert leaf.grad.abs().sum() > 0
    for network in (networks.albedo, networks.normal):
        assert not network.training
        assert all(parameter.grad is None for parameter in network.parameters())


def test_faces_keep_within_the_limits_and_collapses_do_not():
    frames, truth = seen(10)
    assert collapse(truth, frames).total().item() == 0
    grey = dataclasses.replace(truth, albedo=torch.full_like(truth.albedo, 0.4))
    moved = dataclasses.replace(truth, residual=0.8 * frames.image)
    bad = {"albedo": grey, "normal": flat(truth), "residual": moved}
    for name, estimate in bad.items():
        found = collapse(estimate, frames)
        assert getattr(found, name).item() > 0.5
        assert found.total().item() == pytest.approx(getattr(found, name).item())
    assert log_albedo_std(grey, frames.mask).item() < 1e-3 < 0.1 < log_albedo_std(truth, frames.mask).item()
    assert normal_slant_deg(flat(truth), frames.mask).item() < 0.1
    assert residual_energy(moved, frames.image, frames.mask).item() == pytest.approx(0.64, rel=1e-4)


def test_slant_is_the_angle_to_the_viewer():
    frames, truth = seen(0)
    turned = torch.tensor([np.sin(0.5), 0.0, np.cos(0.5)], dtype=torch.float32).expand_as(truth.normal)
    slant = normal_slant_deg(dataclasses.replace(truth, normal=turned), frames.mask)
    assert slant.item() == pytest.approx(np.rad2deg(0.5), rel=1e-3)


def test_collapse_pulls_back():
    """Following its gradient leads away from each collapse, even from the exactly flat one."""
    frames, truth = seen(10)
    nearly = 0.4 + 0.02 * (truth.albedo - truth.albedo.mean())
    torch.manual_seed(0)
    for name, start in (("albedo", nearly), ("normal", flat(truth).normal + 0.01 * torch.randn(truth.normal.shape))):
        leaf = start.clone().requires_grad_()
        before = collapse(dataclasses.replace(truth, **{name: leaf}), frames).total()
        before.sum().backward()
        assert torch.isfinite(leaf.grad).all()
        step = 0.01 * leaf.grad / leaf.grad.abs().max()
        after = collapse(dataclasses.replace(truth, **{name: (leaf - step).detach()}), frames).total()
        assert after.item() < before.item()


def test_what_a_recipe_asks_for(networks, tmp_path):
    assert isinstance(load_consistency("warp"), FrameConsistency)
    with pytest.raises(InputError, match="--align"):
        load_consistency("alignnet")
    with pytest.raises(InputError, match="no such file"):
        load_consistency("alignnet", tmp_path)
    save_alignnet(tmp_path / ALBEDO, networks.albedo, {}, "", {})
    save_alignnet(tmp_path / NORMAL, networks.normal, {}, "", {})
    (first, a), (second, b) = seen(-15), seen(20)
    found = load_consistency("alignnet", tmp_path)(first, second, (a, b))
    torch.testing.assert_close(found.albedo, FrameConsistency(networks)(first, second, (a, b)).albedo)
    save_alignnet(tmp_path / NORMAL, networks.albedo, {}, "", {})
    with pytest.raises(InputError, match="AlignNet for normal: the weights given are for albedo"):
        load_consistency("alignnet", tmp_path)


def test_alignnets_of_another_size(networks):
    config = dataclasses.replace(networks.albedo.config, size=32)
    with pytest.raises(InputError, match="sizes 32 and 64"):
        AlignNets(AlignNet(config), networks.normal)
    small = AlignNets(AlignNet(config), AlignNet(dataclasses.replace(config, kind="normal")))
    (first, a), (second, b) = seen(-15), seen(20)
    with pytest.raises(InputError, match="frames of 64 px"):
        FrameConsistency(small)(first, second, (a, b))

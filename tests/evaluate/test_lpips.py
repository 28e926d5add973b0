"""LPIPS from files of the documented layout with random weights, against its definition by scipy's convolution."""

import numpy as np
import pytest
import torch
from scipy.signal import correlate

from illures.errors import InputError
from illures.evaluate.lpips import Lpips

SHAPES = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3), 8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("lpips")
    torch.manual_seed(0)
    backbone, linear = {}, {}
    for k, (index, shape) in enumerate(SHAPES.items()):
        backbone[f"features.{index}.weight"] = torch.randn(shape) / (shape[1] * shape[2] * shape[3]) ** 0.5
        backbone[f"features.{index}.bias"] = 0.1 * torch.randn(shape[0])
        linear[f"lin{k}.model.1.weight"] = torch.rand(1, shape[0], 1, 1)
    torch.save(backbone | {"classifier.1.weight": torch.zeros(2, 2)}, root / "alexnet-owt-0.pth")
    torch.save(linear, root / "alex.pth")
    return root


def test_equal_images_are_at_no_distance_and_order_does_not_matter(folder, rng):
    lpips = Lpips(folder)
    a, b = rng.random((2, 64, 64, 3)).astype(np.float32)
    assert lpips(a, a) == 0
    assert lpips(a, b) == pytest.approx(lpips(b, a)) and lpips(a, b) > 0


def test_the_first_layer_is_the_definition(folder, rng, monkeypatch):
    """Normalised first-layer features, squared difference, weighted sum over channels, mean over places."""
    a, b = rng.random((2, 31, 31, 3)).astype(np.float32)
    backbone, linear = torch.load(folder / "alexnet-owt-0.pth"), torch.load(folder / "alex.pth")
    weight, bias = (backbone[f"features.0.{name}"].numpy() for name in ("weight", "bias"))
    units = []
    for image in (a, b):
        x = (2 * image - 1 - [-0.030, -0.088, -0.188]) / [0.458, 0.448, 0.450]
        padded = np.pad(x.transpose(2, 0, 1), ((0, 0), (2, 2), (2, 2)))
        found = np.stack([correlate(padded, w, "valid")[0] for w in weight])[:, ::4, ::4] + bias[:, None, None]
        found = np.maximum(found, 0)
        units.append(found / np.sqrt((found**2).sum(0) + 1e-20))
    expected = ((units[0] - units[1]) ** 2 * linear["lin0.model.1.weight"].numpy()[0]).sum(0).mean()
    lpips = Lpips(folder)
    monkeypatch.setattr(lpips, "_linear", [lpips._linear[0]] + [torch.zeros_like(w) for w in lpips._linear[1:]])
    assert lpips(np.pad(a, ((0, 40), (0, 40), (0, 0))), np.pad(a, ((0, 40), (0, 40), (0, 0)))) == 0
    monkeypatch.setattr(lpips, "_features", lambda images: features_of_the_first_layer(lpips, images))
    assert lpips(a, b) == pytest.approx(expected, rel=1e-4)


def features_of_the_first_layer(lpips, images):
    """The class's own first layer; the deeper ones do not fit into so small an image and weigh nothing."""
    weight, bias = lpips._convolutions[0]
    first = torch.relu(torch.nn.functional.conv2d(images, weight, bias, 4, 2))
    return [first, *(torch.ones(2, w.shape[1], 1, 1) for w in lpips._linear[1:])]


def test_outside_the_mask_nothing_counts(folder, rng):
    a = rng.random((80, 80, 3)).astype(np.float32)
    b = a.copy()
    b[:5] = 0
    mask = np.zeros((80, 80), bool)
    mask[8:76, 8:76] = True
    lpips = Lpips(folder)
    assert lpips.inside(a, b, mask) == 0 < lpips(a, b)


def test_wrong_folders_are_named(folder, tmp_path):
    with pytest.raises(InputError, match="holds 0 files alexnet"):
        Lpips(tmp_path)
    (tmp_path / "alexnet.pth").write_bytes((folder / "alex.pth").read_bytes())
    (tmp_path / "alex.pth").write_bytes((folder / "alex.pth").read_bytes())
    with pytest.raises(InputError, match=r"lack features.0.weight"):
        Lpips(tmp_path)
    (tmp_path / "alex.pth").write_bytes(b"nothing")
    with pytest.raises(InputError, match="alex.pth: not a PyTorch"):
        Lpips(tmp_path)

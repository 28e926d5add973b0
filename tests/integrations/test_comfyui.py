"""The ComfyUI pack, loaded as ComfyUI loads it (a package by its path) and run on tensors; ComfyUI is not here."""

import importlib.util
import json
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d

from clips import ASTRONAUT, pictures
from illures import load_image

PACK = Path(__file__).parents[2] / "integrations" / "comfyui"
KINDS = {"IMAGE", "MASK", "BOOLEAN", "FLOAT", "INT", "STRING", "ILLURES_LIGHT"}


@pytest.fixture(scope="module")
def pack():
    spec = importlib.util.spec_from_file_location(
        "comfy_pack", PACK / "__init__.py", submodule_search_locations=[str(PACK)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["comfy_pack"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def photo():
    return torch.from_numpy(load_image(ASTRONAUT))[None]


def run(pack, name, **inputs):
    node = pack.NODE_CLASS_MAPPINGS[name]
    asked = node.INPUT_TYPES()["required"]
    defaults = {key: kind[1]["default"] for key, kind in asked.items() if len(kind) > 1 and "default" in kind[1]}
    outputs = getattr(node(), node.FUNCTION)(**{**defaults, **inputs})
    assert len(outputs) == len(node.RETURN_TYPES) == len(node.RETURN_NAMES)
    for kind, value in zip(node.RETURN_TYPES, outputs, strict=True):
        if kind in ("IMAGE", "MASK"):
            assert value.dtype == torch.float32 and value.ndim == (4 if kind == "IMAGE" else 3)
            assert value.min() >= 0 and value.max() <= 1
    return outputs


def test_every_node_follows_the_conventions(pack):
    assert set(pack.NODE_CLASS_MAPPINGS) == set(pack.NODE_DISPLAY_NAME_MAPPINGS)
    for node in pack.NODE_CLASS_MAPPINGS.values():
        assert node.CATEGORY and callable(getattr(node, node.FUNCTION))
        kinds = [kind[0] for kind in node.INPUT_TYPES()["required"].values()]
        assert all(isinstance(kind, list) or kind in KINDS for kind in (*kinds, *node.RETURN_TYPES))
    about = tomllib.loads((PACK / "pyproject.toml").read_text())
    assert (
        about["project"]["dependencies"] == ["illures"]
        and {"PublisherId", "DisplayName"} <= about["tool"]["comfy"].keys()
    )


def test_decompose_adds_up_to_the_image(pack, photo):
    albedo, normal, shading, residual, mask = run(pack, "IlluresDecomposeFace", image=photo)
    assert mask.shape == photo.shape[:3] and 0.01 < mask.mean() < 0.5
    from illures.io.formats import SHADING_SCALE
    from illures.math.color import srgb_to_linear

    codes = residual.numpy() * 65535
    total = srgb_to_linear(albedo.numpy()) * SHADING_SCALE * srgb_to_linear(shading.numpy()) + (codes - 32768) / 32767
    np.testing.assert_allclose(total, srgb_to_linear(photo.numpy()), rtol=0, atol=1e-4)


def test_normals_are_stored_as_asked(pack):
    frames = torch.from_numpy(np.stack(pictures(2)).astype(np.float32) / 255)
    for image, step in ((frames[:1], 2 / 65535), (frames, 2 / 255)):  # a photo, and a clip, whose maps have 8 bits
        up, down, head = (
            run(pack, "IlluresDecomposeFace", image=image, **options)[1]
            for options in ({}, {"normals": "directx"}, {"normal_space": "head"})
        )
        assert (up[..., 1] + down[..., 1] - 1).abs().max() < step and (up - down)[..., [0, 2]].abs().max() < step
        assert 0.02 < (head - up).abs().max() < 0.9


@pytest.mark.parametrize(
    "name", ["IlluresLightPreset", "IlluresLightDirection", "IlluresLightReference", "IlluresLightHDRI"]
)
def test_relight_by_every_kind_of_light(pack, photo, name):
    sky = torch.rand(1, 16, 32, 3, generator=torch.Generator().manual_seed(0))
    inputs = {"IlluresLightReference": {"image": photo}, "IlluresLightHDRI": {"image": sky}}.get(name, {})
    (light,) = run(pack, name, **inputs)
    image, mask = run(pack, "IlluresRelightFace", image=photo, light=light)
    assert image.shape == photo.shape
    change = (image - photo).abs().mean(-1)
    assert change[mask > 0.5].mean() > 0.005 and change[:, 300:, :80].max() < 0.001


def test_a_batch_is_held_steady(pack):
    frames = torch.from_numpy(np.stack(pictures(8, noise=3.0)).astype(np.float32) / 255)
    (light,) = run(pack, "IlluresLightPreset", preset="split")
    image, mask = run(pack, "IlluresRelightFace", image=frames, light=light, shadows=False)
    assert image.shape == frames.shape and mask.shape == frames.shape[:3]
    albedo = {s: run(pack, "IlluresDecomposeFace", image=frames, steady=s)[0] for s in (True, False)}
    # Over squares of 16 pixels: finer detail is the frame's own, with its noise.
    inner = avg_pool2d((mask.min(0).values > 0.9).float()[None], 16)[0] == 1
    broad = {s: avg_pool2d(a.permute(0, 3, 1, 2), 16).permute(0, 2, 3, 1) for s, a in albedo.items()}
    flicker = {s: (a[1:] - a[:-1])[:, inner].abs().mean() for s, a in broad.items()}
    assert inner.any() and flicker[True] < 0.7 * flicker[False]


def test_an_unchanged_albedo_changes_nothing_and_paint_shows(pack, photo):
    albedo = run(pack, "IlluresDecomposeFace", image=photo, steady=False)[0]
    (same,) = run(pack, "IlluresEditAlbedo", image=photo, albedo=albedo)
    np.testing.assert_allclose(same, photo, rtol=0, atol=1e-4)
    painted = albedo.clone()
    painted[:, 100:140, 200:240] *= 0.5
    (other,) = run(pack, "IlluresEditAlbedo", image=photo, albedo=painted)
    assert (photo - other)[:, 105:135, 205:235].mean() > 0.05


def test_the_example_names_nodes_and_inputs_that_exist(pack):
    flow = json.loads((PACK / "example_workflow.json").read_text())
    for node in flow.values():
        if node["class_type"].startswith("Illures"):
            asked = pack.NODE_CLASS_MAPPINGS[node["class_type"]].INPUT_TYPES()["required"]
            assert node["inputs"].keys() == asked.keys()

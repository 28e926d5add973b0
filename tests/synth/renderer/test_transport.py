"""Transport against laws and against Mitsuba's own path tracer."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

from illures.faces.contour import INDICES
from illures.math import sh
from illures.render import render
from illures.synth import lighting
from illures.synth.renderer import kernels
from illures.synth.renderer.scene import Pose, merge, place
from illures.synth.renderer.transport import Transport
from illures.types import Head, Part

SIZE = 32
PAIR = ((0.0, 0.0, 0.0), (0.7, 0.5, 0.4)), ((0.12, 0.02, 0.05), (0.3, 0.6, 0.8))  # centre and albedo


def sphere(centre=(0.0, 0.0, 0.0), radius=0.1, rows=64, albedo=(0.6, 0.4, 0.3), specular=0.0) -> Part:
    theta, phi = np.meshgrid(np.linspace(0, np.pi, rows + 1), np.linspace(0, 2 * np.pi, 2 * rows + 1), indexing="ij")
    unit = np.stack([np.sin(theta) * np.sin(phi), np.cos(theta), np.sin(theta) * np.cos(phi)], -1).reshape(-1, 3)
    at = np.arange(rows * (2 * rows + 1)).reshape(rows, -1)[:, :-1].ravel()
    below = at + 2 * rows + 1
    triangles = np.concatenate([np.stack([at, below, below + 1], 1), np.stack([at, below + 1, at + 1], 1)])
    return Part(
        name="skin",
        vertices=(unit * radius + np.array(centre)).astype(np.float32),
        triangles=triangles.astype(np.int32),
        uv=np.stack([phi.ravel() / (2 * np.pi), 1 - theta.ravel() / np.pi], 1).astype(np.float32),
        albedo=np.broadcast_to(np.float32(albedo), (2, 2, 3)).copy(),
        mask=np.ones((2, 2), np.float32),
        specular=specular,
    )


def landmarks() -> np.ndarray:
    points = np.zeros((478, 3), np.float32)
    points[INDICES[36:42]], points[INDICES[42:48]] = (-0.05, 0, 0), (0.05, 0, 0)
    points[INDICES[48]], points[INDICES[54]] = (-0.03, -0.1, 0), (0.03, -0.1, 0)
    return points


def environment_of(light: np.ndarray) -> lighting.Environment:
    radiance = sh.basis(sh.directions(lighting.HEIGHT, lighting.WIDTH)) @ light
    return lighting.split(radiance.astype(np.float32))


def soft_light() -> np.ndarray:
    light = np.random.default_rng(0).normal(0, 0.12, (9, 3))
    light[0] = 3.5
    return light


@pytest.fixture(scope="module")
def view():
    return place(landmarks(), Pose(10.0, 5.0, -8.0, 0.8), SIZE)


def test_matt_sphere_has_no_residual(view) -> None:
    transport = Transport(merge(Head((sphere(),), landmarks()), view), view, samples=256, seed=1)
    light = soft_light()
    image = transport.light(environment_of(light))
    residual = image - render(transport.guides.albedo, transport.guides.normal, light)
    inside = transport.guides.coverage == 1
    # Noise of a pixel is allowed for by the mean, a lean by the largest mean over a block.
    assert inside.sum() > 200
    assert np.abs(residual[inside]).mean() < 1 / 255
    assert abs(residual[inside].mean()) < 0.2 / 255


@pytest.mark.parametrize("kind", [lighting.studio, lighting.lamp])
def test_equals_mitsuba_path_tracer(view, kind) -> None:
    mi = kernels.start()
    head = Head(tuple(sphere(centre, albedo=albedo) for centre, albedo in PAIR), landmarks())
    surface = merge(head, view)
    environment = lighting.split(kind(np.random.default_rng(3)))
    transport = Transport(surface, view, samples=256, depth=3, seed=2)
    ours = transport.light(environment, shadow_samples=256)

    spheres = {
        f"sphere{k}": {
            "type": "sphere",
            "center": (view.rotation @ np.array(c) + view.translation).tolist(),
            "radius": 0.1,
            "bsdf": {"type": "diffuse", "reflectance": {"type": "rgb", "value": list(a)}},
        }
        for k, (c, a) in enumerate(PAIR)
    }
    theirs = _mitsuba(mi, view, spheres, environment.radiance)
    inside = transport.guides.coverage > 0.999
    error = np.mean((ours - theirs)[inside] ** 2)
    assert 10 * np.log10(np.max(theirs[inside]) ** 2 / error) > 35
    assert abs((ours - theirs)[inside].mean()) < 0.01 * theirs[inside].mean()


def _mitsuba(mi, view, shapes: dict, radiance: np.ndarray, samples: int = 1024) -> np.ndarray:
    """Path tracing with Mitsuba's own shapes, emitter sampling and Lambert model, along our camera's rays."""
    import drjit as dr

    # Mitsuba's map starts where ours has its middle.
    turned = mi.Bitmap(np.roll(radiance, lighting.WIDTH // 2, axis=1))
    integrator = {"type": "path", "max_depth": 4, "rr_depth": 99, "hide_emitters": True}
    emitter = {"type": "envmap", "bitmap": turned}
    scene = mi.load_dict({"type": "scene", "integrator": integrator, "emitter": emitter, **shapes})
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE, :samples][:2]
    pixel = np.stack([x.ravel(), y.ravel()], 1) + rng.random((SIZE * SIZE * samples, 2)) - 0.5
    plane = pixel @ view.plane[:, :2].T + view.plane[:, 2]
    direction = dr.normalize(mi.Vector3f(*plane.T.astype(np.float32) * np.array([[1], [-1]], np.float32), -1))
    sampler = mi.load_dict({"type": "independent"})
    sampler.seed(5, wavefront_size=len(pixel))
    color = scene.integrator().sample(scene, sampler, mi.RayDifferential3f(mi.Point3f(0), direction))[0]
    return np.array(color).T.reshape(SIZE, SIZE, samples, 3).mean(2)


def test_same_seed_same_light(view) -> None:
    surface = merge(Head((sphere(specular=0.5),), landmarks()), view)
    environment = lighting.split(lighting.lamp(np.random.default_rng(0)))
    assert environment.lamps is not None
    first, again, other = (Transport(surface, view, samples=8, seed=s).light(environment, 8) for s in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0


def test_lamps_split_off_give_the_same_image_as_the_whole_map(view) -> None:
    surface = merge(Head((sphere(specular=0.5),), landmarks()), view)
    transport = Transport(surface, view, samples=512, depth=1, seed=7)
    environment = lighting.split(lighting.studio(np.random.default_rng(8)))
    assert environment.lamps is not None
    whole = lighting.Environment(environment.radiance, environment.radiance, environment.radiance, None)
    ours, plain = transport.light(environment, 256), transport.light(whole)
    face = transport.guides.coverage == 1
    assert abs(ours[face].mean() / plain[face].mean() - 1) < 0.01


def test_gloss_adds_light(view) -> None:
    environment = environment_of(soft_light())
    matt, gloss = (
        Transport(merge(Head((sphere(specular=s),), landmarks()), view), view, samples=64, seed=1).light(environment)
        for s in (0.0, 0.5)
    )
    face = matt.sum(-1) > 0
    assert 0.005 < (gloss - matt)[face].mean() < 0.15 * soft_light()[0].mean()


def test_clear_texels_let_light_and_sight_through(view) -> None:
    inner = sphere()
    glass = dataclasses.replace(sphere(radius=0.11, albedo=(0, 0, 1)), opacity=np.zeros((2, 2), np.float32))
    environment = environment_of(soft_light())
    bare, covered = (Transport(merge(Head(p, landmarks()), view), view, 64, seed=1) for p in ((inner,), (inner, glass)))
    face = bare.guides.coverage == 1
    np.testing.assert_allclose(covered.guides.albedo[face], bare.guides.albedo[face], rtol=0, atol=1e-5)
    difference = covered.light(environment)[face] - bare.light(environment)[face]
    assert abs(difference.mean()) < 0.01


def test_normals_point_where_they_show(view) -> None:
    guides = Transport(merge(Head((sphere(),), landmarks()), view), view, samples=16, depth=0).guides
    rows, columns = np.nonzero(guides.coverage == 1)
    normal = guides.normal[rows, columns]
    np.testing.assert_allclose(np.linalg.norm(normal, axis=1), 1, rtol=0, atol=1e-5)
    assert np.corrcoef(columns, normal[:, 0])[0, 1] > 0.9  # image right is +x
    assert np.corrcoef(-rows, normal[:, 1])[0, 1] > 0.9  # image top is +y
    assert normal[:, 2].mean() > 0.5  # toward the viewer


def test_bump_tilts_the_normal_by_its_slope() -> None:
    view = place(landmarks(), Pose(), SIZE)
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
    u, v = np.meshgrid((np.arange(64) + 0.5) / 64, 1 - (np.arange(32) + 0.5) / 32)
    part = dataclasses.replace(
        sphere(),
        vertices=corners,
        triangles=np.array([[0, 1, 2], [0, 2, 3]], np.int32),
        uv=(corners[:, :2] + 1) / 2,
        albedo=np.full((32, 64, 3), 0.5, np.float32),
        bump=(0.2 * (2 * u) - 0.1 * (2 * v)).astype(np.float32),  # 2 m wide: rises 0.2 to the right, falls 0.1 upward
    )
    guides = Transport(merge(Head((part,), landmarks()), view), view, samples=4, depth=0).guides
    expected = np.array([-0.2, 0.1, 1]) / np.linalg.norm([-0.2, 0.1, 1])
    np.testing.assert_allclose(guides.normal[8:-8, 8:-8].reshape(-1, 3) - expected, 0, atol=1e-4)


def test_missing_llvm_is_a_clear_error() -> None:
    code = "from illures.synth import kernels\ntry: kernels.start()\nexcept kernels.InputError as error: print(error)"
    environment = {**os.environ, "DRJIT_LIBLLVM_PATH": "/nowhere/libLLVM.so"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=600
    )
    assert done.stdout.startswith("LLVM: ")
    assert "install karellen-llvm-core or set DRJIT_LIBLLVM_PATH" in done.stdout

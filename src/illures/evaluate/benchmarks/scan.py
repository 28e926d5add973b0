"""Benchmark `scan`: textured head scans that a user has, rendered by us under HDRIs: geometry and colour of the scan.

Each .obj or .glb file of the folder is one head, x right, y up, looking along +z as most scanners have it (or along -z,
-y or y: the option `front`). Units do not matter. Light that is baked into a texture counts as albedo.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from illures.errors import InputError
from illures.evaluate.benchmark import Estimate, Failure, Item, Score, Truth
from illures.evaluate.benchmarks.photos import evenly
from illures.evaluate.benchmarks.scan_mesh import Piece, read_scan
from illures.evaluate.scoring import drift, photo_mask, score_maps, score_reconstruction
from illures.evaluate.tone import tone_of
from illures.faces import find_faces
from illures.io.environment_maps import load_hdris
from illures.math import sh
from illures.math.color import linear_to_srgb
from illures.render import render
from illures.synth.renderer.scene import Pose, View, merge, place
from illures.types import Face, Head, Part

# Rows: where x, y, z of the head's frame are found in the file's.
_TURNS: dict[str, np.ndarray] = {
    "z": np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    "-z": np.array([[-1, 0, 0], [0, 1, 0], [0, 0, -1]]),
    "y": np.array([[-1, 0, 0], [0, 0, 1], [0, 1, 0]]),
    "-y": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]),
}
SIZE = 256  # px
_YAWS_DEG = (0.0, -25.0, 25.0)
_HEIGHT = 0.3  # height of every scan after scaling [m]: head and neck
_DISTANCE = 1.0  # of the camera [m]
_SAMPLES = 64
_EXPOSURE = 0.6  # linear value of the 95th percentile of the face
_LOOK = 512  # px of the view for face detection
_BACKDROP = 0.15


class Scans:
    """See `illures.evaluate.benchmark.Benchmark`; a group is a scan, an item one view of it under one light."""

    name = "scan"

    def __init__(self, files: Sequence[Path], lights: dict[str, np.ndarray], front: str, size: int) -> None:
        self._files = {file.stem: file for file in files}
        self._lights, self._front, self._side = lights, front, size
        self.groups = tuple(self._files)
        self.size = len(files) * len(_YAWS_DEG) * len(lights)

    def items(self, group: str) -> Iterator[Item | Failure]:
        """Three views, each under all lights."""
        try:
            head = framed(read_scan(self._files[group]), self._front, str(self._files[group]))
        except InputError as error:
            yield Failure(group, group, str(error))
            return
        for yaw in _YAWS_DEG:
            yield from self._view(group, head, yaw)

    def _view(self, group: str, head: Head, yaw: float) -> Iterator[Item]:
        from illures.synth.lighting import split
        from illures.synth.renderer.denoise import denoised
        from illures.synth.renderer.transport import Transport

        view = place(head.landmarks, Pose(yaw_deg=yaw, distance=_DISTANCE), self._side)
        transport = Transport(merge(head, view), view, _SAMPLES)
        guides, face = transport.guides, Face(view.landmarks, 1.0)
        mask = photo_mask((self._side, self._side), face) & guides.mask
        tone = tone_of(guides.albedo[mask])
        for name, radiance in self._lights.items():
            surface = denoised(transport.light(split(radiance)), guides)
            scale = np.float32(_EXPOSURE / max(float(np.percentile(surface[mask], 95)), 1e-6))
            light = (sh.project_environment(radiance) * scale).astype(np.float32)
            image = surface * scale + (1 - guides.coverage[..., None]) * np.float32(_BACKDROP)
            truth = Truth(
                mask=mask,
                normal=guides.normal,
                albedo=guides.albedo,
                light=light,
                residual=image - render(guides.albedo, guides.normal, light),
            )
            photo = linear_to_srgb(np.clip(image, 0, 1)).astype(np.float32)
            tags: dict[str, float | str] = {"light": name, "yaw_deg": yaw, "tone": tone}
            yield Item(f"{group}/{yaw:+.0f}/{name}", group, photo, face, truth, tags)

    def score(self, item: Item, estimate: Estimate) -> Score:
        """All maps."""
        score = score_maps(estimate, item)
        figures = score.figures | score_reconstruction(estimate, item.photo, item.truth.mask)
        return replace(score, figures=figures, kept=(item.tags["yaw_deg"], score.kept))

    def summarise(self, scores: Sequence[Score]) -> dict[str, float]:
        """Drift between the lights of each view, mean over the views."""
        drifts = [drift([s.kept[1] for s in scores if s.kept[0] == yaw]) for yaw in _YAWS_DEG]
        names = dict.fromkeys(name for found in drifts for name in found)
        return {name: float(np.mean([found[name] for found in drifts if name in found])) for name in names}


def load(path: Path, *, hdri: Path, lights: int = 4, front: str = "z", size: int = SIZE) -> Scans:
    """Open a folder of scans.

    Args:
        path: the folder of .obj and .glb files.
        hdri: folder of environment maps.
        lights: how many of them each view is rendered under, evenly over the list.
        front: the axis of the files that faces look along.
        size: side of the renders [px].

    Raises:
        InputError: there is no scan or no map; an option does not fit; what rendering needs is not installed.
    """
    from illures.synth.renderer import kernels

    files = sorted(file for file in path.iterdir() if file.suffix.lower() in (".obj", ".glb"))
    if not files:
        raise InputError(f"{path}: holds no .obj or .glb scans")
    if front not in _TURNS:
        raise InputError(f"front {front!r}: must be one of {', '.join(_TURNS)}")
    maps = load_hdris(hdri)
    chosen = {Path(name).stem: maps[str(name)] for name in evenly([Path(name) for name in maps], lights)}
    kernels.start()
    return Scans(files, chosen, front, size)


def framed(pieces: list[Piece], front: str, name: str) -> Head:
    """A head for our renderer: rotated, scaled to metres, with 478 landmarks detected in a frontal view.

    Raises:
        InputError: no face is found; the message begins with `name`.
    """
    turn = _TURNS[front]
    corners = np.concatenate([piece.vertices for piece in pieces]).astype(np.float64) @ turn.T
    low, high = corners.min(axis=0), corners.max(axis=0)
    scale, middle = _HEIGHT / max(float((high - low)[1]), 1e-12), (low + high) / 2
    parts = tuple(_part(k, piece, turn, middle, scale) for k, piece in enumerate(pieces))
    return Head(parts, _landmarks(parts, name))


def _part(index: int, piece: Piece, turn: np.ndarray, middle: np.ndarray, scale: float) -> Part:
    vertices = (piece.vertices.astype(np.float64) @ turn.T - middle) * scale
    return Part(
        name=f"scan{index}",
        vertices=vertices.astype(np.float32),
        triangles=piece.triangles,
        uv=piece.uv,
        albedo=np.clip(piece.albedo, 0, 1).astype(np.float32),
        mask=np.ones((1, 1), np.float32),
    )


def _landmarks(parts: tuple[Part, ...], name: str) -> Float[np.ndarray, "478 3"]:
    """Detected in an evenly lit frontal view, then projected to the surface: the vertex closest to the viewer."""
    from scipy.spatial import cKDTree

    from illures.synth.lighting import split
    from illures.synth.renderer.transport import Transport

    pixel = 1.2 * _HEIGHT / _LOOK / _DISTANCE  # of the image plane at distance 1
    half = (_LOOK - 1) / 2
    plane = np.array([[pixel, 0, -half * pixel], [0, pixel, -half * pixel]])
    view = View(_LOOK, np.eye(3), np.array([0, 0, -_DISTANCE]), plane, np.zeros((478, 3), np.float32))
    transport = Transport(merge(Head(parts, np.zeros((478, 3), np.float32)), view), view, 16)
    image = transport.light(split(np.full((128, 256, 3), 0.8, np.float32)))
    faces = find_faces(linear_to_srgb(np.clip(image, 0, 1)).astype(np.float32))
    if not faces:
        raise InputError(f"{name}: no face found in its frontal view; is `front` right?")
    ray = faces[0].landmarks[:, :2] @ plane[:, :2].T + plane[:, 2]
    vertices = np.concatenate([part.vertices for part in parts]).astype(np.float64)
    depth = _DISTANCE - vertices[:, 2]
    tree = cKDTree(np.stack([vertices[:, 0], -vertices[:, 1]], axis=1) / depth[:, None])
    _, near = tree.query(ray, k=min(16, len(vertices)))
    found = depth[near].min(axis=1)
    return np.stack([ray[:, 0] * found, -ray[:, 1] * found, _DISTANCE - found], axis=1).astype(np.float32)

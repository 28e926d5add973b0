"""The surface at the centre of each pixel of a view: its height, and the lamps that it sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from illures.math.normals import normalize
from illures.synth.renderer import kernels
from illures.synth.renderer.scene import Surface, View


@dataclass(frozen=True)
class FirstHits:
    """The surfaces at pixel centres; transparent ones are passed with a probability.

    Attributes:
        height: in the crop's frame, toward the viewer [crop px]; NaN where nothing is.
        visible: which lamps are seen from there.
    """

    height: Float[np.ndarray, "size size"]
    visible: Bool[np.ndarray, "lamps size size"]


def first_hits(surface: Surface, view: View, lamps: Sequence[Float[np.ndarray, "3"]]) -> FirstHits:
    """Trace one ray a pixel, and one from there to each lamp.

    Args:
        surface: of the head, in the camera's frame.
        view: the camera.
        lamps: unit vectors toward them, in the crop's frame.
    """
    _, mi = kernels.device()
    size, to_frame = view.size, view.to_crop_frame
    row, column = np.mgrid[:size, :size]
    x, y = view.plane @ np.stack([column.ravel(), row.ravel(), np.ones(size * size)])
    rays = normalize(np.stack([x, -y, -np.ones_like(x)], axis=1))
    geometry = kernels.Geometry(surface)
    hit = geometry.hit(mi.Point3f(0, 0, 0), _vectors(rays), mi.Bool(True))
    valid = hit.valid.numpy()
    points = np.stack([value.numpy() for value in hit.point], axis=1)
    # At the distance of the head's origin, from which heights count.
    per_metre = 1 / (np.hypot(view.plane[0, 0], view.plane[1, 0]) * np.linalg.norm(view.translation))
    height = np.where(valid, ((points - view.translation) @ to_frame[2]) * per_metre, np.nan)
    visible = np.empty((len(lamps), size, size), bool)
    for lamp, seen in zip(lamps, visible, strict=True):
        toward = _vectors(np.broadcast_to(to_frame.T @ lamp, rays.shape))
        seen.ravel()[:] = valid & ~geometry.shadowed(kernels.above(hit), toward, hit.valid).numpy()
    return FirstHits(height.reshape(size, size).astype(np.float32), visible)


def _vectors(values: Float[np.ndarray, "rays 3"]) -> object:
    _, mi = kernels.device()
    return mi.Vector3f(*(mi.Float(np.ascontiguousarray(value, np.float32)) for value in values.T))

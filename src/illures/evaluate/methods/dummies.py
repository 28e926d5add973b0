"""Trivial baselines that ignore the photo or change nothing; a method has to beat them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from illures.evaluate.benchmark import Benchmark, Estimate, Item
from illures.evaluate.methods.geometry import explain
from illures.evaluate.methods.query import Query, spread_normals
from illures.evaluate.scoring import photo_mask
from illures.faces import crop_face, extract, upright
from illures.math.color import srgb_to_linear
from illures.math.normals import normalize, turn

SIZE = 128  # of the crops that mean faces are aligned in [px]
# Benchmarks of real people in one pose, whose truth has a mean; elsewhere the mean head of our own model stands in.
_HAVE_MEAN = ("yaleb", "photoface")


class Constant:
    """Every normal faces the viewer."""

    def estimate(self, query: Query) -> Estimate:
        """As `Method`."""
        return Estimate(normal=np.broadcast_to(np.array([0, 0, 1], np.float32), query.photo.shape).copy())


class Copy:
    """Albedo is the photo, and relighting returns the photo."""

    def estimate(self, query: Query) -> Estimate:
        """As `Method`."""
        linear = srgb_to_linear(query.photo.astype(np.float32))
        return Estimate(albedo=linear, relight=lambda light: linear)


class ConstantAlbedo:
    """Constant albedo: the mean of the photo over the face."""

    def estimate(self, query: Query) -> Estimate:
        """As `Method`."""
        linear = srgb_to_linear(query.photo.astype(np.float32))
        inside = photo_mask(linear.shape[:2], query.face)
        colour = linear[inside if inside.any() else slice(None)].reshape(-1, 3).mean(axis=0)
        return Estimate(albedo=np.broadcast_to(colour, linear.shape).copy())


class MeanFace:
    """The same normals for all faces, aligned by the crop; light, albedo and relighting follow (`geometry.explain`).

    Args:
        normal: in the frame of our aligned crop.
    """

    def __init__(self, normal: Float[np.ndarray, "size size 3"]) -> None:
        self._normal = normalize(normal + np.array([0, 0, 1e-3], np.float32)).astype(np.float32)

    def estimate(self, query: Query) -> Estimate:
        """As `Method`."""
        return explain(query.photo, spread_normals(self._normal, query.crop(len(self._normal))))


class MeanFaces:
    """The mean of the other subjects of a benchmark, for each of its subjects."""

    def __init__(self, aligned: Mapping[str, Float[np.ndarray, "size size 3"]]) -> None:
        self._aligned = aligned

    def __call__(self, group: str) -> MeanFace:
        """The mean of all other subjects."""
        return MeanFace(np.mean([normal for name, normal in self._aligned.items() if name != group], axis=0))

    @classmethod
    def of(cls, benchmark: Benchmark) -> MeanFaces | None:
        """Of the true normals, or None where the benchmark has no such mean (or no two subjects)."""
        if benchmark.name not in _HAVE_MEAN or len(benchmark.groups) < 2:
            return None
        aligned = {}
        for group in benchmark.groups:
            first = next((item for item in benchmark.items(group) if isinstance(item, Item)), None)
            if first is not None and first.truth.normal is not None:
                aligned[group] = _aligned(first, first.truth.normal)
        return cls(aligned) if len(aligned) > 1 else None


def _aligned(item: Item, normal: Float[np.ndarray, "height width 3"]) -> Float[np.ndarray, "size size 3"]:
    crop = crop_face(item.face, item.photo.shape[:2], SIZE)
    return turn(extract((normal * item.truth.mask[..., None]).astype(np.float32), crop), upright(crop).T)

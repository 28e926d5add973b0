"""Pairs of views of one person with ground truth of a map in both, for pre-training AlignNets.

All views of a person in `align-albedo` share one texture style, so that view j shows the pattern of view i at other
places. Those in `align-normal` are one head under poses and deformations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from math import pi, sqrt
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from illures.data.cache import Batch, SampleCache
from illures.data.caching import build_cache, is_current
from illures.data.shards import ViewRecord, name_of, read_views, shard_paths
from illures.errors import InputError
from illures.faces.contour import draw_contour, points68
from illures.train.augment import flip
from illures.types import Sample


@dataclass(frozen=True)
class MapPairs:
    """A map of view i and the same map of view j, of one person each.

    Attributes:
        contour_i, contour_j: C of both views.
        source: the map of view i, linear albedo or unit normals, on all of the image.
        target: that of view j.
        mask_i, mask_j: 1 on the face, 0 elsewhere.
        landmarks_i, landmarks_j: the dense mesh in pixels.
    """

    contour_i: Float[Tensor, "batch height width 1"]
    contour_j: Float[Tensor, "batch height width 1"]
    source: Float[Tensor, "batch height width 3"]
    target: Float[Tensor, "batch height width 3"]
    mask_i: Float[Tensor, "batch height width 1"]
    mask_j: Float[Tensor, "batch height width 1"]
    landmarks_i: Float[Tensor, "batch 478 3"]
    landmarks_j: Float[Tensor, "batch 478 3"]

    def to(self, device: torch.device) -> MapPairs:
        """The same on a device."""
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def part(self, start: int, stop: int) -> MapPairs:
        """Some of the pairs."""
        return replace(self, **{f.name: getattr(self, f.name)[start:stop] for f in fields(self)})


class ViewPairs:
    """Samples pairs.

    Args:
        cache: of views.
        kind: which map.
        indices: of the views to draw from.
        gain: standard deviation (log) of the gain of each channel of an albedo, the same in both views.
        seed: of all randomness.

    Raises:
        InputError: no person has two views among them.
    """

    def __init__(
        self,
        cache: SampleCache,
        kind: Literal["albedo", "normal"],
        indices: Int[np.ndarray, " views"],
        gain: float,
        seed: int,
    ) -> None:
        self._cache, self._kind, self._gain, self._seed = cache, kind, gain, seed
        people: dict[tuple[int, int], list[int]] = {}
        for index in indices.tolist():
            people.setdefault((int(cache.set[index]), int(cache.identity[index])), []).append(index)
        self._views = {index: views for views in people.values() if len(views) > 1 for index in views}
        self._targets = np.array(sorted(self._views))
        if not len(self._targets):
            raise InputError("the sets hold no two views of a person: --poses or --expressions above 1 are needed")

    def __len__(self) -> int:
        """Number of views, each of which is a target once per epoch."""
        return len(self._targets)

    def drawn(self, seen: int, count: int) -> MapPairs:
        """The pairs that follow `seen` ones: other orders, partners, mirror images and gains in each epoch."""
        rng = np.random.default_rng([self._seed, 1, seen])
        epochs, places = np.divmod(np.arange(seen, seen + count), len(self))
        orders = {int(e): np.random.default_rng([self._seed, 0, int(e)]).permutation(len(self)) for e in set(epochs)}
        targets = [int(self._targets[orders[int(e)][k]]) for e, k in zip(epochs, places, strict=True)]
        batch = flip(self._read(targets, rng), rng, tied=2)
        if self._kind == "albedo":
            gains = torch.from_numpy(np.exp(rng.normal(0, self._gain, (count, 1, 1, 3)))).float().repeat(2, 1, 1, 1)
            batch = replace(batch, albedo=(batch.albedo * gains).clamp(max=1))
        return self._pairs(batch)

    def fixed(self, count: int) -> MapPairs:
        """Fixed pairs without augmentation, for validation."""
        rng = np.random.default_rng(0)
        targets = rng.permutation(self._targets)[:count].tolist()
        return self._pairs(self._read(targets, rng))

    def _read(self, targets: Sequence[int], rng: np.random.Generator) -> Batch:
        """Views i, then views j."""
        partners = [int(rng.choice([k for k in self._views[index] if k != index])) for index in targets]
        return self._cache.batch([*partners, *targets])

    def _pairs(self, batch: Batch) -> MapPairs:
        size, half = batch.mask.shape[1], len(batch.mask) // 2
        drawn = [draw_contour(points68(points), size) for points in batch.landmarks.numpy()]
        contour = torch.from_numpy(np.stack(drawn))[..., None]
        values = batch.albedo if self._kind == "albedo" else batch.normal
        parts = (contour, values, batch.mask, batch.landmarks)
        return MapPairs(*(side for part in parts for side in (part[:half], part[half:])))


def prepare_views(
    folders: list[Path], cache: Path, progress: Callable[[int], None] = lambda count: None
) -> SampleCache:
    """The cache of the views of each folder of shards, made under `cache` unless it is there and current.

    The image of a view without lights is its albedo, as under a white environment.

    Raises:
        InputError: a folder holds no shards, or shards that cannot be read, or the sizes differ.
    """
    made = []
    for k, folder in enumerate(folders):
        target = cache / f"views-{k}-{name_of(folder)}"
        shards = shard_paths(folder)
        if not is_current(target, shards):
            build_cache(_samples(shards, progress), target, np.zeros_like, str(folder))
        made.append(target)
    return SampleCache(made)


def _samples(shards: Sequence[Path], progress: Callable[[int], None]) -> Iterator[Sample]:
    for count, view in enumerate(read_views(shards), start=1):
        yield _under_white(view)
        progress(count)


def _under_white(view: ViewRecord) -> Sample:
    """A view in an environment of radiance 1, which shades every normal with 1."""
    light = np.zeros((9, 3), np.float32)
    light[0] = sqrt(4 * pi)
    return Sample(
        image=view.albedo,
        albedo=view.albedo,
        normal=view.normal,
        light=light,
        residual=np.zeros_like(view.albedo),
        mask=view.mask,
        region=view.region,
        context=None,
        landmarks=view.landmarks,
        contour=draw_contour(points68(view.landmarks), view.albedo.shape[0]),
        identity=view.identity,
        expression=view.expression,
        pose=view.pose,
        lighting=0,
        seed=view.seed,
    )

"""Benchmark `synthetic`: people of our own sets that training never saw, with all of A, N, L and R known.

Reads folders of shards as `illures synth` writes them. Albedo is scored up to a scale, skin tone as it is.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from illures.data.shards import ViewRecord, read_views, samples, shard_paths
from illures.data.split import is_held_out
from illures.errors import InputError
from illures.evaluate import metrics
from illures.evaluate.benchmark import Estimate, Item, Score, Truth
from illures.evaluate.scoring import drift, score_maps, score_reconstruction
from illures.evaluate.tone import tone_of
from illures.io.decoding import decoding, parse_json
from illures.math.color import linear_to_srgb
from illures.types import Face, Sample


class Synthetic:
    """See `illures.evaluate.benchmark.Benchmark`; a group is a person, an item one view under one light."""

    name = "synthetic"
    size = None

    def __init__(self, people: dict[str, tuple[int, tuple[Path, ...]]]) -> None:
        self._people = people
        self.groups = tuple(people)

    def items(self, group: str) -> Iterator[Item]:
        """All views of a person under all their lights."""
        identity, shards = self._people[group]
        views = [view for shard in shards for view in _views(shard) if view.identity == identity]
        for k, view in enumerate(views):
            for lit in samples(view):
                yield _item(f"{group}/{k}/{lit.lighting}", group, lit)

    def score(self, item: Item, estimate: Estimate) -> Score:
        """All maps, and skin tone."""
        score = score_maps(estimate, item)
        figures = score.figures | score_reconstruction(estimate, item.photo, item.truth.mask)
        if estimate.albedo is not None and item.truth.albedo is not None:
            found = metrics.fill_values(estimate.albedo[item.truth.mask])
            bias = metrics.ita_error_deg(found, item.truth.albedo[item.truth.mask])
            figures |= {"ita_bias_deg": bias, "ita_error_deg": abs(bias)}
        return replace(score, figures=figures, kept=(item.tags["view"], score.kept))

    def summarise(self, scores: Sequence[Score]) -> dict[str, float]:
        """Drift between the lights of each view, mean over the views."""
        views: dict[str, list] = {}
        for score in scores:
            views.setdefault(score.kept[0], []).append(score.kept[1])
        drifts = [found for kept in views.values() if (found := drift(kept))]
        return {name: float(np.mean([d[name] for d in drifts if name in d])) for name in (drifts[0] if drifts else ())}


def load(path: Path, *, share: float = 0.05, people: int | None = 100, seed: int = 0) -> Synthetic:
    """Open a folder of shards, or a folder of such folders.

    Args:
        path: the folder.
        share: of the identities that training held out (`held_out` of its recipe); 1 takes everybody.
        people: take that many at random at most; None takes all.
        seed: of that choice.

    Raises:
        InputError: there are no shards, one can't be read, or nobody was held out.
    """
    if not 0 < share <= 1:
        raise InputError(f"share {share}: must be above 0 and at most 1")
    folders = [path] if any(path.glob("*.tar")) else sorted(p for p in path.iterdir() if any(p.glob("*.tar")))
    if not folders:
        raise InputError(f"{path}: holds no .tar shards, nor do its folders")
    found: dict[str, tuple[int, tuple[Path, ...]]] = {}
    for folder in folders:
        for identity, shards in _identities(folder).items():
            if is_held_out(identity, share):
                found[f"{folder.resolve().name}/{identity}"] = (identity, tuple(shards))
    if not found:
        raise InputError(f"{path}: none of its people is among the {100 * share:g} % held out; give a larger share")
    if people is not None and people < len(found):
        chosen = set(np.random.default_rng(seed).choice(sorted(found), people, replace=False).tolist())
        found = {name: about for name, about in found.items() if name in chosen}
    return Synthetic(found)


def _item(name: str, group: str, lit: Sample) -> Item:
    truth = Truth(mask=lit.mask, normal=lit.normal, albedo=lit.albedo, light=lit.light, residual=lit.residual)
    x, y, z = lit.light[[3, 1, 2]].mean(axis=1)
    tags: dict[str, float | str] = {
        "set": group.rpartition("/")[0],
        "view": name.rpartition("/")[0],
        "tone": tone_of(lit.albedo[lit.mask]),
        "light_deg": float(np.degrees(np.arctan2(np.hypot(x, y), z))),
    }
    photo = linear_to_srgb(np.clip(lit.image, 0, 1)).astype(np.float32)
    return Item(name, group, photo, Face(lit.landmarks.astype(np.float32), 1.0), truth, tags)


def _identities(folder: Path) -> dict[int, list[Path]]:
    """The shards that show each person, from the small files of the views alone."""
    found: dict[int, list[Path]] = {}
    for shard in shard_paths(folder):
        with decoding(shard, "a shard"), tarfile.open(shard, "r:") as tar:
            for member in tar:
                if not member.name.endswith(".json") or not member.isreg() or member.issparse():
                    continue
                content = tar.extractfile(member)
                shards = found.setdefault(parse_json(content.read() if content else b"")["identity"], [])
                if shard not in shards:
                    shards.append(shard)
    return found


@lru_cache(maxsize=1)
def _views(shard: Path) -> tuple[ViewRecord, ...]:
    """All views of a shard; people come in the order of the shards, so that each is read once."""
    return tuple(view for view in read_views([shard]) if view.mask.any())

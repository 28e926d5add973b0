"""Benchmark `photos`: a folder of photos in the wild, without truth: does A ∘ f(N, L) + R give the photo back?

How large is R, which alone could explain any photo? And how much of the photo's colour detail does A keep? The largest
face of each photo counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from illures.errors import InputError
from illures.evaluate.benchmark import Estimate, Failure, Item, Score, Truth
from illures.evaluate.face_crop import cut_face_crop, window_around
from illures.evaluate.lpips import Lpips
from illures.evaluate.scoring import photo_mask, score_colour, score_maps, score_reconstruction
from illures.faces import find_faces
from illures.io.inputs import expand
from illures.io.photos import as_float, read_photo


class Photos:
    """See `illures.evaluate.benchmark.Benchmark`; every photo is a group of its own."""

    name = "photos"

    def __init__(self, files: Sequence[Path], lpips: Lpips | None) -> None:
        self._files = {file.name: file for file in files}
        self._lpips = lpips
        self.groups = tuple(self._files)
        self.size = len(self.groups)

    def items(self, group: str) -> Iterator[Item | Failure]:
        """One item, or a failure."""
        try:
            photo = read_photo(self._files[group])
        except InputError as error:
            yield Failure(group, group, str(error))
            return
        faces = find_faces(np.clip(as_float(photo), 0, 1))
        if not faces:
            yield Failure(group, group, f"{self._files[group]}: no face found")
            return
        shown, face = cut_face_crop(photo, faces[0], window_around(faces[0], photo.shape[:2]))
        yield Item(group, group, shown, face, Truth(photo_mask(shown.shape[:2], face)))

    def score(self, item: Item, estimate: Estimate) -> Score:
        """Colour kept, reconstruction, and coverage."""
        score = score_maps(estimate, item)
        figures = score.figures | score_colour(estimate, item)
        figures |= score_reconstruction(estimate, item.photo, item.truth.mask, self._lpips)
        return replace(score, figures=figures, kept=None)

    def summarise(self, scores: Sequence[Score]) -> dict[str, float]:
        """Nothing: photos are of different people."""
        return {}


def load(path: Path, *, lpips: Path | None = None, limit: int | None = None) -> Photos:
    """Open a folder of photos.

    Args:
        path: the folder; subfolders are not searched.
        lpips: folder of weights (see `illures.evaluate.lpips`).
        limit: take that many photos only, evenly over the list; None takes all.

    Raises:
        InputError: there is no photo in it.
    """
    files, problems = expand([path])
    if problems:
        raise problems[0][1]
    return Photos(evenly(files, limit), Lpips(lpips) if lpips else None)


def evenly(files: Sequence[Path], limit: int | None) -> list[Path]:
    """`limit` of the files, spread over their order."""
    if limit is None or limit >= len(files):
        return list(files)
    if limit < 1:
        raise InputError(f"limit {limit}: must be at least 1")
    return [files[int(k)] for k in np.linspace(0, len(files) - 1, limit).round()]

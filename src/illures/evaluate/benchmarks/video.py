"""Benchmark `video`: a folder of clips, one main face each: stability of albedo and normals.

Frames are aligned in the UV atlas of the dense landmark mesh, with the same landmarks for every method; no ground truth
is needed. Only skin counts, as lids, eyeballs and the open mouth really change. Each clip counts up to its first cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from illures.errors import InputError
from illures.evaluate import metrics
from illures.evaluate.benchmark import Estimate, Failure, Item, Score, Truth
from illures.evaluate.benchmarks.photos import evenly
from illures.evaluate.face_crop import centre_of, cut_face_crop, window_around
from illures.evaluate.lpips import Lpips
from illures.evaluate.scoring import Kept, drift, photo_mask, score_maps, score_reconstruction
from illures.evaluate.uv_maps import seen_skin, to_uv_atlas
from illures.faces import atlas, scale_of
from illures.faces.track import FaceTracker
from illures.math.color import srgb_to_linear
from illures.math.normals import normalize, turn
from illures.types import Face, FaceCrop
from illures.video.cuts import CutDetector
from illures.video.read import read_frames

SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
_LEAST_TEXELS = 50
# Largest motion of the face in the window [of its side] and largest change of size [log] before a new window.
_LEAVE, _GROWTH = 0.1, 0.15


@dataclass(frozen=True)
class UVMaps:
    """One frame in the atlas.

    Attributes:
        index: of the frame.
        seen: texels of skin that face the viewer.
        photo: linear.
        albedo: or None.
        normal: in the frame of the head, or None.
    """

    index: int
    seen: Bool[np.ndarray, "size size"]
    photo: Float[np.ndarray, "size size 3"]
    albedo: Float[np.ndarray, "size size 3"] | None
    normal: Float[np.ndarray, "size size 3"] | None


class Video:
    """See `illures.evaluate.benchmark.Benchmark`; a group is a clip, an item a frame."""

    name = "video"
    size = None

    def __init__(self, files: Sequence[Path], frames: int, lpips: Lpips | None) -> None:
        self._files = {file.stem: file for file in files}
        self._frames, self._lpips = frames, lpips
        self.groups = tuple(self._files)

    def items(self, group: str) -> Iterator[Item | Failure]:
        """Successive frames from the first that shows a face, up to a cut; frames that lost the face are failures."""
        file, tracker, cuts, main, count = self._files[group], FaceTracker(), CutDetector(), -1, 0
        window: FaceCrop | None = None
        try:
            for frame in read_frames(file):
                if cuts.is_cut(frame.image) and count:
                    break
                faces = {tracked.track: tracked.face for tracked in tracker(frame.image)}
                main = next(iter(faces), -1) if main < 0 else main
                if main < 0:
                    continue
                name = f"{group}/{frame.index:05d}"
                face = faces.get(main)
                if face:
                    size = frame.image.shape[0], frame.image.shape[1]
                    window = _moved(window, face, size) if window else window_around(face, size)
                    yield _item(name, group, frame.index, frame.image, face, window)
                else:
                    yield Failure(name, group, "face lost")
                count += 1
                if count == self._frames:
                    break
        except InputError as error:
            yield Failure(group, group, str(error))
            return
        if not count:
            yield Failure(group, group, f"{file}: no face found")

    def score(self, item: Item, estimate: Estimate) -> Score:
        """Reconstruction, and the data for the clip's figures."""
        score = score_maps(estimate, item)
        figures = score.figures | score_reconstruction(estimate, item.photo, item.truth.mask, self._lpips)
        return replace(score, figures=figures, kept=_uv_maps(item, estimate))

    def summarise(self, scores: Sequence[Score]) -> dict[str, float]:
        """Drift and detail over all frames, flicker over the longest run of successive ones, at texels always seen."""
        frames: list[UVMaps] = [score.kept for score in scores]
        if not frames:
            return {}
        seen = np.logical_and.reduce([frame.seen for frame in frames])
        if seen.sum() < _LEAST_TEXELS:
            return {}
        figures = drift([Kept(*(None if v is None else v[seen] for v in (f.normal, f.albedo))) for f in frames])
        details = [metrics.gradient_correlation(f.albedo, f.photo, seen) for f in frames if f.albedo is not None]
        if details:
            figures["albedo_detail_corr"] = float(np.mean(details))
        run = [frame.albedo[seen] for frame in _longest_run(frames) if frame.albedo is not None]
        if len(run) > 2:
            figures["albedo_flicker_rel"] = metrics.flicker(np.stack(run))
            figures["albedo_flicker_contrast"] = metrics.flicker_over_contrast(np.stack(run))
        return figures


def load(path: Path, *, frames: int = 24, clips: int | None = None, lpips: Path | None = None) -> Video:
    """Open a folder of clips.

    Args:
        path: the folder.
        frames: successive frames of each clip at most.
        clips: take that many only, evenly over the list; None takes all.
        lpips: folder of weights (see `illures.evaluate.lpips`).

    Raises:
        InputError: there is no clip in it, or a number makes no sense.
    """
    if frames < 2:
        raise InputError(f"frames {frames}: drift needs at least 2")
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(f"{path}: holds no clips ({', '.join(SUFFIXES)})")
    return Video(evenly(files, clips), frames, Lpips(lpips) if lpips else None)


def _moved(window: FaceCrop, face: Face, photo_size: tuple[int, int]) -> FaceCrop:
    """The window, or a new one if the face has moved off its centre or changed its size.

    A window that follows every frame would shake with the noise of the landmarks. Methods with a memory would then see
    a moving camera.
    """
    wanted = window_around(face, photo_size)
    reach, growth = window.size / scale_of(window), wanted.size / scale_of(wanted) * scale_of(window) / window.size
    moved = np.abs(centre_of(wanted) - centre_of(window)).max()
    kept = moved < _LEAVE * reach and abs(np.log(growth)) < _GROWTH
    return window if kept else wanted


def _item(name: str, group: str, index: int, image: np.ndarray, face: Face, window: FaceCrop) -> Item:
    shown, found = cut_face_crop(image, face, window)
    return Item(name, group, shown, found, Truth(photo_mask(shown.shape[:2], found)), {"frame": float(index)})


def _uv_maps(item: Item, estimate: Estimate) -> UVMaps:
    """The maps in the UV atlas; normals are rotated to the frame of the head."""
    normal, albedo = None, None
    if estimate.normal is not None:
        points, _ = metrics.fill_normals(estimate.normal.reshape(-1, 3))
        filled = to_uv_atlas(points.reshape(estimate.normal.shape).astype(np.float32), item.face)
        normal = normalize(turn(filled, atlas.head_rotation(item.face.landmarks).T)).astype(np.float32)
    if estimate.albedo is not None:
        filled = metrics.fill_values(estimate.albedo.reshape(-1, 3)).reshape(estimate.albedo.shape)
        albedo = to_uv_atlas(filled.astype(np.float32), item.face)
    photo = to_uv_atlas(srgb_to_linear(item.photo).astype(np.float32), item.face)
    return UVMaps(int(item.tags["frame"]), seen_skin(item.face), photo, albedo, normal)


def _longest_run(frames: list[UVMaps]) -> list[UVMaps]:
    runs: list[list[UVMaps]] = []
    for frame in frames:
        if runs and frame.index == runs[-1][-1].index + 1:
            runs[-1].append(frame)
        else:
            runs.append([frame])
    return max(runs, key=len)

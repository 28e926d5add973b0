"""Select the best frames of a clip: track the main face of each shot, measure, choose different frames, crop."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

from illures.data.choice import Quality, describe, farthest, measure
from illures.data.footage import Footage, frame_points, read_points
from illures.data.frames import FrameRecord
from illures.errors import InputError
from illures.faces import alignment, extract, face_mask, points68, to_crop
from illures.faces.landmarks import ENLARGE, Region, follow
from illures.faces.pose import HeadPose, head_pose
from illures.faces.track import FaceTracker, TrackedFace, face_size
from illures.types import Face, FaceCrop
from illures.video.cuts import CutDetector
from illures.video.read import Frame, read_frames

_SHARP = 80  # percentile of sharpness in a shot that counts as sharp
_OUTSIDE = 0.03  # share of the landmarks that may lie outside the picture
_FOREHEAD = 1.15  # the 68 points end at the brows: the whole face is higher by this much


@dataclass(frozen=True)
class VideoRecipe:
    """Settings for extracting frames from clips.

    Attributes:
        size: side of the crops [px].
        frames_per_clip: frames kept, at most.
        per_second: frames examined per second; all are tracked.
        smallest: width of the smallest face used, in shares of `size` (0.6 enlarges it by up to about 1.4).
        yaw_limit_deg: faces turned further are left out; landmarks are good to about 65.
        least_score: of the landmark network, in [0, 1].
        least_sharpness: relative to the sharp frames of the shot.
        most_clipped: share of the face that may be over-exposed.
        most_black: share of the face that may be without any light.
        least_change: frames closer than this to a kept one are skipped; 1 is a clear change (see `choice`).
    """

    size: Literal[128, 256] = 128
    frames_per_clip: int = 24
    per_second: float = 12.0
    smallest: float = 0.6
    yaw_limit_deg: float = 60.0
    least_score: float = 0.8
    least_sharpness: float = 0.7
    most_clipped: float = 0.35
    most_black: float = 0.5
    least_change: float = 0.25

    def __post_init__(self) -> None:
        """Raise an InputError for impossible values."""
        for name in ("size", "frames_per_clip"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} = {getattr(self, name)}: must be at least 1")
        for name in ("per_second", "smallest", "yaw_limit_deg"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} = {getattr(self, name)}: must be above 0")


@dataclass(frozen=True)
class Candidate:
    """A face that was looked at, in the pixels of its frame; `features` is its descriptor."""

    frame: int
    time_s: float
    shot: int
    track: int
    face: Face
    crop: FaceCrop
    pose: HeadPose
    quality: Quality
    features: Float[np.ndarray, " features"]


@dataclass
class Tally:
    """Counts of the frames of a clip.

    Attributes:
        frames: decoded.
        shots: found.
        looked: candidates, main faces of their shots.
        rejected: candidates by reason.
    """

    frames: int = 0
    shots: int = 1
    looked: int = 0
    rejected: Counter[str] = field(default_factory=Counter)


def best_frames(footage: Footage, recipe: VideoRecipe) -> tuple[list[FrameRecord], Tally]:
    """The frames of a clip that are kept, in order of time. The clip is decoded twice, so that memory stays small.

    Raises:
        InputError: the clip can't be read.
    """
    candidates, tally = _candidates(footage, recipe)
    good = _good(candidates, recipe, tally)
    if not good:
        return [], tally
    features = np.stack([candidate.features for candidate in good])
    first = int(np.argmax([candidate.quality.sharpness for candidate in good]))
    chosen = farthest(features, first, recipe.frames_per_clip, recipe.least_change)
    kept = {good[k].frame: good[k] for k in chosen}
    if len(kept) < len(good):
        tally.rejected["like another"] = len(good) - len(kept)
    return list(_records(footage, kept)), tally


def _candidates(footage: Footage, recipe: VideoRecipe) -> tuple[list[Candidate], Tally]:
    """Faces of the main track of each shot."""
    cuts, tracker, tally = CutDetector(), FaceTracker(smallest=recipe.smallest * recipe.size), Tally()
    files = frame_points(footage.annotations) if footage.annotations is not None else None
    found: list[Candidate] = []
    sizes: dict[tuple[int, int], float] = defaultdict(float)
    next_look = -np.inf
    for frame in read_frames(footage.path):
        tally.frames += 1
        if cuts.is_cut(frame.image):
            tracker.reset()
            tally.shots += 1
        faces = tracker(frame.image) if files is None else _marked(frame, files.get(frame.index))
        shot = tally.shots - 1
        for tracked in faces:
            sizes[shot, tracked.track] += face_size(tracked.face)
        if faces and frame.time_s >= next_look:
            next_look = frame.time_s + (1 - 1e-6) / recipe.per_second
            points = read_points(files[frame.index]) if files is not None else points68(faces[0].face.landmarks)[:, :2]
            found.append(_look(frame, shot, faces[0], points, recipe))
    main = {shot: max((k for k in sizes if k[0] == shot), key=lambda k: sizes[k])[1] for shot, _ in sizes}
    found = [candidate for candidate in found if candidate.track == main[candidate.shot]]
    tally.looked = len(found)
    return found, tally


def _marked(frame: Frame, file: Path | None) -> list[TrackedFace]:
    """The face of an annotated frame."""
    if file is None:
        return []
    points = read_points(file)
    low, high = points.min(0), points.max(0)
    across = points[42:48].mean(0) - points[36:42].mean(0)
    region = Region((low + high) / 2, ENLARGE * _FOREHEAD * float((high - low).max()), float(np.arctan2(*across[::-1])))
    face = follow(frame.image, region)
    return [] if face is None else [TrackedFace(face, 0)]


def _look(
    frame: Frame, shot: int, tracked: TrackedFace, points: Float[np.ndarray, "68 2"], recipe: VideoRecipe
) -> Candidate:
    height, width = frame.image.shape[:2]
    crop = FaceCrop(alignment(points, recipe.size), recipe.size, (height, width), tracked.face)
    image, mask, landmarks = _cut_out(frame.image, crop)
    return Candidate(
        frame=frame.index,
        time_s=frame.time_s,
        shot=shot,
        track=tracked.track,
        face=tracked.face,
        crop=crop,
        pose=head_pose(tracked.face.landmarks),
        quality=measure(image, mask),
        features=describe(image, landmarks, mask),
    )


def _good(candidates: list[Candidate], recipe: VideoRecipe, tally: Tally) -> list[Candidate]:
    """Candidates without a fault, with sharpness relative to that of their shot; faults are counted."""
    passed = []
    for candidate in candidates:
        fault = _fault(candidate, recipe)
        if fault is None:
            passed.append(candidate)
        else:
            tally.rejected[fault] += 1
    sharp: dict[int, list[float]] = defaultdict(list)
    for candidate in passed:
        sharp[candidate.shot].append(candidate.quality.sharpness)
    usual = {shot: max(float(np.percentile(values, _SHARP)), 1e-6) for shot, values in sharp.items()}
    good = []
    for candidate in passed:
        relative = candidate.quality.sharpness / usual[candidate.shot]
        if relative < recipe.least_sharpness:
            tally.rejected["blurred"] += 1
        else:
            good.append(replace(candidate, quality=replace(candidate.quality, sharpness=relative)))
    return good


def _fault(candidate: Candidate, recipe: VideoRecipe) -> str | None:
    """Reason to reject a candidate on its own, or None."""
    points, (height, width) = candidate.face.landmarks[:, :2], candidate.crop.photo_size
    outside = ((points < -0.5) | (points > [width - 0.5, height - 0.5])).any(1).mean()
    faults = {
        "no sure face": candidate.face.score < recipe.least_score,
        "face too small": face_size(candidate.face) < recipe.smallest * recipe.size,
        "cut off by the frame": outside > _OUTSIDE,
        "turned too far": abs(candidate.pose.yaw_deg) > recipe.yaw_limit_deg,
        "over-exposed": candidate.quality.clipped > recipe.most_clipped,
        "too dark": candidate.quality.black > recipe.most_black,
    }
    return next((reason for reason, applies in faults.items() if applies), None)


def _records(footage: Footage, kept: dict[int, Candidate]) -> Iterator[FrameRecord]:
    """Decode again, and crop the chosen frames."""
    last = max(kept)
    for frame in read_frames(footage.path):
        candidate = kept.get(frame.index)
        if candidate is not None:
            image, mask, landmarks = _cut_out(frame.image, candidate.crop)
            yield FrameRecord(
                image=image,
                mask=mask > 0.5,
                landmarks=landmarks,
                clip=footage.name,
                frame=frame.index,
                time_s=frame.time_s,
                shot=candidate.shot,
                identity=footage.identity,
                licence=footage.licence,
                pose=candidate.pose,
                score=candidate.face.score,
                face_px=face_size(candidate.face),
                sharpness=candidate.quality.sharpness,
                clipped=candidate.quality.clipped,
                black=candidate.quality.black,
            )
        if frame.index >= last:
            return


def _cut_out(
    picture: UInt8[np.ndarray, "height width 3"], crop: FaceCrop
) -> tuple[UInt8[np.ndarray, "s s 3"], Float[np.ndarray, "s s"], Float[np.ndarray, "478 3"]]:
    """The crop's image, mask and landmarks."""
    image = extract(picture, crop)
    landmarks = to_crop(crop.face.landmarks, crop)
    return image, face_mask(image.astype(np.float32) / 255, landmarks), landmarks

"""Extended Yale B: photos under known lights with normals and albedo from photometric stereo.

Source: Georghiades, Belhumeur and Kriegman, PAMI 2001; Lee, Ho and Kriegman, PAMI 2005. Ground truth is good to 4–5°.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from illures.errors import InputError
from illures.evaluate.methods import Method
from illures.evaluate.metrics import (
    NormalScore,
    albedo_drift,
    albedo_error,
    mean_score,
    normal_score,
    shading_error,
    without_tilt,
)
from illures.faces import find_faces
from illures.math.color import linear_to_srgb
from illures.render import shade
from illures.types import Face

Lights = Literal["natural", "flash"]
_FLASH_LIMIT_DEG = 70.0  # flashes farther off axis leave most of the face black


@dataclass(frozen=True)
class Subject:
    """One face under several lights, frontal, not moving.

    Attributes:
        name: as in the file name, such as "B02".
        photos: sRGB-encoded, in [0, 1], grey in three channels.
        lights: SH coefficients of each photo's light, one channel; None for flashes.
        normal: camera frame; albedo: linear, up to a scale.
        mask: the pixels that count.
        face: found in the mean of the photos, which is evenly lit.
    """

    name: str
    photos: Float[np.ndarray, "lights height width 3"]
    lights: Float[np.ndarray, "lights 9"] | None
    normal: Float[np.ndarray, "height width 3"]
    albedo: Float[np.ndarray, "height width"]
    mask: Bool[np.ndarray, "height width"]
    face: Face


@dataclass(frozen=True)
class YaleBScore:
    """Means over all photos; `tilt_free` is the normal error with each map's global tilt fitted out.

    Attributes:
        photos: how many photos were scored.
        normal: on `mask`.
        tilt_free: likewise.
        albedo: relative error after the best scale, or None for methods without albedo.
        drift: change of the albedo between the lights of one face, or None.
        light: relative error of the shading that the light gives to the true normals, or None.
    """

    photos: int
    normal: NormalScore
    tilt_free: NormalScore
    albedo: float | None
    drift: float | None
    light: float | None


def load_yaleb(folder: Path, lights: Lights, mask: Literal["mask", "mask_strict"] = "mask") -> Iterator[Subject]:
    """Read the subjects from a folder that holds `yaleb/` and `yaleb_relit/`.

    Raises:
        InputError: there are none, or no face is found in one.
    """
    files = sorted((folder / "yaleb").glob("yaleB*.npz"))
    if not files:
        raise InputError(f"{folder}: holds no yaleb/yaleB*.npz")
    for file in files:
        with np.load(file) as data:
            truth = {key: data[key] for key in ("normals", "albedo", mask, "images", "light_dir", "used")}
        coefficients = None
        if lights == "natural":
            with np.load(folder / "yaleb_relit" / file.name) as relit:
                photos, coefficients = relit["images_srgb"] / np.float32(255), relit["sh9"]
        else:
            off_axis = np.degrees(np.arccos(np.clip(truth["light_dir"][:, 2], -1, 1)))
            chosen = truth["images"][truth["used"] & (off_axis <= _FLASH_LIMIT_DEG)]
            photos = linear_to_srgb(chosen / np.float32(255))
        photos = np.repeat(photos.astype(np.float32)[..., None], 3, axis=-1)
        faces = find_faces(_evenly_lit(truth["images"][truth["used"]]))
        if not faces:
            raise InputError(f"{file}: no face found in the mean of its photos")
        yield Subject(
            file.stem.removeprefix("yale"),
            photos,
            coefficients,
            truth["normals"].astype(np.float32),
            truth["albedo"].astype(np.float32),
            truth[mask],
            faces[0],
        )


def _evenly_lit(images: np.ndarray) -> Float[np.ndarray, "height width 3"]:
    mean = images.mean(axis=0)
    mean = linear_to_srgb(np.clip(mean / np.percentile(mean, 95) * 0.6, 0, 1))
    return np.repeat(mean[..., None], 3, axis=-1).astype(np.float32)


def score(method: Method, subjects: list[Subject]) -> YaleBScore:
    """Run a method on every photo of every subject."""
    normals, tilt_free, albedos, drifts, lights = [], [], [], [], []
    for subject in subjects:
        mask, true = subject.mask, subject.normal[subject.mask]
        per_light = []
        for k, photo in enumerate(subject.photos):
            found = method.estimate(photo, subject)
            normals.append(normal_score(found.normal[mask], true))
            tilt_free.append(normal_score(without_tilt(found.normal[mask], true), true))
            if found.albedo is not None:
                per_light.append(found.albedo[mask].mean(axis=-1))
                albedos.append(albedo_error(per_light[-1], subject.albedo[mask]))
            if found.light is not None and subject.lights is not None:
                true_light = np.repeat(subject.lights[k][:, None], 3, axis=1).astype(np.float32)
                ours, theirs = (shade(true, light).mean(axis=-1) for light in (found.light, true_light))
                lights.append(shading_error(ours, theirs))
        if per_light:
            drifts.append(albedo_drift(np.stack(per_light)))
    return YaleBScore(
        len(normals), mean_score(normals), mean_score(tilt_free), _mean(albedos), _mean(drifts), _mean(lights)
    )


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None

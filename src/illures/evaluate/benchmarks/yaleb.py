"""Benchmark `yaleb`: Extended Yale B, photos under known lights with normals and albedo from photometric stereo.

Reads either the prepared files, `yaleb/yaleBNN.npz` and `yaleb_relit/yaleBNN.npz` (layout: docs/benchmarks.md),
or the original `CroppedYale` folder of .pgm photos (`illures.evaluate.benchmarks.cropped_yale`), which is measured as
it is read.
Ground truth is good to 4-5 degrees. Source: Georghiades, Belhumeur, Kriegman, PAMI 2001; Lee, Ho, Kriegman, PAMI 2005.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from illures.errors import InputError
from illures.evaluate.benchmark import Estimate, Item, Score, Target, Truth
from illures.evaluate.benchmarks import cropped_yale
from illures.evaluate.lpips import Lpips
from illures.evaluate.metrics import angle_to_viewer_deg
from illures.evaluate.scoring import drift, score_maps, score_relight
from illures.io.decoding import read_npz
from illures.io.environment_maps import load_hdris, rotated
from illures.math.color import linear_to_srgb
from illures.math.sh import main_direction
from illures.types import Face

LIGHTS = ("natural", "flash")
MASKS = ("mask", "mask_strict")
FLASH_LIMIT_DEG = 70.0  # flashes farther off axis leave most of the face black
# Upper ends of the subsets of light angle that face recognition reports on Yale B [deg off axis].
SUBSETS_DEG = (12.0, 25.0, 50.0, 77.0)
_NATURAL = 8  # natural lights a subject, where they are made from environment maps


@dataclass(frozen=True)
class Subject:
    """One face under several lights, frontal, not moving.

    Attributes:
        name: as in the file name, such as "B02".
        photos: sRGB-encoded, in [0, 1], grey in three channels.
        labels: of the lights; unique.
        lights: SH coefficients of each photo's light, one channel; None for flashes.
        light_deg: angle of each light's main direction off the camera's axis [deg].
        normal: camera frame; albedo: linear, up to a scale.
        mask: the pixels that count.
        face: found in the mean of the photos, which is evenly lit.
    """

    name: str
    photos: Float[np.ndarray, "lights height width 3"]
    labels: tuple[str, ...]
    lights: Float[np.ndarray, "lights 9"] | None
    light_deg: Float[np.ndarray, " lights"]
    normal: Float[np.ndarray, "height width 3"]
    albedo: Float[np.ndarray, "height width"]
    mask: Bool[np.ndarray, "height width"]
    face: Face


class YaleB:
    """See `illures.evaluate.benchmark.Benchmark`; a group is a subject, an item one of its lights."""

    name = "yaleb"
    size = None

    def __init__(self, subjects: dict[str, Callable[[], Subject]], lights: str, lpips: Lpips | None) -> None:
        self._read, self._lights, self._lpips = subjects, lights, lpips
        self.groups = tuple(subjects)

    def subject(self, group: str) -> Subject:
        """All of one subject.

        Raises:
            InputError: as `items`.
        """
        return self._read[group]()

    def items(self, group: str) -> Iterator[Item]:
        """One a light. Under natural lights each knows all the others of its subject as targets to relight to."""
        subject = self.subject(group)
        ids = [f"{group}/{self._lights}/{label}" for label in subject.labels]
        lights = [_grey_light(light) for light in subject.lights] if subject.lights is not None else None
        targets = [Target(*about) for about in zip(ids, lights, subject.photos, strict=True)] if lights else []
        albedo = np.repeat(subject.albedo[..., None], 3, axis=-1)
        for k, (name, photo, angle) in enumerate(zip(ids, subject.photos, subject.light_deg, strict=True)):
            truth = Truth(
                mask=subject.mask,
                normal=subject.normal,
                albedo=albedo,
                light=lights[k] if lights else None,
                targets=tuple(target for target in targets if target.id != name),
            )
            angle = float(angle)
            yield Item(name, group, photo, subject.face, truth, self._tags(subject.labels[k], angle))

    def _tags(self, label: str, angle: float) -> dict[str, float | str]:
        return {"lights": self._lights, "light": label, "light_deg": angle, "subset": subset_of(angle)}

    def score(self, item: Item, estimate: Estimate) -> Score:
        """Maps and relighting."""
        score = score_maps(estimate, item)
        figures = score.figures | score_relight(estimate, item.truth, self._lpips)
        return Score(figures, score.pixels, score.histogram, score.kept)

    def summarise(self, scores: Sequence[Score]) -> dict[str, float]:
        """Drift of albedo and normals between the lights of one subject."""
        return drift([score.kept for score in scores])


def load(
    path: Path,
    *,
    lights: str = "natural",
    mask: str = "mask",
    hdri: Path | None = None,
    lpips: Path | None = None,
) -> YaleB:
    """Open the benchmark.

    Args:
        path: folder that holds `yaleb/` and `yaleb_relit/`, or CroppedYale.
        lights: sums of flash photos as natural light, or single flashes up to 70 degrees off axis.
        mask: the face, or (prepared files only) without eyes, brows, nostrils, lip line and highlights.
        hdri: for natural lights from CroppedYale: folder of environment maps.
        lpips: folder of weights (see `illures.evaluate.lpips`).

    Raises:
        InputError: the folder holds neither layout, a file is missing, or an option does not fit.
    """
    for name, value, words in (("lights", lights, LIGHTS), ("mask", mask, MASKS)):
        if value not in words:
            raise InputError(f"{name} {value!r}: must be one of {', '.join(words)}")
    perceptual = Lpips(lpips) if lpips else None
    original = cropped_yale.subject_folders(path)
    if not original:
        return YaleB(_prepared_subjects(path, lights, mask), lights, perceptual)
    if mask != "mask":
        raise InputError(f"{path}: photos come without {mask}; only the prepared files have it")
    if lights == "natural" and hdri is None:
        raise InputError(f"{path}: natural lights from flash photos need a folder of environment maps (option hdri)")
    maps = _turned_maps(hdri) if lights == "natural" and hdri else {}
    readers = {_short(name): _Original(folder, _short(name), maps) for name, folder in original.items()}
    return YaleB(dict(readers), lights, perceptual)


def subset_of(angle_deg: float) -> str:
    """Subset of Yale B that a light belongs to, "1" (up to 12 degrees off axis) to "5" (beyond 77)."""
    return str(1 + int(np.searchsorted(SUBSETS_DEG, angle_deg)))


@dataclass(frozen=True)
class _Prepared:
    """Reads one subject from the prepared files."""

    folder: Path
    file: str
    lights: str
    mask: str

    def __call__(self) -> Subject:
        truth = _arrays(
            self.folder / "yaleb" / self.file,
            ("normals", "albedo", self.mask, "images", "light_dir", "azimuth", "elevation", "used"),
        )
        used, linear = truth["used"], truth["images"] / np.float32(255)
        if self.lights == "natural":
            relit = _arrays(self.folder / "yaleb_relit" / self.file, ("images_srgb", "sh9"))
            photos, light = relit["images_srgb"] / np.float32(255), relit["sh9"].astype(np.float32)
            labels, angles = tuple(str(k) for k in range(len(photos))), _main_angles(light)
        else:
            angles = angle_to_viewer_deg(truth["light_dir"])
            chosen = np.flatnonzero(used & (angles <= FLASH_LIMIT_DEG))
            photos, light, angles = linear_to_srgb(linear[chosen]), None, angles[chosen]
            labels = tuple(f"A{truth['azimuth'][k]:+04d}E{truth['elevation'][k]:+03d}" for k in chosen)
        return Subject(
            name=_short(self.file),
            photos=_grey(photos),
            labels=labels,
            lights=light,
            light_deg=angles,
            normal=truth["normals"].astype(np.float32),
            albedo=truth["albedo"].astype(np.float32),
            mask=truth[self.mask],
            face=cropped_yale.even_face(linear[used], str(self.folder / "yaleb" / self.file)),
        )


@dataclass(frozen=True)
class _Original:
    """Measures one subject of CroppedYale; under natural lights where there are maps."""

    folder: Path
    name: str
    maps: dict[str, np.ndarray]

    def __call__(self) -> Subject:
        measured = cropped_yale.measure(self.folder)
        if self.maps:
            lit = [cropped_yale.natural_light(measured, radiance) for radiance in self.maps.values()]
            linear, light = np.stack([photo for photo, _ in lit]), np.stack([c for _, c in lit]).astype(np.float32)
            labels, angles = tuple(self.maps), _main_angles(light)
        else:
            angles = angle_to_viewer_deg(measured.direction)
            near = np.flatnonzero(angles <= FLASH_LIMIT_DEG)
            linear, light, angles = measured.images[near], None, angles[near]
            labels = tuple(measured.names[k] for k in near)
        return Subject(
            name=self.name,
            photos=_grey(linear_to_srgb(np.clip(linear, 0, 1))),
            labels=labels,
            lights=light,
            light_deg=angles,
            normal=measured.normal,
            albedo=measured.albedo,
            mask=measured.mask,
            face=measured.face,
        )


def _prepared_subjects(path: Path, lights: str, mask: str) -> dict[str, Callable[[], Subject]]:
    files = sorted((path / "yaleb").glob("yaleB*.npz"))
    if not files:
        raise InputError(f"{path}: holds neither yaleb/yaleB*.npz nor CroppedYale/yaleBNN/yaleBNN_P00A*.pgm")
    relit = path / "yaleb_relit"
    missing = [file.name for file in files if lights == "natural" and not (relit / file.name).is_file()]
    if missing:
        raise InputError(f"{relit}: lacks {', '.join(missing)}")
    return {_short(file.stem): _Prepared(path, file.name, lights, mask) for file in files}


def _arrays(file: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Arrays of a prepared file.

    Raises:
        InputError: it can't be read or lacks one.
    """
    data = read_npz(file, 8 << 30)
    lacking = [name for name in names if name not in data]
    if lacking:
        raise InputError(f"{file}: lacks {', '.join(lacking)}")
    return {name: data[name] for name in names}


def _turned_maps(folder: Path) -> dict[str, np.ndarray]:
    """Eight of the folder's maps, evenly over its list, each turned about the vertical by another eighth."""
    maps = load_hdris(folder)
    names = [list(maps)[k] for k in np.unique(np.linspace(0, len(maps) - 1, _NATURAL).round().astype(int))]
    angles = 2 * np.pi * np.arange(len(names)) / _NATURAL
    return {name: rotated(maps[name], _about_vertical(angle)) for name, angle in zip(names, angles, strict=True)}


def _about_vertical(angle: float) -> Float[np.ndarray, "3 3"]:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])


def _short(name: str) -> str:
    return name.removeprefix("yale").removesuffix(".npz")


def _grey(photos: Float[np.ndarray, "lights height width"]) -> Float[np.ndarray, "lights height width 3"]:
    return np.repeat(photos.astype(np.float32)[..., None], 3, axis=-1)


def _grey_light(light: Float[np.ndarray, "9"]) -> Float[np.ndarray, "9 3"]:
    return np.repeat(light.astype(np.float32)[:, None], 3, axis=1)


def _main_angles(lights: Float[np.ndarray, "lights 9"]) -> Float[np.ndarray, " lights"]:
    return angle_to_viewer_deg(np.stack([main_direction(_grey_light(light)) for light in lights]))

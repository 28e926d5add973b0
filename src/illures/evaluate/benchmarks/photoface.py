"""Benchmark `photoface`: the Photoface database, four photos a session each under its own flash.

Layout, as distributed (Zafeiriou et al., IEEE TIFS 2013): `PhotofaceDB/<person>/<date_time>/` with `im0.bmp` to
`im3.bmp` and `LightSource.m`, whose last brackets hold zenith and azimuth [deg] of the four flashes, one row each.
Normals are not part of the download (its authors' `sn.mat` is made from the same four photos): they are computed here,
by least squares over the four. No document that we know says from which axis and in which sense azimuth is counted. Of
the eight possibilities, the one whose normals are closest to the landmark mesh is taken; wrong ones are off by 45
degrees.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float

from illures.errors import InputError
from illures.evaluate.benchmark import Estimate, Failure, Item, Score, Truth
from illures.evaluate.benchmarks.cropped_yale import even_face
from illures.evaluate.benchmarks.photometric_stereo import Flashes, lambert_stereo
from illures.evaluate.scoring import drift, photo_mask, score_maps
from illures.faces import mesh_normals
from illures.io.decoding import decoding
from illures.math.color import linear_to_srgb
from illures.math.normals import angular_error_deg
from illures.types import Face

PEOPLE = 100  # as the method that we follow reports
_FLASHES = 4
_FITS_DEG = 25.0  # mean angle to the mesh beyond which the angles cannot be those of these photos


@dataclass(frozen=True)
class Session:
    """One sitting.

    Attributes:
        photos: sRGB-encoded, grey in three channels, one a flash.
        normal: camera frame, by photometric stereo.
        albedo: linear, up to a scale.
        mask: face, not black or saturated in more than one photo.
        off_axis_deg: angle of each flash off the camera's axis.
        face: found in the mean of the photos.
    """

    photos: Float[np.ndarray, "4 height width 3"]
    normal: Float[np.ndarray, "height width 3"]
    albedo: Float[np.ndarray, "height width"]
    mask: Bool[np.ndarray, "height width"]
    off_axis_deg: Float[np.ndarray, "4"]
    face: Face


class Photoface:
    """See `illures.evaluate.benchmark.Benchmark`; a group is a person, an item one photo of one session."""

    name = "photoface"

    def __init__(self, people: dict[str, Path]) -> None:
        self._people = people
        self.groups = tuple(people)
        self.size = _FLASHES * len(people)

    def items(self, group: str) -> Iterator[Item | Failure]:
        """The four photos of the person's session."""
        try:
            session = read_session(self._people[group])
        except InputError as error:
            yield Failure(group, group, str(error))
            return
        albedo = np.repeat(session.albedo[..., None], 3, axis=-1)
        truth = Truth(mask=session.mask, normal=session.normal, albedo=albedo)
        for k, (photo, angle) in enumerate(zip(session.photos, session.off_axis_deg, strict=True)):
            yield Item(f"{group}/im{k}", group, photo, session.face, truth, {"light_deg": float(angle)})

    def score(self, item: Item, estimate: Estimate) -> Score:
        """Normals and albedo."""
        return score_maps(estimate, item)

    def summarise(self, scores: Sequence[Score]) -> dict[str, float]:
        """Drift between the flashes of the session."""
        return drift([score.kept for score in scores])


def load(path: Path, *, people: int = PEOPLE, seed: int = 0) -> Photoface:
    """Open the database.

    Args:
        path: PhotofaceDB, or the folder that holds it.
        people: random identities, one random session of each.
        seed: of both choices.

    Raises:
        InputError: the folder is not laid out so.
    """
    root = path / "PhotofaceDB" if (path / "PhotofaceDB").is_dir() else path
    sessions: dict[str, list[Path]] = {}
    for source in sorted(root.glob("*/*/LightSource.m")):
        sessions.setdefault(source.parent.parent.name, []).append(source.parent)
    if not sessions:
        raise InputError(f"{path}: holds no <person>/<session>/LightSource.m as Photoface is distributed")
    rng = np.random.default_rng(seed)
    names = sorted(sessions)
    chosen = sorted(rng.choice(names, min(people, len(names)), replace=False).tolist())
    return Photoface({name: sessions[name][int(rng.integers(len(sessions[name])))] for name in chosen})


def read_session(folder: Path) -> Session:
    """Read four photos and their flashes, and measure normals and albedo.

    Raises:
        InputError: a file is missing or broken, no face is found, or the flashes do not fit the face.
    """
    images = np.stack([_photo(folder / f"im{k}.bmp") for k in range(_FLASHES)])
    zenith, azimuth = _angles(folder / "LightSource.m")
    face = even_face(images, str(folder))
    mask = photo_mask(images.shape[1:], face)
    mask &= ((images < 0.02) | (images > 0.98)).sum(axis=0) <= 1
    normal, albedo, error = _best_sense(images, zenith, azimuth, face, mask)
    if error > _FITS_DEG:
        raise InputError(
            f"{folder}: with the angles of LightSource.m normals are {error:.0f} degrees off the face's mesh"
        )
    photos = np.repeat(linear_to_srgb(images)[..., None], 3, axis=-1).astype(np.float32)
    return Session(photos, normal, albedo.astype(np.float32), mask, zenith, face)


def _best_sense(
    images: np.ndarray, zenith: np.ndarray, azimuth: np.ndarray, face: Face, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Normals, albedo, and the mean angle to the mesh [deg], for the best of eight ways to count azimuth."""
    height, width = images.shape[1:]
    mesh = mesh_normals(face.landmarks, max(height, width))[:height, :width]
    where = mask & (np.abs(mesh).sum(axis=-1) > 0)
    best: tuple[np.ndarray, np.ndarray, float] | None = None
    for sign in (1, -1):
        for quarter in range(4):
            angle = np.deg2rad(sign * azimuth + 90 * quarter)
            out = np.sin(np.deg2rad(zenith))
            toward = np.stack([np.cos(angle) * out, np.sin(angle) * out, np.cos(np.deg2rad(zenith))], axis=-1)
            normal, albedo = lambert_stereo(images, Flashes(toward, np.ones(_FLASHES)))
            error = float(np.mean(angular_error_deg(normal[where], mesh[where]))) if where.any() else 180.0
            if best is None or error < best[2]:
                best = (normal, albedo, error)
    assert best is not None
    return best


def _photo(path: Path) -> Float[np.ndarray, "height width"]:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with decoding(path):
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise InputError(f"{path}: not a readable .bmp photo")
    return pixels.astype(np.float32) / 255


def _angles(path: Path) -> tuple[Float[np.ndarray, "4"], Float[np.ndarray, "4"]]:
    """Zenith and azimuth [deg]; the column that stays within a quarter circle is the zenith."""
    text = path.read_text(errors="replace")
    matrix = re.findall(r"\[([^\]]*)\]", text)
    numbers = [float(x) for x in re.findall(r"[-+]?\d+(?:\.\d+)?", matrix[-1])] if matrix else []
    if len(numbers) != 2 * _FLASHES:
        raise InputError(f"{path}: holds {len(numbers)} angles in its last brackets; must be {2 * _FLASHES}")
    first, second = np.array(numbers).reshape(_FLASHES, 2).T
    for zenith, azimuth in ((first, second), (second, first)):
        if zenith.min() > 0 and zenith.max() < 90 and np.ptp(azimuth) > 90:
            return zenith, azimuth
    raise InputError(f"{path}: its angles are not zeniths (0 to 90) and azimuths around the camera [deg]")

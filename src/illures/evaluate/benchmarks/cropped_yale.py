"""The original CroppedYale folder of Extended Yale B: from its .pgm photos to normals, albedo and natural lights.

Layout: `yaleBNN/yaleBNN_P00A±AAAE±EE.pgm`, 168 x 192 pixels, linear camera values; the name holds the azimuth and the
elevation of the flash in degrees, positive azimuth at image left. Ambient photos and those marked `.bad` by their
authors are not read. Source: Georghiades, Belhumeur, Kriegman, PAMI 2001; Lee, Ho, Kriegman, PAMI 2005.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float

from illures.errors import InputError
from illures.evaluate.benchmarks.photometric_stereo import Flashes, photometric_stereo
from illures.evaluate.metrics import angle_to_viewer_deg
from illures.evaluate.scoring import photo_mask
from illures.faces import find_faces
from illures.io.decoding import decoding
from illures.io.environment_maps import DIRECTIONS, SOLID_ANGLE
from illures.math import sh
from illures.math.color import linear_to_srgb, luminance
from illures.types import Face

# The rig: flashes on a dome around the camera's target. How far they are, in pixels of these crops, and where the face
# is before them cannot be told from one face (a wrong place looks like a tilt of it). OFFSET is that of the prepared
# files' light directions; DISTANCE_PX brings normals nearest to theirs, within 2.0 degrees on 14 subjects.
DISTANCE_PX = 1600.0
OFFSET = (0.027, 0.057, 0.0)

_NAME = re.compile(r"(yaleB\d+)_P00A([+-]\d{3})E([+-]\d{2})\.pgm")
_OFF_AXIS_DEG = 80.0  # flashes farther to the side leave most of the face black
_LEAST_PHOTOS = 12
_LEAST_SUPPORT = 6  # flashes that a pixel of the truth needs
_EXPOSURE = 0.6  # linear value of the 95th percentile of the face in natural light


@dataclass(frozen=True)
class Measured:
    """A subject's photos, with normals and albedo from photometric stereo.

    Attributes:
        images: linear, full scale 1.
        names: of the flashes, as in the file names, such as "A+035E+40".
        direction: unit vectors from the middle of the face to each flash, camera frame.
        strength: irradiance of each flash in the middle of the face, mean 1.
        normal, albedo: the albedo is linear, up to a scale.
        mask: face with enough support.
        split_deg: disagreement of two disjoint halves of the flashes [deg].
        face: found in the mean of the photos, which is evenly lit.
    """

    images: Float[np.ndarray, "flashes height width"]
    names: tuple[str, ...]
    direction: Float[np.ndarray, "flashes 3"]
    strength: Float[np.ndarray, " flashes"]
    normal: Float[np.ndarray, "height width 3"]
    albedo: Float[np.ndarray, "height width"]
    mask: Bool[np.ndarray, "height width"]
    split_deg: Float[np.ndarray, "height width"]
    face: Face


def subject_folders(folder: Path) -> dict[str, Path]:
    """Folder of each subject, such as "yaleB02", in order; empty if this is no CroppedYale folder.

    `folder` is CroppedYale itself or holds it.
    """
    root = folder / "CroppedYale" if (folder / "CroppedYale").is_dir() else folder
    found = sorted(path for path in root.glob("yaleB*") if path.is_dir())
    return {path.name: path for path in found if any(path.glob(f"{path.name}_P00A*.pgm"))}


def measure(folder: Path) -> Measured:
    """Read one subject's photos and measure the face.

    Raises:
        InputError: photos are missing or broken, or show no face.
    """
    files = [(file, match) for file in sorted(folder.glob("*.pgm")) if (match := _NAME.fullmatch(file.name))]
    azimuth, elevation = (np.array([float(match[k]) for _, match in files]) for k in (2, 3))
    flashes = Flashes.from_angles(-azimuth, elevation)
    kept = np.flatnonzero(angle_to_viewer_deg(flashes.direction) <= _OFF_AXIS_DEG)
    if len(kept) < _LEAST_PHOTOS:
        raise InputError(
            f"{folder}: {len(kept)} photos P00A..E...pgm under flashes up to {_OFF_AXIS_DEG:.0f} degrees off axis; "
            f"photometric stereo needs {_LEAST_PHOTOS}"
        )
    images = _read_all([files[k][0] for k in kept])
    face = even_face(images, str(folder))
    mask = photo_mask(images.shape[1:], face)
    flashes = Flashes(flashes.direction[kept], flashes.strength[kept], DISTANCE_PX, OFFSET)
    stereo = photometric_stereo(images, flashes, mask)
    toward = stereo.flashes.direction - np.array(OFFSET)
    squared = np.sum(toward**2, axis=1)
    return Measured(
        images=images,
        names=tuple(f"A{files[k][1][2]}E{files[k][1][3]}" for k in kept),
        direction=toward / np.sqrt(squared)[:, None],
        strength=stereo.flashes.strength / squared,
        normal=stereo.normal,
        albedo=stereo.albedo,
        mask=mask & (stereo.support >= _LEAST_SUPPORT),
        split_deg=stereo.split_deg,
        face=face,
    )


def natural_light(
    measured: Measured, environment: Float[np.ndarray, "128 256 3"]
) -> tuple[Float[np.ndarray, "height width"], Float[np.ndarray, "9"]]:
    """The face under an environment: the sum of its flash photos, each with the light that falls in from around it.

    Light superposes (Debevec et al., SIGGRAPH 2000). Every direction in front of the face goes to the nearest flash;
    what comes from beyond the outermost flashes is left out of both photo and light.

    Returns:
        The linear photo, 95th percentile of the face at 0.6, and the SH coefficients of the light of all flashes as
        they were weighted (one channel, at the scale of the albedo's unit), camera frame.
    """
    power = (luminance(environment) * SOLID_ANGLE).ravel()
    cosine = DIRECTIONS.reshape(-1, 3) @ measured.direction.T.astype(np.float32)
    nearest = np.argmax(cosine, axis=1)
    reached = (cosine.max(axis=1) > np.cos(np.deg2rad(20))) & (DIRECTIONS.reshape(-1, 3)[:, 2] > 0)
    weight = np.bincount(nearest[reached], power[reached], minlength=len(measured.direction))
    photo = np.einsum("k,khw->hw", weight / measured.strength, measured.images)
    scale = _EXPOSURE / max(float(np.percentile(photo[measured.mask], 95)), 1e-9)
    coefficients = scale * weight @ sh.basis(measured.direction) * np.pi
    return (photo * scale).astype(np.float32), coefficients


def even_face(images: Float[np.ndarray, "flashes height width"], name: str) -> Face:
    """The face in the mean of photos under many flashes.

    Raises:
        InputError: no face is found; the message begins with `name`.
    """
    mean = images.mean(axis=0)
    mean = linear_to_srgb(np.clip(mean / max(float(np.percentile(mean, 95)), 1e-9) * 0.6, 0, 1))
    faces = find_faces(np.repeat(mean[..., None], 3, axis=-1).astype(np.float32))
    if not faces:
        raise InputError(f"{name}: no face found in the mean of its photos")
    return faces[0]


def _read_all(files: list[Path]) -> Float[np.ndarray, "flashes height width"]:
    images: list[np.ndarray] = []
    for file in files:
        with decoding(file):
            pixels = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        if pixels is None or pixels.ndim != 2 or pixels.dtype != np.uint8:
            raise InputError(f"{file}: not a readable 8-bit grey .pgm photo")
        if images and pixels.shape != images[0].shape:
            (h, w), (height, width) = pixels.shape, images[0].shape
            raise InputError(f"{file}: {w} x {h} pixels, where the other photos have {width} x {height}")
        images.append(pixels.astype(np.float32) / 255)
    return np.stack(images)

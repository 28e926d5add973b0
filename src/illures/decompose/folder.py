"""The folder that `illures decompose` writes for one photo. The user's page: docs/outputs.md."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

import illures
from illures.decompose.contact_sheet import contact_sheet, probe
from illures.decompose.decomposition import Decomposition
from illures.decompose.map_files import DEFAULT, Alpha, with_alpha, write_exr_maps, write_labels, write_maps
from illures.errors import InputError
from illures.faces import extract, to_photo, upright
from illures.faces.atlas import head_axes
from illures.io import exr_layers
from illures.io.decoding import parse_json
from illures.io.files import whole_folder, write_text, write_whole
from illures.io.formats import CROP_MAPS, Format
from illures.io.inputs import folder_for_each
from illures.io.photos import Photo, encoded
from illures.math import sh
from illures.types import Region

# A folder with this file was written by illures, so it may be replaced.
INDEX = "photo.json"
CONVENTION = (
    "9 x 3: spherical-harmonic coefficients of the environment's linear RGB radiance, real orthonormal basis in the "
    "order [1, y, z, x, xy, yz, 3z^2-1, xz, x^2-y^2], x right, y up, z toward the viewer; "
    "shading = sum_i a_i * light_i * Y_i(normal) with a = 1 (l = 0), 2/3 (l = 1), 1/4 (l = 2)"
)


@dataclass(frozen=True)
class About:
    """How a photo was read.

    Attributes:
        alpha: 0 (transparent) to 1; None where all is opaque.
        notes: messages for the user: HDR was tone-mapped, a part of the file is missing, ...
    """

    alpha: Alpha | None = None
    notes: tuple[str, ...] = ()

    @property
    def noted(self) -> dict[str, Any]:
        """The notes for the JSON files; empty if there are none."""
        return {"notes": list(self.notes)} if self.notes else {}


def write_photo(
    target: Path,
    source: Path,
    photo: Photo,
    faces: list[Decomposition],
    format: Format,
    weights: dict[str, Any],
    crop_only: bool = False,
    names: Collection[str] = DEFAULT,
    about: About = About(),  # noqa: B008 (frozen)
) -> None:
    """Write the maps of a photo; the folder `target` appears whole or not at all.

    Args:
        target: the folder; replaced if this function wrote it.
        source: the file of the photo; its name is stored.
        photo: its pixels.
        faces: what was found in it, at least one.
        format: of the maps.
        weights: description of the network (`describe_weights`).
        crop_only: leave out the maps of the photo's size.
        names: of `map_files.OUTPUTS`: what is written.
        about: how the photo was read.

    Raises:
        InputError: the folder can't be written, or is there and was not written by illures.
    """
    check_target(target)
    with whole_folder(target) as folder:
        for number, face in enumerate(faces, 1):
            where = folder / f"face-{number}"
            where.mkdir()
            if crop_only or "crop" in names:
                _write_crop(where, face, format, names, about)
            _write_face(where, source, face, format, weights, about)
            if "probe" in names:
                _write_png(where / "probe.png", probe(face.light))
        if not crop_only:
            write_maps(folder, photo, faces, format, names, alpha=about.alpha)
        _write_png(folder / "sheet.png", contact_sheet(photo, faces, source.name))
        index = {
            "photo": source.name,
            "size": {"width": photo.shape[1], "height": photo.shape[0]},
            "faces": [f"face-{number}" for number in range(1, len(faces) + 1)],
            "maps": None if crop_only else format.describe(),
            "regions": {str(int(region)): region.name.lower() for region in Region},
            "illures": illures.__version__,
            "weights": weights,
        } | about.noted
        _write_json(folder / INDEX, index)


def check_target(target: Path) -> None:
    """Raise an InputError if `target` must not be replaced."""
    if target.exists() and not (target / INDEX).is_file() and not _empty(target):
        raise InputError(f"{target}: exists and was not written by illures; choose another output folder")


def is_done(target: Path, source: Path) -> bool:
    """Whether the outputs of this photo exist already."""
    return _written_from(target) == source.name


def targets(sources: Iterable[Path], out: Path) -> dict[Path, Path]:
    """One folder for each photo: the file's stem; if that is taken its whole name, then a number.

    A folder that an earlier run wrote for a photo of another name counts as taken.
    """
    return folder_for_each(list(sources), out, lambda folder, source: _written_from(folder) in (None, source.name))


def describe_weights(info: Any) -> dict[str, Any]:
    """The metadata of a weights file, ready for JSON."""
    about = asdict(info) if is_dataclass(info) and not isinstance(info, type) else dict(info)
    return {name: about[name] for name in ("hash", "version", "data") if name in about}


def _write_crop(folder: Path, face: Decomposition, format: Format, names: Collection[str], about: About) -> None:
    """The maps of the crop's size."""
    alpha = None if about.alpha is None else np.clip(extract(about.alpha, face.crop), 0, 1)
    head = face.head_rotation
    values = {
        "albedo": face.albedo,
        "normal": face.normal if format.normal_space == "camera" else (face.normal @ head).astype(np.float32),
        "shading": face.shading,
        "residual": face.residual,
        "reconstruction": face.reconstruct(),
        "mask": face.mask,
    }
    codes = {name: format.quantise(name, values[name]) for name in CROP_MAPS if name in names or format.is_exr}
    labels = None if face.regions is None else face.regions.argmax(axis=-1).astype(np.uint8)
    if format.is_exr:
        seen = None if format.split else format.quantise("albedo", face.image)
        write_exr_maps(folder / exr_layers.FILE, format, codes, seen, [face.light], [head], names, alpha, labels)
    else:
        for name, each in codes.items():
            format.write(folder, name, with_alpha(name, each, format, alpha))
    if labels is not None and "regions" in names:
        write_labels(folder / "regions.png", labels)


def _write_face(
    folder: Path, source: Path, face: Decomposition, format: Format, weights: dict[str, Any], about: About
) -> None:
    """light.json and face.json."""
    turned = sh.rotate(face.light, upright(face.crop))
    light = {
        "convention": CONVENTION,
        "light": _numbers(face.light, 6),
        "light_upright": _numbers(turned, 6),
        "about": "light: in the frame of the maps in this folder, which the crop turns in the plane; "
        "light_upright: in the frame of the photo and of the maps of its size",
    }
    _write_json(folder / "light.json", light)
    _write_json(folder / "face.json", _face_json(source, face, format, weights) | about.noted)


def _face_json(source: Path, face: Decomposition, format: Format, weights: dict[str, Any]) -> dict[str, Any]:
    crop, edge = face.crop, face.crop.size - 0.5
    height, width = crop.photo_size
    corners = np.array([[-0.5, -0.5], [edge, -0.5], [edge, edge], [-0.5, edge]])
    return {
        "photo": source.name,
        "photo_size": {"width": width, "height": height},
        "crop": {
            "size": crop.size,
            "matrix": _numbers(crop.matrix, 9),
            "about": "matrix @ (x, y, 1) takes photo pixels to crop pixels; x right, y down, pixel centres at integers",
            "corners": _numbers(to_photo(corners, crop), 3),
        },
        "score": round(crop.face.score, 4),
        "landmarks": _numbers(crop.face.landmarks, 3),
        "landmarks_about": "478 points of the MediaPipe face mesh: x, y in photo pixels, z in pixels toward the viewer",
        "head_rotation": _numbers(head_axes(crop), 6),
        "head_rotation_about": "camera = head_rotation @ head; camera: the photo's frame, x right, y up, z toward the "
        "viewer; head: x to the face's left, y to its crown, z where it looks",
        "maps": format.describe(),
        "illures": illures.__version__,
        "weights": weights,
    }


def _written_from(target: Path) -> str | None:
    """Name of the photo of a folder written by illures; None for other folders."""
    try:
        photo = parse_json((target / INDEX).read_text(encoding="utf-8")).get("photo")
    except (OSError, ValueError, AttributeError):
        return None
    return photo if isinstance(photo, str) else None


def _empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_text(path, json.dumps(content, ensure_ascii=False) + "\n")


def _write_png(path: Path, codes: np.ndarray) -> None:
    write_whole(path, encoded(codes, ".png"))


def _numbers(array: np.ndarray, digits: int) -> list[Any]:
    return np.round(array.astype(np.float64), digits).tolist()

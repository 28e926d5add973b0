"""The folder that `illures decompose` writes for one photo. The user's page: docs/outputs.md."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Num, UInt8
from PIL import Image

import illures
from illures.decompose.contact_sheet import contact_sheet, probe
from illures.decompose.decomposition import Decomposition
from illures.decompose.full_resolution import upright
from illures.decompose.photo_maps import photo_maps
from illures.errors import InputError
from illures.faces import extract, to_photo
from illures.io import exr_layers
from illures.io.files import whole_folder, write_whole
from illures.io.formats import CROP_MAPS, MAPS, Codes, Format, MapName
from illures.io.photos import Photo, as_linear, encoded
from illures.math import sh
from illures.types import Region

# The file that says that a folder is ours, so that it may be replaced.
INDEX = "photo.json"
# What may be asked for by name.
OUTPUTS = (*MAPS, "regions")
REGION_COLOURS = {
    Region.BACKGROUND: (0, 0, 0),
    Region.SKIN: (229, 180, 150),
    Region.LIPS: (214, 64, 84),
    Region.FACIAL_HAIR: (150, 96, 44),
    Region.EYES: (80, 140, 230),
    Region.MOUTH: (110, 20, 60),
    Region.HAIR: (92, 62, 34),
    Region.GLASSES: (60, 200, 200),
    Region.OBJECT: (240, 200, 60),
    Region.CLOTHES: (60, 130, 80),
}
CONVENTION = (
    "9 x 3: spherical-harmonic coefficients of the environment's linear RGB radiance, real orthonormal basis in the "
    "order [1, y, z, x, xy, yz, 3z^2-1, xz, x^2-y^2], x right, y up, z toward the viewer; "
    "shading = sum_i a_i * light_i * Y_i(normal) with a = 1 (l = 0), 2/3 (l = 1), 1/4 (l = 2)"
)


Alpha = Float[np.ndarray, "height width"]


@dataclass(frozen=True)
class About:
    """How a photo was read.

    Attributes:
        alpha: 0 (transparent) to 1; None where all is opaque.
        notes: what the user should know: HDR that was tone-mapped, a part that is missing, ...
    """

    alpha: Alpha | None = None
    notes: tuple[str, ...] = ()

    @property
    def noted(self) -> dict[str, Any]:
        """For the JSON files; empty where there is nothing to say."""
        return {"notes": list(self.notes)} if self.notes else {}


def write_photo(
    target: Path,
    source: Path,
    photo: Photo,
    faces: list[Decomposition],
    format: Format,
    weights: dict[str, Any],
    crop_only: bool = False,
    names: Collection[str] = OUTPUTS,
    about: About = About(),  # noqa: B008 (frozen)
) -> None:
    """Write the maps of a photo; the folder `target` appears whole or not at all.

    Args:
        target: the folder; one that this function wrote before is replaced.
        source: where the photo came from, as it is to be named.
        photo: its pixels.
        faces: what was found in it, at least one.
        format: of the maps.
        weights: what to say of the network.
        crop_only: leave out the maps of the photo's size.
        names: of `OUTPUTS`: the maps that are written.
        about: how the photo was read.

    Raises:
        InputError: the folder can't be written, or is there and was not written by illures.
    """
    check_target(target)
    with whole_folder(target) as folder:
        for number, face in enumerate(faces, 1):
            _write_face(folder / f"face-{number}", source, face, format, weights, names, about)
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


def write_maps(
    folder: Path,
    photo: Photo,
    faces: list[Decomposition],
    format: Format,
    names: Collection[str] = OUTPUTS,
    name: str | None = None,
    alpha: Alpha | None = None,
) -> None:
    """Write the maps of the photo's size.

    Args:
        folder: is there.
        photo: its pixels.
        faces: what was found in it.
        format: of the maps.
        names: of `OUTPUTS`: the maps that are written.
        name: of the one file of an EXR of layers; None: `io.exr_layers.FILE`, and the labels beside it.
        alpha: of the photo, in [0, 1]; maps of three channels get it as their fourth.

    Raises:
        InputError: a file can't be written.
    """
    maps = photo_maps(photo, faces, format)
    lights = [sh.rotate(face.light, upright(face.crop)) for face in faces]
    if maps.regions is not None and "regions" in names and name is None:
        _write_labels(folder / "regions.png", maps.regions)
    if not format.is_exr:
        for each in MAPS:
            if each in names:
                format.write(folder, each, _with_alpha(each, maps.take(each), format, alpha))
        return
    codes = {each: maps.take(each) for each in MAPS if format.split or each != "reconstruction"}
    seen = format.quantise("albedo", as_linear(photo))
    _write_exr(folder / (name or exr_layers.FILE), format, codes, seen, lights, names, alpha, maps.regions)


def _with_alpha(
    name: MapName, codes: Codes, format: Format, alpha: Alpha | None
) -> Num[np.ndarray, "height width *with_alpha"]:
    """A map with the photo's alpha: as a fourth channel, or of one channel (mask, matte) times it."""
    if alpha is None:
        return codes
    if codes.ndim == 2:
        return format.quantise(name, format.decode(name, codes) * alpha)
    return np.dstack([codes, format.quantise("matte", alpha)])


def _write_exr(
    path: Path,
    format: Format,
    codes: dict[MapName, Codes],
    photo: Codes,
    lights: list[np.ndarray],
    names: Collection[str],
    alpha: Alpha | None,
    regions: UInt8[np.ndarray, "rows columns"] | None,
) -> None:
    """One file of layers, or beside its place one for each map, of those that `names` asks for."""
    about = exr_layers.attributes_of(format.colorspace, illures.__version__, format.normals, lights)
    exr_layers.convert(format.colorspace, codes, photo)
    if not format.split:
        kept = {n: v if v.ndim == 3 else _with_alpha(n, v, format, alpha) for n, v in codes.items() if n in names}
        labels = {} if regions is None or "regions" not in names else {"regions": regions}
        exr_layers.write_layers(path, photo, {**kept, **labels}, about, alpha)
        return
    for name, values in codes.items():
        if name in names:
            format.write(path.parent, name, _with_alpha(name, values, format, alpha), about)


def check_target(target: Path) -> None:
    """Raise an InputError where `target` is something that must not be replaced."""
    if target.exists() and not (target / INDEX).is_file() and not _empty(target):
        raise InputError(f"{target}: exists and was not written by illures; choose another output folder")


def is_done(target: Path, source: Path) -> bool:
    """Whether the outputs of this photo are there already."""
    return _written_from(target) == source.name


def targets(sources: Iterable[Path], out: Path) -> dict[Path, Path]:
    """One folder for each photo: the file's stem; its whole name, then a number, where the stem is taken.

    A folder that an earlier run made of a photo of another name counts as taken.
    """
    sources = list(sources)
    stems = [source.stem.casefold() for source in sources]
    chosen: dict[Path, Path] = {}
    taken: set[str] = set()
    for source, stem in zip(sources, stems, strict=True):
        names = [source.stem] if stems.count(stem) == 1 else []
        names += [source.name, *(f"{source.name}-{i}" for i in range(2, len(sources) + 2))]
        for name in names:
            earlier = _written_from(out / name)
            if name.casefold() not in taken and earlier in (None, source.name):
                break
        taken.add(name.casefold())
        chosen[source] = out / name
    return chosen


def describe_weights(info: Any) -> dict[str, Any]:
    """What a weights file says of itself, ready for JSON."""
    about = asdict(info) if is_dataclass(info) and not isinstance(info, type) else dict(info)
    return {name: about[name] for name in ("hash", "version", "data") if name in about}


def _write_face(
    folder: Path,
    source: Path,
    face: Decomposition,
    format: Format,
    weights: dict[str, Any],
    names: Collection[str],
    about: About,
) -> None:
    folder.mkdir()
    alpha = None if about.alpha is None else np.clip(extract(about.alpha, face.crop), 0, 1)
    values = {
        "albedo": face.albedo,
        "normal": face.normal,
        "shading": face.shading,
        "residual": face.residual,
        "reconstruction": face.reconstruct(),
        "mask": face.mask,
    }
    codes = {name: format.quantise(name, values[name]) for name in CROP_MAPS if name in names or format.is_exr}
    labels = None if face.regions is None else face.regions.argmax(axis=-1).astype(np.uint8)
    if format.is_exr:
        seen = format.quantise("albedo", face.image)
        _write_exr(folder / exr_layers.FILE, format, codes, seen, [face.light], names, alpha, labels)
    else:
        for name, each in codes.items():
            format.write(folder, name, _with_alpha(name, each, format, alpha))
    if labels is not None and "regions" in names:
        _write_labels(folder / "regions.png", labels)
    _write_png(folder / "probe.png", probe(face.light))
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
        "maps": format.describe(),
        "illures": illures.__version__,
        "weights": weights,
    }


def _written_from(target: Path) -> str | None:
    """Name of the photo that a folder of ours was made of; None where there is no such folder."""
    try:
        return json.loads((target / INDEX).read_text(encoding="utf-8")).get("photo")
    except (OSError, ValueError, AttributeError):
        return None


def _empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_whole(path, (json.dumps(content, ensure_ascii=False) + "\n").encode())


def _write_png(path: Path, codes: np.ndarray) -> None:
    write_whole(path, encoded(codes, ".png"))


def _write_labels(path: Path, labels: UInt8[np.ndarray, "rows columns"]) -> None:
    """A PNG whose pixels are numbers of `Region`, with a palette to look at."""
    image = Image.fromarray(labels, "L")
    image.putpalette([value for region in Region for value in REGION_COLOURS[region]])
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    write_whole(path, buffer.getvalue())


def _numbers(array: np.ndarray, digits: int) -> list[Any]:
    return np.round(array.astype(np.float64), digits).tolist()

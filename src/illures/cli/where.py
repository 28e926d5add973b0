"""The rule for `-o`: a name with the suffix of a picture or a clip is a file, anything else is a folder."""

from __future__ import annotations

from pathlib import Path

from illures.errors import InputError
from illures.io.inputs import SUFFIXES

# With formats that can only be read: `-o out.bmp` is an error, not a folder of that name.
PICTURES = SUFFIXES | {".tga", ".psd", ".pdf"}
MESHES = frozenset({".glb", ".obj", ".gltf"})
CLIPS = frozenset({".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".wmv", ".gif"})


def is_file(output: Path) -> bool:
    """Whether `-o` names a file; an existing folder of such a name is a folder."""
    return output.suffix.lower() in PICTURES | CLIPS | MESHES and not output.is_dir()


def check_one(output: Path, inputs: int, results: int = 1, what: str = "lights") -> None:
    """Raise an InputError where several results would go to one file.

    Args:
        output: the file.
        inputs: how many photos there are.
        results: of each photo.
        what: the option that asks for several results.
    """
    if inputs > 1 or results > 1:
        given = f"{inputs} photos" if inputs > 1 else ""
        given += (" and " if given and results > 1 else "") + (f"{results} {what}" if results > 1 else "")
        raise InputError(f"{output}: a single file, but {given} are given; name a folder for them")


def parent_of(output: Path) -> Path:
    """The folder that must be writable."""
    return output.parent if is_file(output) else output


def check_format(output: Path, format: str | None) -> None:
    """Raise an InputError if the file can't be written, or --format contradicts its suffix."""
    from illures.io.photos import check_savable

    check_savable(output)
    rules = {"png16": (".png", ".tif", ".tiff"), "jpg": (".jpg", ".jpeg")}
    if format is not None and output.suffix.lower() not in rules.get(format, (f".{format}",)):
        raise InputError(f"{output}: --format {format} has another suffix; give only one of the two")


def pictures(sources: list[Path], folder: Path, format: str) -> dict[Path, Path]:
    """A file in `folder` for each photo: its name with the format's suffix, and a number if that is taken."""
    chosen: dict[Path, Path] = {}
    taken: set[str] = set()
    for source in sources:
        name, number = source.stem, 2
        while name.casefold() in taken:
            name, number = f"{source.stem}-{number}", number + 1
        taken.add(name.casefold())
        chosen[source] = folder / f"{name}.{format.removesuffix('16')}"
    return chosen


def check_decomposition(output: Path, format: str | None, exr_layers: str) -> None:
    """Raise an InputError unless a whole decomposition fits into the file: layers of an EXR, or the sheet."""
    from illures.decompose.textured_mesh import SUFFIXES as SAVABLE_MESHES
    from illures.io.photos import check_savable

    if output.suffix.lower() not in SAVABLE_MESHES:
        check_savable(output)
    exr = output.suffix.lower() == ".exr"
    if exr and exr_layers == "split":
        raise InputError(f"{output}: --exr-layers split writes several files; name a folder for them")
    if format is not None and (not exr or format not in ("exr", "exr32")):
        raise InputError(f"{output}: --format is for the maps of a folder; give only one of the two")

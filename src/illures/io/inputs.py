"""The photos that a command works on, and the folders of their results."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from illures.errors import InputError

# Suffixes of photos that are read.
SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".png",
        ".webp",
        ".tif",
        ".tiff",
        ".bmp",
        ".gif",
        ".heic",
        ".heif",
        ".avif",
        ".exr",
        ".jp2",
        ".ppm",
    }
)
Problem = tuple[Path, InputError]


def expand(paths: list[Path], recursive: bool = False) -> tuple[list[Path], list[Problem]]:
    """List photos: files as given, folders as their photos sorted by name; each photo once.

    Args:
        paths: of files and folders.
        recursive: search subfolders, too.

    Returns:
        The photos, and an error for each path without any.
    """
    where = " or below it" if recursive else " (subfolders are searched with --recursive)"
    photos: list[Path] = []
    problems: list[Problem] = []
    for path in paths:
        if not path.exists():
            problems.append((path, InputError(f"{path}: no such file or folder")))
        elif not path.is_dir():
            photos.append(path)
        else:
            try:
                inside = sorted(
                    p for p in _entries(path, recursive) if p.suffix.lower() in SUFFIXES and _is_photo_file(p)
                )
            except OSError as error:
                problems.append((path, InputError(f"{path}: can't be listed ({error.strerror})")))
                continue
            photos += inside
            if not inside:
                problems.append((path, InputError(f"{path}: no photos in this folder{where}")))
    unique = {os.path.realpath(photo): photo for photo in reversed(photos)}
    return [photo for photo in photos if unique.pop(os.path.realpath(photo), None) is not None], problems


def folder_for_each(
    sources: list[Path], out: Path, is_free: Callable[[Path, Path], bool] = lambda folder, source: True
) -> dict[Path, Path]:
    """One folder in `out` for each photo: the file's stem; if that is taken its whole name, then a number.

    Args:
        sources: the photos.
        out: folder of the folders.
        is_free: whether a folder may be used for a photo, apart from the other photos.
    """
    stems = [source.stem.casefold() for source in sources]
    chosen: dict[Path, Path] = {}
    taken: set[str] = set()
    for source, stem in zip(sources, stems, strict=True):
        names = [source.stem] if stems.count(stem) == 1 else []
        names += [source.name, *(f"{source.name}-{i}" for i in range(2, len(sources) + 2))]
        for name in names:
            if name.casefold() not in taken and is_free(out / name, source):
                break
        taken.add(name.casefold())
        chosen[source] = out / name
    return chosen


def check_not_source(source: Path, outputs: Iterable[Path], target: Path) -> None:
    """Raise an InputError that names `target` if one of the outputs is the photo itself."""
    if any(path.exists() and path.samefile(source) for path in outputs):
        raise InputError(f"{target}: is the photo itself; choose another output")


def _entries(folder: Path, recursive: bool) -> Iterator[Path]:
    """Entries of a folder; hidden subfolders are skipped."""
    if not recursive:
        yield from folder.iterdir()
        return
    for top, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(top) / name for name in names)


def _is_photo_file(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")

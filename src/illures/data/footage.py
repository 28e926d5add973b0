"""Clips on the disk: single video files, folders of them, the layout of 300VW, and the identity in each."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from illures.errors import InputError
from illures.io.inputs import Problem

SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".wmv", ".mts", ".3gp"})
_ANNOTATIONS, _VIDEO = "annot", "vid.*"  # of a folder of 300VW


@dataclass(frozen=True)
class Footage:
    """A clip to process.

    Attributes:
        path: of the video file.
        name: unique among the clips of a run; fit for file names.
        identity: of the person; equal for equal people.
        annotations: folder of 000001.pts, ... with 68 points for each frame (300VW), or None.
        licence: of the clip, from the table; "" if unknown.
    """

    path: Path
    name: str
    identity: str
    annotations: Path | None = None
    licence: str = ""


def find_footage(
    paths: Sequence[Path], table: Path | None = None, released: bool = False
) -> tuple[list[Footage], list[Problem]]:
    """Clips behind paths: files, folders of video files, folders of 300VW (vid.avi, annot/) and folders of those.

    Args:
        paths: as the user named them.
        table: TSV with a header and the columns `file` and `identity`, and perhaps `licence` and `release`; clips that
            are not in it, and all without a table, are people of their own.
        released: leave out clips whose `release` is not "yes" in the table.

    Returns:
        The clips, each once, and an error for each path that gives none.

    Raises:
        InputError: the table can't be read, or is missing or without `release` where `released` asks for it.
    """
    rows = _rows(table) if table is not None else {}
    if released and not any("release" in row for row in rows.values()):
        raise InputError(f"{table or 'no table'}: released clips alone need a table with a column 'release'")
    found: dict[str, Footage] = {}
    problems: list[Problem] = []
    for path in paths:
        clips = list(_clips(path))
        if not clips:
            rule = "no video files in this folder" if path.is_dir() else "no such file or folder"
            problems.append((path, InputError(f"{path}: {rule}")))
        for clip in clips:
            found.setdefault(os.path.realpath(clip.path), clip)
    named = _named(found.values(), rows)
    free = {name for name, row in rows.items() if row.get("release") == "yes"}
    return [clip for clip in named if not released or _row_of(clip) in free], problems


def frame_points(folder: Path) -> dict[int, Path]:
    """The annotated frames of a 300VW clip: number of the frame, from 0, to its file."""
    return {int(path.stem) - 1: path for path in sorted(folder.glob("*.pts")) if path.stem.isdigit()}


def read_points(path: Path) -> Float[np.ndarray, "68 2"]:
    """The 68 points of a .pts file [px], pixel centres at integers from 0 (the file counts from 1).

    Raises:
        InputError: it is not such a file.
    """
    try:
        inside = path.read_text().partition("{")[2].partition("}")[0].split()
        points = np.array(inside, np.float64).reshape(-1, 2)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable .pts file ({error})") from error
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise InputError(f"{path}: holds {len(points)} points, 68 finite ones are needed")
    return points - 1


def _clips(path: Path) -> list[Footage]:
    if path.is_file():
        return [_footage(path)]
    if not path.is_dir():
        return []
    annotated = _annotated(path)
    if annotated is not None:
        return [annotated]
    inside = sorted(p for p in path.iterdir() if not p.name.startswith("."))
    clips = [_footage(p) for p in inside if p.is_file() and p.suffix.lower() in SUFFIXES]
    return clips + [clip for p in inside if p.is_dir() and (clip := _annotated(p)) is not None]


def _annotated(folder: Path) -> Footage | None:
    """The clip of a folder of 300VW."""
    videos = sorted(p for p in folder.glob(_VIDEO) if p.suffix.lower() in SUFFIXES)
    if not videos or not (folder / _ANNOTATIONS).is_dir():
        return None
    return replace(_footage(videos[0]), name=_key(folder.resolve().name), annotations=folder / _ANNOTATIONS)


def _footage(path: Path) -> Footage:
    return Footage(path, _key(path.stem), "")


def _key(name: str) -> str:
    """A name without characters that end a WebDataset key or leave the folder."""
    return re.sub(r"[^\w+-]", "_", name) or "_"


def _named(clips: Iterable[Footage], rows: dict[str, dict[str, str]]) -> list[Footage]:
    """Unique names, and identities and licences from the table."""
    taken: set[str] = set()
    named = []
    for clip in clips:
        name, number = clip.name, 1
        while name in taken:
            number += 1
            name = f"{clip.name}-{number}"
        taken.add(name)
        row = rows.get(_row_of(clip), {})
        identity, licence = row.get("identity", name), row.get("licence") or ""
        named.append(replace(clip, name=name, identity=identity, licence=licence))
    return named


def _row_of(clip: Footage) -> str:
    """Name of a clip in the table: its file, or its folder in the layout of 300VW."""
    return clip.path.name if clip.annotations is None else clip.path.parent.name


def _rows(table: Path) -> dict[str, dict[str, str]]:
    """Rows of the table by file."""
    try:
        with open(table, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: not a readable table ({error})") from error
    for column in ("file", "identity"):
        if not rows or not all(row.get(column) for row in rows):
            raise InputError(f"{table}: needs a header and the column {column!r} filled in each row, split by tabs")
    return {row["file"]: row for row in rows}

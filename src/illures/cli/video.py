"""`illures video`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from illures.cli.app import OK, Flag, app


@app.command
def video(
    clip: Path,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    show: Literal["albedo", "normal", "shading", "residual", "relit", "grid"] | None = None,
    light: str | None = None,
    like: Path | None = None,
    keep_colour: Annotated[bool, Parameter(alias="--keep-color", negative="")] = False,
    hdri: Path | None = None,
    rotation: float = 0.0,
    direction: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    ambient: float = 0.2,
    radius: float = 6.0,
    json_light: Path | None = None,
    sh: Path | None = None,
    layout: Literal["illures", "sfsnet", "dpr"] = "illures",
    exposure: float = 0.0,
    shadows: Annotated[bool, Flag] = False,
    every: int = 4,
    skip_broken: Annotated[bool, Flag] = False,
    weights: Path | None = None,
    size: int | None = None,
) -> int:
    """Show what the faces of a clip are made of, or put them under another light, without flicker.

    The output has the clip's times and sound. It appears when it is whole; an interrupted run leaves OUTPUT.parts,
    from which the same command goes on. The light is the same for all faces and frames; its strength is set so that
    the first face is as bright as it was.

    Parameters
    ----------
    clip
        A video file.
    output
        .mp4, .m4v or .mov (H.264), .webm (VP9), .mkv (FFV1, lossless).
    show
        What to show; default: relit where a light is given, else a grid of everything.
    light
        A named light; `illures lights` lists and draws them.
    like
        A photo: its largest face's light.
    keep_colour
        Take the directions of the light of --like, and leave the clip the colour of its own.
    hdri
        An environment map: .hdr, .exr or .npy, twice as wide as high.
    rotation
        Turns the map about the vertical, in degrees.
    direction
        A lamp at AZIMUTH,ELEVATION in degrees: 0,0 is the camera, 90,0 image right, 0,90 straight above.
    ambient
        With --direction: share of the light that comes from all around, 0 to 1.
    radius
        With --direction: angular radius of the lamp in degrees.
    json_light
        A light as JSON: light.json of `illures decompose`, or saved from the studio.
    sh
        A file of spherical-harmonic coefficients: numbers as text, or .npy.
    layout
        Of the file of --sh; docs/conventions.md has the three.
    exposure
        In stops.
    shadows
        Let relit faces cast shadows on themselves: several times slower.
    every
        Run the network on every so manyth frame; between them, its maps are carried along the face.
    skip_broken
        Show the last good frame longer where frames can't be decoded, instead of stopping.
    weights
        A weights file instead of the one in the package.
    size
        Side of the crops in pixels; default: what the network was trained on.
    """
    from illures.decompose import Decomposer
    from illures.errors import InputError
    from illures.model.weights import FAST
    from illures.relighting import sources
    from illures.video.make import first_face, make_video

    given = [
        *sources.presets([light] if light else []),
        *sources.directions([direction] if direction else [], ambient, radius),
        *sources.maps([hdri] if hdri else [], rotation),
        *sources.files([json_light] if json_light else []),
        *sources.coefficients([sh] if sh else [], layout),
    ]
    if len(given) + bool(like) > 1:
        raise InputError("more than one light: a video takes one")
    if show not in (None, "relit", "grid") and (given or like):
        raise InputError(f"--show {show} takes no light")
    if show == "relit" and not (given or like):
        raise InputError("no light: give --light, --like, --hdri, --direction, --json-light or --sh")
    if not -10 <= exposure <= 10:
        raise InputError(f"exposure {exposure:g}: must be from -10 to 10 stops")
    decomposer = Decomposer.from_pretrained(weights or FAST, size)
    given += sources.references([like] if like else [], decomposer, keep_colour)
    show = show or ("relit" if given else "grid")
    chosen = None
    if show in ("relit", "grid"):
        source = (given or sources.directions(["60,20"], ambient, radius))[0]
        face = first_face(clip, decomposer)
        chosen = source.light if face is None else source.on(face, exposure)
    with _progress() as progress:
        report = make_video(
            clip,
            output,
            decomposer,
            show,
            chosen,
            shadows=shadows,
            every=every,
            skip_broken=skip_broken,
            progress=progress,
        )
    for problem in report.broken:
        print(f"warning: {problem}; the frame before it is shown longer", file=sys.stderr)
    if not report.with_face:
        print(f"warning: {clip}: no face found in {report.frames} frames; none is changed", file=sys.stderr)
    print(f"{clip}: {report.frames} frames, {report.with_face} with a face -> {output}")
    return OK


@contextmanager
def _progress() -> Iterator[Callable[[int, int | None], None]]:
    """A bar with speed and time left on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, total: None
        return
    speed = TextColumn("{task.fields[speed]}")
    with Progress(
        BarColumn(), MofNCompleteColumn(), speed, TimeRemainingColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task("frames", total=None, speed="")

        def advance(done: int, total: int | None) -> None:
            state = bar.tasks[0]
            if total is not None and done > total:  # the file's own count was an estimate
                total = done
            words = f"{state.speed:.0f} frames/s" if state.speed else ""
            bar.update(task, completed=done, total=total, speed=words)

        yield advance

"""`illures video`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from illures.cli.app import OK, Flag, app
from illures.cli.options import FastWeights, LightOptions, NetworkSize, NormalOptions, Output, Shadows

if TYPE_CHECKING:
    from illures.decompose.decomposer import Decomposer
    from illures.relighting.light import Light
    from illures.relighting.sources import Source


@app.command
def video(
    clip: Path,
    /,
    *,
    output: Output,
    show: Literal["albedo", "normal", "shading", "residual", "relit", "grid"] | None = None,
    lights: LightOptions = LightOptions(),  # noqa: B008 (frozen)
    shadows: Shadows = False,
    alpha: Annotated[bool, Flag] = False,
    normals: NormalOptions = NormalOptions(),  # noqa: B008 (frozen)
    every: int = 4,
    skip_broken: Annotated[bool, Flag] = False,
    weights: FastWeights = None,
    size: NetworkSize = None,
) -> int:
    """Show the maps of the faces of a clip, or relight them, without flicker.

    The output keeps the clip's times and sound. It appears when it is complete; an interrupted run leaves OUTPUT.parts,
    from which the same command continues. The light is the same for all faces and frames. Its strength is set so that
    the first face stays as bright as it was. --light takes one light here.

    Parameters
    ----------
    clip
        A video file, or numbered pictures: frame.%04d.png.
    output
        NAME.mp4, .m4v or .mov (H.264), .webm (VP9), .mkv (FFV1, lossless), or numbered pictures such as frame.%04d.exr,
        which keep the numbers of the input pictures; else a folder, which gets the clip's name with .mp4.
    show
        What to show; default: relit where a light is given, else a grid of everything.
    lights
        The light.
    alpha
        Write the matte of the people, as in matte.png of a photo, as alpha: .mov (then ProRes 4444), .mkv, or pictures.
    normals
        How normals are stored.
    every
        Run the network on every N-th frame; in between, its maps are warped along the face.
    skip_broken
        If frames can't be decoded, show the last good frame longer instead of stopping.
    """
    from illures.cli import where
    from illures.decompose.decomposer import Decomposer
    from illures.io.container import pyav
    from illures.io.formats import Format
    from illures.model.weights import FAST
    from illures.relighting.recognise import recognised
    from illures.video.make import make_video

    _check(lights, show)
    normals.check("--show normal", show == "normal")
    pyav()
    target = output if where.is_file(output) else output / f"{clip.stem.partition('%')[0].rstrip('._-') or 'video'}.mp4"
    decomposer = Decomposer.from_pretrained(weights or FAST, size, averaged=False)
    given = lights.sources(decomposer)
    show = show or ("relit" if given else "grid")
    chosen = None
    if show in ("relit", "grid"):
        chosen = _on_first_face((given or recognised(["60,20"], decomposer))[0], clip, decomposer, lights.exposure)
    with _progress() as progress:
        report = make_video(
            clip,
            target,
            decomposer,
            show,
            chosen,
            shadows=shadows,
            alpha=alpha,
            codes=Format("png", normals=normals.normals, normal_space=normals.normal_space),
            every=every,
            skip_broken=skip_broken,
            progress=progress,
        )
    for problem in report.broken:
        print(f"warning: {problem}; the frame before it is shown longer", file=sys.stderr)
    if not report.with_face:
        print(f"warning: {clip}: no face found in {report.frames} frames; none is changed", file=sys.stderr)
    print(f"{clip}: {report.frames} frames, {report.with_face} with a face -> {target}")
    return OK


def _check(lights: LightOptions, show: str | None) -> None:
    """Raise an InputError for lights that do not go with what is shown."""
    from illures.errors import InputError

    if len(lights.light) > 1 or "all" in lights.light:
        raise InputError("more than one light: a video takes one")
    if show not in (None, "relit", "grid") and lights.light:
        raise InputError(f"--show {show} takes no light")
    if show == "relit" and not lights.light:
        raise InputError("no light: give --light (a name, AZIMUTH,ELEVATION or a file)")
    lights.check()


def _on_first_face(source: Source, clip: Path, decomposer: Decomposer, stops: float) -> Light:
    """The light on the clip's first face; as it is where no face is found."""
    from illures.video.frames import first_face

    face = first_face(clip, decomposer)
    return source.light if face is None else source.on(face, stops)


@contextmanager
def _progress() -> Iterator[Callable[[int, int | None], None]]:
    """Progress on stderr: a bar, or lines with speed and time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    from illures.jobs.progress import Progress

    console, speed = Console(stderr=True), TextColumn("{task.fields[speed]}")
    columns = BarColumn(), MofNCompleteColumn(), speed, TimeRemainingColumn()
    with Progress(*columns, console=console, unit="frames", transient=True) as bar:
        task = None

        def advance(done: int, total: int | None) -> None:
            nonlocal task
            if task is None:
                task = bar.add_task("frames", total=total, completed=done, speed="")
            state = bar.tasks[0]
            if total is not None and done > total:  # the frame count of the file was an estimate
                total = done
            words = f"{state.speed:.0f} frames/s" if state.speed else ""
            bar.update(task, completed=done, total=total, speed=words)

        yield advance

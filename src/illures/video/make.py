"""A clip in, a clip out: every face decomposed, frame by frame, and shown as one of its maps or under another light.

Tracking, the network and encoding run in parallel, each in a thread of its own. The output is written in parts
(`write`), so that a killed run can be resumed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import illures
from illures.decompose.decomposer import Decomposer
from illures.decompose.folder import describe_weights
from illures.errors import InputError
from illures.io.decoding import note
from illures.io.files import check_writable
from illures.io.formats import Format
from illures.relighting.light import Light
from illures.video.read import open_clip
from illures.video.render import Show
from illures.video.run import Look, Run, VideoReport
from illures.video.sequence import files_of, is_sequence
from illures.video.stabilize import Stabilizer
from illures.video.write import Coding, Parts, can_hold_alpha, coding_for, held

# Frames of a part: at most so many are computed again after a killed run.
PART = 250


def make_video(
    clip: Path,
    out: Path,
    decomposer: Decomposer,
    show: Show = "grid",
    light: Light | None = None,
    *,
    shadows: bool = False,
    alpha: bool = False,
    codes: Format = Format("png"),  # noqa: B008 (frozen)
    every: int = 4,
    skip_broken: bool = False,
    part_frames: int = PART,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> VideoReport:
    """Write a clip that shows one map of its faces, or all, or the faces under another light.

    The output keeps the clip's size (but for "grid"), times and sound; its alpha, too, where the file can hold it. It
    appears when it is complete. An interrupted run leaves OUT.parts, from which the same call continues.

    Args:
        clip: a video file.
        out: .mp4, .m4v, .mov (H.264), .webm (VP9) or .mkv (FFV1, lossless), or numbered pictures (frame.%04d.png).
        decomposer: the network; its finder of faces is not used.
        show: see `illures.video.render.show_frame`.
        light: for "relit" and "grid", which need it.
        shadows: let relit faces cast shadows on themselves, which takes many times as long.
        alpha: hold the people's matte (times the clip's alpha) as alpha: .mov (ProRes 4444), .mkv (FFV1) or pictures;
            not for "grid".
        codes: see `illures.video.render.show_frame`.
        every: frames from one run of the network to the next.
        skip_broken: show the last good frame longer where one can't be decoded, instead of stopping.
        part_frames: frames of a part.
        progress: called with the number of finished frames and of all, where that is known.

    Raises:
        InputError: the clip can't be read or the output not written, a frame is broken, or a light is missing.
    """
    if show in ("relit", "grid") and light is None:
        raise InputError(f"show {show}: needs a light")
    if every < 1 or part_frames < 1:
        raise InputError(f"every {every}, part_frames {part_frames}: must be at least 1")
    if alpha and show == "grid":
        raise InputError("show grid: has no matte; choose one map for alpha")
    coding, info = coding_for(out, alpha), open_clip(clip)
    own_alpha = info.has_alpha and show != "grid" and can_hold_alpha(out)
    if own_alpha:
        coding = coding_for(out, alpha=True)
    elif info.has_alpha:
        note(out, "holds no alpha; what is transparent in the clip is mid grey")
    _check_output(out, clip)
    look = Look(show, light if show in ("relit", "grid") else None, shadows, alpha, own_alpha, codes)
    job = _job(clip, decomposer, coding, look, every, part_frames)
    with held(out):
        run = Run(info, Parts(out, job), coding, Stabilizer(decomposer, every), look, skip_broken, part_frames)
        return run(progress)


def _check_output(out: Path, clip: Path) -> None:
    """Raise an InputError where `out` is the clip, a folder, or in a folder that can't be written."""
    if os.path.realpath(out) == os.path.realpath(clip) or (out.exists() and out.samefile(clip)):
        raise InputError(f"{out}: is the clip itself; choose another output")
    if out.is_dir():
        raise InputError(f"{out}: is a folder, a file is needed")
    check_writable(out.parent)


def _job(
    clip: Path, decomposer: Decomposer, coding: Coding, look: Look, every: int, part_frames: int
) -> dict[str, Any]:
    """All that determines the output's pixels; parts of a run with another job are not continued."""
    axes = {} if look.show != "normal" else {"normals": [look.codes.normals, look.codes.normal_space]}
    last = max(files_of(clip).values(), key=lambda p: p.stat().st_mtime_ns) if is_sequence(clip) else clip
    file = last.stat()
    return {
        "illures": illures.__version__,
        "clip": [str(clip.resolve()), file.st_size, file.st_mtime_ns],
        "weights": describe_weights(decomposer.predictor.info),
        "size": decomposer.size,
        "look": [look.show, look.light and look.light.to_dict(), look.shadows],
        "coding": [coding.container, coding.codec, coding.pixels, dict(coding.options)],
        "every": every,
        "part_frames": part_frames,
    } | axes

"""`illures videos`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from illures.cli.app import BAD_INPUT, OK, Flag, app
from illures.cli.options import CROP_SIZE, Output, Ray, Workers, YawLimit


@app.command
def videos(
    clips: list[Path],
    /,
    *,
    output: Output,
    size: Annotated[Literal[128, 256], CROP_SIZE] = 128,
    frames_per_clip: int = 24,
    table: Path | None = None,
    released: Annotated[bool, Flag] = False,
    per_second: float = 12.0,
    smallest: float = 0.6,
    yaw_limit_deg: YawLimit = 60.0,
    least_sharpness: float = 0.7,
    least_change: float = 0.25,
    workers: Workers = None,
    ray: Ray = None,
) -> int:
    """Extract aligned frames of faces from video clips, to train on.

    Writes OUTPUT/NAME.tar (WebDataset), one for each clip, and OUTPUT/report.json. A clip that can't be used is
    skipped, and the reason is reported. An interrupted run continues: finished clips are not processed again.

    Parameters
    ----------
    clips
        Video files, folders of them, or folders in the layout of 300VW (vid.avi with annot/*.pts).
    output
        Folder for the shards.
    frames_per_clip
        Frames kept of each clip, at most: those that differ most in pose, expression and light.
    table
        Tab-separated file with the columns file and identity: clips of equal identity show the same person. Without
        it, each clip is a person of its own. A column licence is stored beside the frames, and printed by illures
        train.
    released
        Skip clips whose column release is not yes: for weights that will be published.
    per_second
        Frames examined per second.
    smallest
        Smallest face that is used, relative to the size of the crop.
    least_sharpness
        Frames less sharp than this share of the clip's sharp frames are skipped.
    least_change
        Frames that differ less from a kept frame are skipped; 1 is a clear change.
    """
    from illures.data.candidates import VideoRecipe
    from illures.data.footage import find_footage
    from illures.data.videos import make_videos

    recipe = VideoRecipe(
        size=size,
        frames_per_clip=frames_per_clip,
        per_second=per_second,
        smallest=smallest,
        yaw_limit_deg=yaw_limit_deg,
        least_sharpness=least_sharpness,
        least_change=least_change,
    )
    footage, problems = find_footage(clips, table, released)
    for _, problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    reports = make_videos(footage, output, recipe, workers, ray, problems) if footage else []
    failed = sum(report.error is not None for report in reports) + len(problems)
    kept, people = sum(report.kept for report in reports), {report.identity for report in reports if report.kept}
    print(f"{len(reports) - failed + len(problems)} clips: {kept} frames of {len(people)} people -> {output}", end="")
    print(f"; {failed} skipped" if failed else "")
    return BAD_INPUT if failed else OK

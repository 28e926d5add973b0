"""Video clips to shards of frames, many clips in parallel; interrupted work is continued."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import TextColumn

from illures import __version__
from illures.data.candidates import VideoRecipe, best_frames
from illures.data.footage import Footage
from illures.data.frames import frame_shard_bytes
from illures.errors import InputError
from illures.io.files import write_whole
from illures.io.inputs import Problem
from illures.jobs import pool, ray_cluster
from illures.jobs.progress import Progress, timed_columns

_RECIPE, _REPORT = "recipe.json", "report.json"


_KNOWN = ("identity", "source", "bytes", "licence")  # known of a clip beforehand


@dataclass(frozen=True)
class ClipReport:
    """Result for a clip.

    Attributes:
        clip, identity, licence: see `Footage`.
        source: path of the file.
        bytes: its size.
        frames: decoded.
        shots: found in it.
        looked: frames in which its main face was measured.
        kept: frames in its shard.
        rejected: how many of `looked` were left out, by reason.
        error: why the clip has no shard, or None.
    """

    clip: str
    identity: str
    source: str
    bytes: int
    frames: int = 0
    shots: int = 0
    looked: int = 0
    kept: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    error: str | None = None
    licence: str = ""


@dataclass(frozen=True)
class VideoJob:
    """The work on numbered clips, to be opened in any process (see `jobs`)."""

    clips: tuple[Footage, ...]
    recipe: VideoRecipe

    def __call__(self) -> Callable[[int], tuple[ClipReport, bytes]]:
        """Check that all clips can be read from here; returns `clip`.

        Raises:
            InputError: a clip does not exist on this machine.
        """
        import cv2

        cv2.setNumThreads(1)
        for clip in self.clips:
            if not clip.path.exists():
                raise InputError(f"{clip.path}: is not there; every worker needs the clips at these paths")
        return self.clip

    def clip(self, number: int) -> tuple[ClipReport, bytes]:
        """The report on a clip, and its shard; the same wherever it is made."""
        footage = self.clips[number]
        try:
            kept, tally = best_frames(footage, self.recipe)
        except InputError as error:
            return replace(_about(footage), error=str(error)), b""
        rejected = dict(sorted(tally.rejected.items()))
        about = _about(footage)
        report = replace(about, frames=tally.frames, shots=tally.shots, looked=tally.looked, rejected=rejected)
        if not kept:
            reasons = ", ".join(f"{count} {reason}" for reason, count in rejected.items()) or "no face found"
            return replace(report, error=f"{footage.path}: no frame is fit ({reasons})"), b""
        return replace(report, kept=len(kept)), frame_shard_bytes(kept)


def make_videos(
    clips: Sequence[Footage],
    out: Path,
    recipe: VideoRecipe,
    workers: int | None = None,
    ray: str | None = None,
    problems: Sequence[Problem] = (),
) -> list[ClipReport]:
    """Write a shard for each clip, `out`/NAME.tar, and a report on all to `out`/report.json.

    Clips with an existing shard of the same file, identity and licence are skipped.

    Args:
        clips: with unique names.
        out: folder; made if it is not there. Only this process writes to it.
        recipe: what to take.
        workers: processes, one thread each; None: as many as this machine, or the Ray cluster, has CPUs.
        ray: work on Ray: "auto" joins the cluster that runs on this machine, "local" starts one here, anything else
            is the address of one. None: a pool of processes on this machine.
        problems: paths that gave no clip, for the report.

    Returns:
        The reports, in the order of `clips`.

    Raises:
        InputError: `out` holds frames of another recipe or is being written to.
    """
    if workers is not None and workers < 1:
        raise InputError(f"workers = {workers}: must be at least 1")
    do = pool.in_processes if ray is None else partial(ray_cluster.on_ray, address=ray)
    job = VideoJob(tuple(replace(clip, path=clip.path.resolve()) for clip in clips), recipe)
    with pool.one_writer(out):
        reports = _prepare(job, out)
        missing = [k for k, clip in enumerate(job.clips) if clip.name not in reports]
        if missing:
            with closing(do(job, missing, workers)) as results, _progress(len(clips), len(reports)) as advance:
                for _, (report, shard) in results:
                    _write(out, report, shard, reports, job, problems)
                    advance(report)
        _write_report(out, reports, job, problems)
    return [reports[clip.name] for clip in job.clips]


def _prepare(job: VideoJob, out: Path) -> dict[str, ClipReport]:
    """Check that the folder has the same recipe; returns the reports of finished clips."""
    note, text = out / _RECIPE, _to_json(job.recipe)
    if note.exists() and note.read_text() != text and any(out.glob("*.tar")):
        raise InputError(f"{note}: this folder holds frames of another recipe; choose another folder")
    write_whole(note, text.encode())
    for left in out.glob(".*.partial-*"):  # by processes that are gone, as the lock is ours
        left.unlink()
    known = _read_report(out / _REPORT)
    done = {}
    for clip in job.clips:
        report = known.get(clip.name)
        if report is None or report.error is not None or not (out / f"{clip.name}.tar").exists():
            continue
        if all(getattr(report, name) == getattr(_about(clip), name) for name in _KNOWN):
            done[clip.name] = report
    return done


def _write(
    out: Path,
    report: ClipReport,
    shard: bytes,
    reports: dict[str, ClipReport],
    job: VideoJob,
    problems: Sequence[Problem],
) -> None:
    """The shard is written first, so that a clip without a report is processed again, but never missing."""
    path = out / f"{report.clip}.tar"
    if shard:
        write_whole(path, shard)
    else:
        path.unlink(missing_ok=True)  # of a former file or identity
    reports[report.clip] = report
    _write_report(out, reports, job, problems)


def _write_report(out: Path, reports: dict[str, ClipReport], job: VideoJob, problems: Sequence[Problem]) -> None:
    listed = [reports[clip.name] for clip in job.clips if clip.name in reports]
    rejected: Counter[str] = Counter()
    for report in listed:
        rejected.update(report.rejected)
    facts = {
        "clips": len(listed) + len(problems),
        "failed": sum(report.error is not None for report in listed) + len(problems),
        "frames": sum(report.frames for report in listed),
        "kept": sum(report.kept for report in listed),
        "identities": len({report.identity for report in listed if report.kept}),
        "rejected": dict(rejected.most_common()),
        "no_clip": [str(problem) for _, problem in problems],
        "each": [asdict(report) for report in listed],
    }
    write_whole(out / _REPORT, (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode())


def _read_report(path: Path) -> dict[str, ClipReport]:
    """Reports by clip; none where there is no file, or one that can't be read: then all is done again."""
    try:
        return {facts["clip"]: ClipReport(**facts) for facts in json.loads(path.read_text())["each"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _about(clip: Footage) -> ClipReport:
    """The fields of the report that are known beforehand."""
    return ClipReport(clip.name, clip.identity, str(clip.path), _size(clip.path), licence=clip.licence)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _to_json(recipe: VideoRecipe) -> str:
    return json.dumps({"illures": __version__, **asdict(recipe)}, indent=1) + "\n"


@contextmanager
def _progress(total: int, done: int) -> Iterator[Callable[[ClipReport], None]]:
    """Progress on stderr; yields a function to call after each clip, which also prints failures."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = TextColumn("clips"), *timed_columns(TextColumn("{task.fields[kept]} frames"))
    with Progress(*columns, console=console, unit="clips") as progress:
        task = progress.add_task("clips", total=total, completed=done, kept=0)
        kept = 0

        def advance(report: ClipReport) -> None:
            nonlocal kept
            kept += report.kept
            progress.update(task, advance=1, kept=kept)
            if report.error is not None:
                console.print(f"skipped: {report.error}", markup=False, emoji=False)

        yield advance

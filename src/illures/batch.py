"""Many photos, one after the other: what a failure of one does to the rest, and what is said about each."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

from illures import mesh3d
from illures.decoding import noted
from illures.decompose import Decomposer
from illures.errors import InputError
from illures.files import DiskFullError
from illures.formats import Format
from illures.images import open_photo, save_image
from illures.output import (
    OUTPUTS,
    About,
    Outcome,
    check_target,
    describe_weights,
    is_done,
    targets,
    write_maps,
    write_photo,
)
from illures.progress import Progress
from illures.sheet import contact_sheet


class Report:
    """Says what became of each photo (results on stdout, errors on stderr), and counts."""

    def __init__(self, as_json: bool, total: int) -> None:
        """Begin.

        Args:
            as_json: print a line of JSON for each photo, failed ones too, instead of words.
            total: how many photos there are.
        """
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._json, self._total = as_json, total
        self._done = self._faces = self._failed = self._skipped = 0

    def done(self, outcome: Outcome) -> None:
        """A photo is written."""
        self._done += 1
        self._faces += outcome.faces
        faces = "1 face" if outcome.faces == 1 else f"{outcome.faces} faces"
        self._print(outcome, f"{outcome.photo}: {faces} -> {outcome.output}")

    def skipped(self, source: Path, target: Path) -> None:
        """A photo's results are there already."""
        self._skipped += 1
        self._print(Outcome(str(source), str(target), skipped=True), f"{source}: is there already, in {target}")

    def failed(self, source: Path, error: Exception) -> None:
        """A photo could not be done; the others go on."""
        self._failed += 1
        if self._json:
            self._print(Outcome(str(source), error=str(error)), "")
        self.say(f"error: {error}")

    def summary(self) -> bool:
        """Say the counts where there was more than one photo; whether all went well."""
        untried = self._total - self._done - self._failed - self._skipped
        counts = {"done": self._done, "already there": self._skipped, "failed": self._failed, "not tried": untried}
        if self._total > 1:
            words = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
            self.say(f"{self._total} photos: {words}; {self._faces} faces")
        return not (self._failed or untried)

    def say(self, line: str) -> None:
        """One line on stderr, as it is: brackets in file names are no markup."""
        self.console.print(line, markup=False, emoji=False)

    def _print(self, outcome: Outcome, words: str) -> None:
        print(json.dumps(asdict(outcome), ensure_ascii=False) if self._json else words, flush=True)


def decompose_all(
    sources: list[Path],
    out: Path,
    report: Report,
    decomposer: Decomposer,
    format: Format,
    crop_only: bool = False,
    skip_existing: bool = False,
    *,
    names: Collection[str] = OUTPUTS,
    single: Path | None = None,
) -> None:
    """Decompose and write each photo; bad ones are reported and the rest still done, unless the disk is full.

    Args:
        sources: the photos.
        out: folder for the results.
        report: is told what became of each.
        decomposer: finds and decomposes the faces.
        format: of the maps.
        crop_only: leave out the maps of the photo's size.
        skip_existing: leave results alone that are there.
        names: of `output.OUTPUTS`: the maps that are written.
        single: instead of a folder, the one file for one photo: .exr for the maps as layers, else the sheet.
    """
    chosen = targets(sources, out) if single is None else {sources[0]: single}

    def one(source: Path) -> None:
        target = chosen[source]
        if skip_existing and (is_done(target, source) if single is None else single.exists()):
            report.skipped(source, target)
        else:
            report.done(_decompose_one(decomposer, source, target, format, crop_only, names, single is not None))

    with progress(len(sources), report.console) as advance:
        for_each(chosen, one, report, advance)


def for_each(
    sources: Iterable[Path], work: Callable[[Path], None], report: Report, advance: Callable[[], None] = lambda: None
) -> None:
    """Work on each photo; bad ones are reported and the rest still done, unless the disk is full.

    Args:
        sources: the photos.
        work: reports what became of a photo, or raises.
        report: is told what failed.
        advance: called after each photo.
    """
    for source in sources:
        try:
            work(source)
        except DiskFullError as error:
            report.failed(source, error)
            report.say("stopped: the photos after it would fail in the same way")
            return
        except InputError as error:
            report.failed(source, error)
        except MemoryError:
            report.failed(source, InputError(f"{source}: not enough memory for a photo of this size"))
        advance()


def _decompose_one(
    decomposer: Decomposer,
    source: Path,
    target: Path,
    format: Format,
    crop_only: bool,
    names: Collection[str],
    single: bool,
) -> Outcome:
    started = time.perf_counter()
    if not single:
        check_target(target)
    elif target.exists() and target.samefile(source):
        raise InputError(f"{target}: is the photo itself; choose another output")
    with noted() as notes:
        opened = open_photo(source)
    photo, alpha = opened.photo, opened.alpha
    faces = decomposer(photo, name=str(source), alpha=alpha)
    if not faces:
        raise InputError(f"{source}: no face found")
    if not single:
        weights = describe_weights(decomposer.predictor.info)
        write_photo(target, source, photo, faces, format, weights, crop_only, names, About(alpha, tuple(notes)))
    elif target.suffix.lower() in mesh3d.SUFFIXES:
        mesh3d.write_mesh(target, faces[0].photo_resolution(photo))
    elif format.is_exr:
        write_maps(target.parent, photo, faces, format, names, target.name, alpha)
    else:
        save_image(target, contact_sheet(photo, faces, source.name))
    return Outcome(str(source), str(target), len(faces), round(time.perf_counter() - started, 3))


@contextmanager
def progress(total: int, console: Console) -> Iterator[Callable[[], None]]:
    """A bar or lines on stderr where there are several photos; yields what to call after each."""
    columns = BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, shown=total > 1, stages=False, transient=True) as bar:
        task = bar.add_task("photos", total=total)
        yield lambda: bar.advance(task)

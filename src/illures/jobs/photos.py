"""Process photos, several at a time, report on each in order, and continue after a failure."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from illures.errors import InputError
from illures.io.files import DiskFullError
from illures.jobs.prefetch import prefetched, threads_for
from illures.jobs.progress import bar


@dataclass(frozen=True)
class Outcome:
    """Result for one photo, printed as a line by `--json`.

    Attributes:
        photo: path of the input.
        output: path of the result; None if there is none.
        faces: number of faces found.
        seconds: processing time [s].
        skipped: whether the result existed already.
        error: error message; None without one.
    """

    photo: str
    output: str | None = None
    faces: int = 0
    seconds: float = 0.0
    skipped: bool = False
    error: str | None = None


class Report:
    """Prints the outcome of each photo (results on stdout, errors on stderr), and counts them."""

    def __init__(self, as_json: bool, total: int) -> None:
        """Create the report.

        Args:
            as_json: print a line of JSON for each photo, including failed ones, instead of text.
            total: number of photos.
        """
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._json, self._total = as_json, total
        self._results = sys.stdout  # kept, as callers may redirect the output of libraries
        self._done = self._faces = self._failed = self._skipped = 0

    def more(self, count: int) -> None:
        """Add to the total number of photos."""
        self._total += count

    def done(self, outcome: Outcome) -> None:
        """Report a photo whose result is written, or existed already."""
        if outcome.skipped:
            self._skipped += 1
            self._print(outcome, f"{outcome.photo}: is there already, in {outcome.output}")
            return
        self._done += 1
        self._faces += outcome.faces
        faces = "1 face" if outcome.faces == 1 else f"{outcome.faces} faces"
        self._print(outcome, f"{outcome.photo}: {faces} -> {outcome.output}")

    def failed(self, source: Path, error: Exception) -> None:
        """Report a photo that failed."""
        self._failed += 1
        if self._json:
            self._print(Outcome(str(source), error=str(error)), "")
        self.say(f"error: {error}")

    def summary(self) -> bool:
        """Print the counts if there was more than one photo.

        Returns:
            Whether every photo was processed or done before.
        """
        untried = self._total - self._done - self._failed - self._skipped
        counts = {"done": self._done, "already there": self._skipped, "failed": self._failed, "left": untried}
        if self._total > 1:
            words = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
            self.say(f"{self._total} photos: {words}; {self._faces} faces")
        return not (self._failed or untried)

    def say(self, line: str) -> None:
        """Print a line to stderr, without interpreting brackets in file names as markup."""
        self.console.print(line, markup=False, emoji=False)

    def _print(self, outcome: Outcome, words: str) -> None:
        print(json.dumps(asdict(outcome), ensure_ascii=False) if self._json else words, file=self._results, flush=True)


def each_photo(
    sources: Collection[Path], work: Callable[[Path], Outcome], report: Report, workers: int | None = None
) -> None:
    """Work on photos, several at a time, and show progress; after an error the others go on, unless the disk is full.

    Args:
        sources: the photos.
        work: on a photo; safe to call from several threads.
        report: receives the outcome of each, in the order of the photos.
        workers: largest number of photos at a time; None: one a core, as far as the memory goes.
    """
    threads = threads_for(len(sources), workers)
    with prefetched(work, sources, threads) as result, bar(len(sources), report.console) as advance:
        for_each(sources, lambda source: report.done(result(source)), report, advance)


def for_each(
    sources: Iterable[Path], work: Callable[[Path], None], report: Report, advance: Callable[[], None] = lambda: None
) -> None:
    """Process each photo. A failure is reported and the next photo processed, unless the disk is full.

    Args:
        sources: the photos.
        work: processes a photo and reports its outcome, or raises.
        report: receives the failures.
        advance: called after each photo.
    """
    for source in sources:
        try:
            work(source)
        except DiskFullError as error:
            report.failed(source, error)
            report.say("stopped: the remaining photos would fail in the same way")
            return
        except InputError as error:
            report.failed(source, error)
        except MemoryError:
            report.failed(source, InputError(f"{source}: not enough memory for a photo of this size"))
        advance()

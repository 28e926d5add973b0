"""Many photos, one after the other: what a failure of one does to the rest, and what is said about each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from illures.errors import InputError
from illures.io.files import DiskFullError


@dataclass(frozen=True)
class Outcome:
    """What became of one photo: the line that `--json` prints."""

    photo: str
    output: str | None = None
    faces: int = 0
    seconds: float = 0.0
    skipped: bool = False
    error: str | None = None


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
        self._results = sys.stdout  # also where libraries' words are kept from there
        self._done = self._faces = self._failed = self._skipped = 0

    def more(self, count: int) -> None:
        """There are more photos than were known."""
        self._total += count

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
        print(json.dumps(asdict(outcome), ensure_ascii=False) if self._json else words, file=self._results, flush=True)


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

"""Damaged files to our decoders, in processes of their own: `python tests/fuzz/run.py 10000`, or `make fuzz N=10000`.

Prints for each kind of file how many were tried, gave a clear error, were read, crashed (a traceback of ours, or the
process died), hung, and how much memory the worst took.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import sys
import time
import traceback
import warnings
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1])] if __name__ == "__main__" else []

from fuzz.damage import case  # noqa: E402
from fuzz.readers import read  # noqa: E402

HANG_S = 10.0  # of the processor; a busy machine may take many times as long
STUCK_S = 120.0  # by the clock, less what it waited for a processor: it waits for something else
MOST_MB = 1536.0


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Attributes:
        seed: makes it again.
        name, damage: of `corpus`.
        kind: "error" (clear), "fine", "crash" or "hang".
        words: of the error or the traceback.
        seconds: it took.
        peak_mb: of memory, of the process while it worked on it.
    """

    seed: int
    name: str
    damage: str
    kind: str
    words: str = ""
    seconds: float = 0.0
    peak_mb: float = 0.0


@dataclass
class Row:
    """Counts of one kind of file."""

    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    peak_mb: float = 0.0
    slowest_s: float = 0.0


def attempt(seed: int, folder: Path) -> Outcome:
    """Write and read the file of a seed, here."""
    from illures.errors import InputError

    name, damage, data = case(seed)
    path = folder / f"{seed}-{name}"
    path.write_bytes(data)
    _reset_peak()
    started, kind, words = time.process_time(), "fine", ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(name, path)
    except InputError as error:
        kind, words = "error", str(error)
        if path.name not in words or "\n" in words:
            kind, words = "crash", f"an error that does not name the file on one line: {words}"
    except BaseException:
        kind, words = "crash", traceback.format_exc()
    path.unlink(missing_ok=True)
    left = [p.name for p in folder.iterdir()]
    if left:
        kind, words = "crash", f"left behind: {left}"
    return Outcome(seed, name, damage, kind, words, time.process_time() - started, _peak_mb())


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def _serve(pipe: Connection, folder: str) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)  # libraries write of what they find
    while True:
        seed = pipe.recv()
        if seed is None:
            return
        pipe.send(attempt(seed, Path(folder)))


class Worker:
    """A process that tries files; what hangs is killed, what dies is started anew."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory()
        self._process: Any = None
        self._pipe: Any = None
        self.seed: int | None = None
        self._since = self._used = self._waited = 0.0

    def give(self, seed: int) -> None:
        """Begin with a file."""
        if self._process is None:
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs, self._folder.name), daemon=True)
            self._process.start()
            theirs.close()
        self._since, self._used, self._waited = time.monotonic(), self._cpu_s(), self._waited_s()
        self.seed = seed
        self._pipe.send(seed)

    def take(self) -> Outcome | None:
        """What became of it, or None while it works."""
        assert self.seed is not None
        name, damage, _ = case(self.seed)
        try:
            if self._pipe.poll(0.02):
                found = self._pipe.recv()
                self.seed = None
                return found
        except (EOFError, OSError):
            return self._lost(name, damage, "crash", f"the process died ({self._process.exitcode})")
        elapsed_s = time.monotonic() - self._since - (self._waited_s() - self._waited)
        if self._cpu_s() - self._used > HANG_S or elapsed_s > STUCK_S:
            return self._lost(name, damage, "hang", f"more than {HANG_S:g} s")
        return None

    def _cpu_s(self) -> float:
        """Time of the processor that the process has used."""
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _waited_s(self) -> float:
        """Time that the process was ready to run and got no processor; 0 where the system does not count it."""
        try:
            return int(Path(f"/proc/{self._process.pid}/schedstat").read_text().split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            return 0.0

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = None
        self._folder.cleanup()

    def _lost(self, name: str, damage: str, kind: str, words: str) -> Outcome:
        self._process.kill()
        self._process.join()
        for left in Path(self._folder.name).iterdir():
            left.unlink()
        seed, self.seed, self._process = self.seed or 0, None, None
        return Outcome(seed, name, damage, kind, words)


def fuzz(seeds: Iterable[int], workers: int = 2) -> Iterable[Outcome]:
    """Try the files of some seeds side by side."""
    waiting, crew = iter(seeds), [Worker() for _ in range(workers)]
    try:
        while True:
            busy = False
            for worker in crew:
                if worker.seed is None and (seed := next(waiting, None)) is not None:
                    worker.give(seed)
                if worker.seed is not None:
                    busy = True
                    outcome = worker.take()
                    if outcome is not None:
                        yield outcome
            if not busy:
                return
    finally:
        for worker in crew:
            worker.close()


def table(rows: dict[str, Row]) -> str:
    """The counts in words."""
    lines = [f"{'file':24}{'tried':>7}{'error':>7}{'fine':>7}{'crash':>7}{'hang':>6}{'peak MB':>9}{'slowest s':>11}"]
    total = Row()
    for name, row in [*sorted(rows.items()), ("all", total)]:
        tried = sum(row.counts.values())
        counts = "".join(
            f"{row.counts[kind]:>{w}}" for kind, w in (("error", 7), ("fine", 7), ("crash", 7), ("hang", 6))
        )
        lines.append(f"{name:24}{tried:>7}{counts}{row.peak_mb:>9.0f}{row.slowest_s:>11.2f}")
        if row is not total:
            for kind, count in row.counts.items():
                total.counts[kind] += count
            total.peak_mb = max(total.peak_mb, row.peak_mb)
            total.slowest_s = max(total.slowest_s, row.slowest_s)
    return "\n".join(lines)


def _record(rows: dict[str, Row]) -> None:
    """Write benchmarks/results/fuzz.json."""
    sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
    from record import record

    def figures(of: list[Row]) -> dict[str, float]:
        counts = {kind: sum(row.counts[kind] for row in of) for kind in ("error", "fine", "crash", "hang")}
        worst = {"peak_mb": max(row.peak_mb for row in of), "slowest_cpu_s": max(row.slowest_s for row in of)}
        named = {"clear_error" if kind == "error" else kind: count for kind, count in counts.items()}
        return {"tried": sum(counts.values())} | named | {name: round(value, 2) for name, value in worst.items()}

    all_of = figures(list(rows.values()))
    record("fuzz", {"all": all_of, "files": {name: figures([row]) for name, row in sorted(rows.items())}})


def main() -> int:
    """Run, print the table and what must be mended; 1 where there is anything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("count", type=int, nargs="?", default=1000, help="how many files")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--record", action="store_true", help="write benchmarks/results/fuzz.json")
    given = parser.parse_args()
    rows: dict[str, Row] = defaultdict(Row)
    bad: list[Outcome] = []
    for done, outcome in enumerate(fuzz(range(given.first, given.first + given.count), given.workers), 1):
        row = rows[outcome.name]
        row.counts[outcome.kind] += 1
        row.peak_mb, row.slowest_s = max(row.peak_mb, outcome.peak_mb), max(row.slowest_s, outcome.seconds)
        if outcome.kind in ("crash", "hang") or outcome.peak_mb > MOST_MB:
            bad.append(outcome)
            last = outcome.words.strip().splitlines()[-1:] or [f"{outcome.peak_mb:.0f} MB"]
            print(f"seed {outcome.seed} {outcome.name} {outcome.damage}: {outcome.kind}: {last[0][:200]}", flush=True)
        if done % 500 == 0:
            print(f"{done} of {given.count}", flush=True)
    print(table(rows))
    if given.record:
        _record(rows)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

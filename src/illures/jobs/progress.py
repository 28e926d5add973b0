"""Progress of long work: a bar on a terminal, otherwise a line of text every 30 seconds.

A line gives the count, the rate, the time left, and the current figures (a loss, for example).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as _RichProgress

EVERY_S = 30.0  # interval between lines [s]


def _draws_in_notebook() -> bool:
    """Whether rich can draw bars in a notebook; without these packages it prints a warning instead."""
    return all(find_spec(name) is not None for name in ("IPython", "ipywidgets"))


@dataclass
class _Stage:
    """State of a task for lines of text: name, unit, count and time at its start, and whether its end was printed."""

    name: str
    unit: str
    began_at: float
    began_s: float
    told: bool = False


class Progress(_RichProgress):
    """Rich's progress display; without a terminal (or ipywidgets, in a notebook), lines of text on the same console.

    The first description of a task is its name. Later descriptions are its current figures.

    Args:
        columns: columns of the display.
        console: console to print to.
        shown: False prints nothing.
        stages: without a terminal, also print a line when a task begins and ends.
        unit: unit of the rate.
        options: further options of `rich.progress.Progress`.
    """

    def __init__(
        self,
        *columns: str | ProgressColumn,
        console: Console,
        shown: bool = True,
        stages: bool = True,
        unit: str = "",
        **options: Any,
    ) -> None:
        self._plain = shown and not (_draws_in_notebook() if console.is_jupyter else console.is_terminal)
        self._stages, self._unit = stages, unit
        self._known: dict[TaskID, _Stage] = {}
        self._ended = threading.Event()
        self._ticker: threading.Thread | None = None
        super().__init__(*columns, console=console, disable=self._plain or not shown, **options)

    def start(self) -> None:
        """Start the display."""
        super().start()
        if self._plain and self._ticker is None:
            self._ticker = threading.Thread(target=self._tick, daemon=True, name="illures-progress")
            self._ticker.start()

    def stop(self) -> None:
        """Stop the display."""
        self._ended.set()
        if self._ticker is not None:
            self._ticker.join()
        if not self._plain:  # rich would end with an empty line
            super().stop()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            for task in list(self._known):
                self._tell_end(task)
        super().__exit__(kind, error, trace)

    def add_task(  # type: ignore[override]
        self, description: str, *, unit: str = "", total: float | None = 100.0, completed: int = 0, **fields: Any
    ) -> TaskID:
        """Begin a task; `unit` is that of its count, if it differs from the display's."""
        task = super().add_task(description, total=total, completed=completed, **fields)
        self._known[task] = _Stage(description, unit or self._unit, completed, time.monotonic())
        if self._plain and self._stages:
            self._say(task)
        return task

    def remove_task(self, task_id: TaskID) -> None:
        """End a task."""
        self._tell_end(task_id)
        self._known.pop(task_id, None)
        super().remove_task(task_id)

    def tell(self, task_id: TaskID) -> None:
        """Print a line for a task now, unless a bar shows it."""
        if self._plain:
            self._say(task_id)

    def _tick(self) -> None:
        while not self._ended.wait(EVERY_S):
            for task in list(self._known):
                if not self._known[task].told:
                    self._say(task)

    def _tell_end(self, task_id: TaskID) -> None:
        stage = self._known.get(task_id)
        if self._plain and self._stages and stage is not None and not stage.told:
            stage.told = True
            self._say(task_id)

    def _say(self, task_id: TaskID) -> None:
        line = self._line(task_id)
        if line:
            self.console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def _line(self, task_id: TaskID) -> str:
        stage, task = self._known.get(task_id), next((t for t in self.tasks if t.id == task_id), None)
        if stage is None or task is None:
            return ""
        words = f"{stage.name}: {task.completed:.0f}" + (f" of {task.total:.0f}" if task.total is not None else "")
        elapsed_s, done = time.monotonic() - stage.began_s, task.completed - stage.began_at
        if done > 0 and elapsed_s > 0:
            rate = done / elapsed_s
            words += f", {rate:.3g} {stage.unit}/s".replace("  ", " ") if rate >= 0.1 else f", {1 / rate:.3g} s each"
            if task.total is not None and task.completed < task.total:
                words += f", {_duration((task.total - task.completed) / rate)} left"
        words += f", {_duration(elapsed_s)} so far" if elapsed_s >= 1 else ""
        figures = " ".join(task.description.split()) if task.description != stage.name else ""
        return f"{words}; {figures}" if figures else words


def _duration(seconds: float) -> str:
    """Format a duration to about two digits."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    if whole < 5400:
        return f"{round(whole / 60)} min"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def timed_columns(*figures: ProgressColumn) -> tuple[ProgressColumn, ...]:
    """Columns of a display: the bar, the count, further figures, the time passed and the time left."""
    return BarColumn(), MofNCompleteColumn(), *figures, TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()


@contextmanager
def bar(total: int, console: Console, what: str = "photos") -> Iterator[Callable[[], None]]:
    """Show progress if `total` exceeds 1. Yields a function to be called after each item."""
    columns = BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, shown=total > 1, stages=False, transient=True) as shown:
        task = shown.add_task(what, total=total)
        yield lambda: shown.advance(task)

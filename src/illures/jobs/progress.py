"""Long work says where it stands: a bar on a terminal; where nobody watches, a plain line now and then.

A line says what is done of how much, how fast, how long it will still take, and the figures of the moment.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TaskID, TimeRemainingColumn
from rich.progress import Progress as _RichProgress

EVERY_S = 30.0  # from one plain line to the next


@dataclass
class _Stage:
    """A task as plain lines need it: its name, where and when it began, and whether its end was told."""

    name: str
    unit: str
    began_at: float
    began_s: float
    told: bool = False


class Progress(_RichProgress):
    """Rich's progress display; without a terminal (or a notebook) plain lines on the same console.

    A task's first description is its name; what it is changed to later are figures.

    Args:
        columns: of the display.
        console: where to.
        shown: False says nothing at all.
        stages: without a terminal, also say when a task begins and ends.
        unit: what is counted, for the rate.
        options: of rich's display.
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
        self._plain = shown and not (console.is_terminal or console.is_jupyter)
        self._stages, self._unit = stages, unit
        self._known: dict[TaskID, _Stage] = {}
        self._ended = threading.Event()
        self._ticker: threading.Thread | None = None
        super().__init__(*columns, console=console, disable=self._plain or not shown, **options)

    def start(self) -> None:
        """Begin to show, or to tell."""
        super().start()
        if self._plain and self._ticker is None:
            self._ticker = threading.Thread(target=self._tick, daemon=True, name="illures-progress")
            self._ticker.start()

    def stop(self) -> None:
        """End; the last line of each task is told."""
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
        """Begin a task; `unit` is what it counts, if that is not the display's."""
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
        """Say now where a task stands, unless a bar shows it."""
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
    """In words, to two digits or so."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    if whole < 5400:
        return f"{round(whole / 60)} min"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


@contextmanager
def bar(total: int, console: Console, what: str = "photos") -> Iterator[Callable[[], None]]:
    """A bar or lines where there are several things to do; yields what to call after each."""
    columns = BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, shown=total > 1, stages=False, transient=True) as shown:
        task = shown.add_task(what, total=total)
        yield lambda: shown.advance(task)

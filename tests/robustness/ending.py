"""End a process by a signal, and see how it ends and what it leaves."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from robustness.verbs import Surroundings

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


# By the clock, on a busy machine.
ENDS_S, RUNS_S = 120.0, 600.0


INTERRUPTED = 130
_QUOTE = "  | "


@dataclass(frozen=True)
class Kill:
    """What became of one run that was ended.

    Attributes:
        verb: that ran.
        moment: number of the kill; with the seed it settles when.
        signal: name of the signal.
        too_late: whether the run ended by itself all the same.
        fault: what is wrong, with all that the process said; or nothing.
    """

    verb: str
    moment: int
    signal: str
    too_late: bool = False
    fault: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.moment} {self.signal}: {self.fault or 'fine'}"


def signal_of(moment: int) -> signal.Signals:
    """Of this kill: one signal after the other."""
    return SIGNALS[moment % len(SIGNALS)]


@contextmanager
def plain_signals() -> Iterator[None]:
    """Within the block no signal is ignored; commands would inherit what `nohup` and a shell's `&` ignore."""
    before = {number: signal.getsignal(number) for number in SIGNALS[1:]}
    for number, handler in before.items():
        if handler == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def fresh_place(folder: Path) -> Path:
    (folder / "temporary").mkdir(parents=True)
    return folder


def surroundings_in(place: Path, shared: Path) -> Surroundings:
    """Temporary files of its own; a home that all share, as libraries keep what they compile there."""
    home = shared / "home"
    home.mkdir(exist_ok=True)
    return Surroundings(home, place / "temporary")


def drained(process: subprocess.Popen[str]) -> Callable[[], tuple[str, str]]:
    """Read the pipes in a thread, so that they never fill; returns what waits for the process and gives both texts."""
    texts: list[tuple[str, str]] = []
    thread = threading.Thread(target=lambda: texts.append(process.communicate()), daemon=True)
    thread.start()

    def done() -> tuple[str, str]:
        thread.join(RUNS_S)
        return texts[0] if texts else ("", "hangs")

    return done


def send(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """To the process alone, as `kill` does; Ctrl-C and a closed terminal reach its children, too."""
    group = number in (signal.SIGINT, signal.SIGHUP)
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(process.pid, number)


def ended(process: subprocess.Popen[str], number: signal.Signals, drain: Callable[[], tuple[str, str]]) -> str:
    """What is wrong with how it ended, it and its children; or nothing."""
    deadline = time.monotonic() + ENDS_S
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return "does not end"
    while group_lives(process.pid):
        if time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
            return "its children live on"
        time.sleep(0.05)
    _, err = drain()
    python_alone = "Traceback" in err and of_python_alone(err)
    if "Traceback" in err and not python_alone:
        return f"traceback: {said(err)}"
    if process.returncode not in (0, INTERRUPTED, -number) and not python_alone:
        return f"exit code {process.returncode}: {said(err)}"
    return ""


# What Python reads while it starts: its library, but for what starts processes and threads, and files of `site`.
_STARTING = re.compile(
    r"<frozen .*|<string>|.*[/\\]_distutils_hack[/\\]__init__\.py|.*[/\\]illures[/\\]__init__\.py"
    r"|.*[/\\]lib[/\\]python3[^/\\]*[/\\](?!site-packages|multiprocessing|concurrent|threading)[^.]*\.py"
)


def of_python_alone(err: str) -> bool:
    """Whether Python was interrupted while it started, in the few milliseconds before it runs any code of ours."""
    files = re.findall(r'^  File "(.*?)"', err, re.MULTILINE)
    return err.strip().endswith("KeyboardInterrupt") and all(_STARTING.fullmatch(name) for name in files)


def group_lives(group: int) -> bool:
    """Whether a process of a group is there; not one that has ended, and that nobody has asked about yet."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, found = path.read_text(errors="replace").rpartition(")")[2].split()[:3]
            if int(found) == group and state != "Z":
                return True
    return False


def said(text: str) -> str:
    """The last line of what a process said, and under it all that it said: `in_short` takes that away."""
    lines = text.strip().splitlines()
    return "".join([(lines or [""])[-1][:200], "\n", *(f"{_QUOTE}{line}\n" for line in lines)])


def in_short(fault: str) -> str:
    """A fault in one line."""
    return "".join(line for line in fault.splitlines() if not line.startswith(_QUOTE))


def left_among_temporary(place: Path) -> list[str]:
    """Files of ours; what libraries leave, as ONNX Runtime does, is theirs."""
    names = sorted(path.name for path in (place / "temporary").iterdir())
    return [f"left in the temporary folder: {name}" for name in names if name.startswith(("illures", "tmp", "pymp"))]

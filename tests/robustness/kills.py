"""Ends verbs at random moments, and looks at what is left and at whether the same command goes on."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from robustness.verbs import ASTRONAUT, VERBS, Surroundings, Verb, contents, half_written

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# By the clock, on a busy machine.
ENDS_S, RUNS_S = 120.0, 600.0
INTERRUPTED = 130


@dataclass
class Row:
    """What became of the kills of one verb."""

    verb: str
    killed: int = 0
    too_late: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Reference:
    """A run that nobody ended.

    Attributes:
        contents: of its output.
        changes: that were seen in the output.
        first_s: to the first of them [s].
        gap_s: from one to the next, on average [s].
    """

    contents: Mapping[str, object]
    changes: int
    first_s: float
    gap_s: float


def kill_verb(name: str, moments: int, inputs: Path, folder: Path, seed: int = 0) -> Row:
    """Run a verb, then end it at random moments and run it again each time."""
    if name == "studio":
        return kill_studio(moments, folder, seed)
    verb, rng, row = VERBS[name], np.random.default_rng(seed), Row(name)
    reference = _reference(verb, inputs, folder)
    for moment in range(moments):
        number = SIGNALS[moment % len(SIGNALS)]
        fault = _one(verb, number, rng, inputs, folder / f"{name}-{moment}", reference, row)
        if fault:
            row.faults.append(f"{moment} {number.name}: {fault}")
    return row


def _reference(verb: Verb, inputs: Path, folder: Path) -> Reference:
    place = _place(folder / f"{verb.name}-whole")
    output, started = place / verb.output, time.monotonic()
    process = _surroundings(place, folder).start(verb.command(inputs / verb.source, output))
    times: list[float] = []
    drain = _drained(process)
    _watch(process, place, lambda: times.append(time.monotonic() - started), lambda: False)
    out, err = drain()
    assert process.returncode == 0, f"{verb.name} fails even whole: {err}{out}"
    spread = (times[-1] - times[0]) / max(1, len(times) - 1)
    return Reference(contents(output), len(times), times[0], spread)


def _one(
    verb: Verb,
    number: signal.Signals,
    rng: np.random.Generator,
    inputs: Path,
    place: Path,
    reference: Reference,
    row: Row,
) -> str:
    """What is wrong after one kill, or nothing."""
    place = _place(place)
    output, around = place / verb.output, _surroundings(place, place.parent)
    command = verb.command(inputs / verb.source, output)
    process = around.start(command)
    drain = _drained(process)
    after = int(rng.integers(0, reference.changes + 1))
    wait_s = float(rng.uniform(0, reference.first_s if after == 0 else reference.gap_s))
    seen: list[float] = []
    started = time.monotonic()

    def due() -> bool:
        return len(seen) >= after and time.monotonic() - (seen[after - 1] if after else started) >= wait_s

    _watch(process, place, lambda: seen.append(time.monotonic()), due)
    row.killed, row.too_late = row.killed + 1, row.too_late + (process.poll() is not None)
    _send(process, number)
    fault = _ended(process, number, drain)
    whole = number == signal.SIGKILL
    faults = [fault] if fault else half_written(output, reference.contents, lambda name: _grows(verb, name))
    faults += [] if whole else _left(place, output, verb)
    return "; ".join([*faults, *_again(verb, command, around, output, reference)])


def _again(verb: Verb, command: list[str], around: Surroundings, output: Path, reference: Reference) -> list[str]:
    """What is wrong with the same command, run to its end."""
    process = around.start(command)
    try:
        out, err = process.communicate(timeout=RUNS_S)
    except subprocess.TimeoutExpired:
        _send(process, signal.SIGKILL)
        process.communicate(timeout=ENDS_S)
        return ["again: hangs"]
    if process.returncode != 0 or "Traceback" in err:
        return [f"again: exit code {process.returncode}: {_last(err)}"]
    found = contents(output)
    wrong = [name for name in sorted({*found, *reference.contents}) if found.get(name) != reference.contents.get(name)]
    return [f"again: {name} is not as in a whole run" for name in wrong] + _left(output.parent, output, verb)


def _grows(verb: Verb, name: str) -> bool:
    return name.endswith(".jsonl") or (verb.name == "train" and name in ("checkpoint.safetensors", "best.safetensors"))


def _left(place: Path, output: Path, verb: Verb) -> list[str]:
    """What nobody asked for: among the temporary files, and half-made beside or in the output."""
    found = _left_among_temporary(place)
    for path in place.rglob("*"):
        if re.search(r"\.(partial|old|part)(-|$)", path.name) and "out.mp4.parts" not in path.parts:
            found.append(f"left: {path.relative_to(place)}")
    return found


def _place(folder: Path) -> Path:
    (folder / "temporary").mkdir(parents=True)
    return folder


def _surroundings(place: Path, shared: Path) -> Surroundings:
    """Temporary files of its own; a home that all share, as libraries keep what they compile there."""
    home = shared / "home"
    home.mkdir(exist_ok=True)
    return Surroundings(home, place / "temporary")


def _drained(process: subprocess.Popen[str]) -> Callable[[], tuple[str, str]]:
    """Read the pipes in a thread, so that they never fill; returns what waits for the process and gives both texts."""
    texts: list[tuple[str, str]] = []
    thread = threading.Thread(target=lambda: texts.append(process.communicate()), daemon=True)
    thread.start()

    def done() -> tuple[str, str]:
        thread.join(RUNS_S)
        return texts[0] if texts else ("", "hangs")

    return done


def _watch(process: subprocess.Popen[str], place: Path, seen: Callable[[], None], due: Callable[[], bool]) -> None:
    """Tell of every change beside the output, until it is due or the process has ended."""
    before, deadline = _state(place), time.monotonic() + RUNS_S
    while process.poll() is None and not due() and time.monotonic() < deadline:
        now = _state(place)
        if now != before:
            before = now
            seen()
        time.sleep(0.002)


def _state(place: Path) -> set[tuple[str, int]]:
    found = set()
    for top, folders, names in os.walk(place):
        folders[:] = [name for name in folders if name != "temporary"]
        for name in names:
            with contextlib.suppress(OSError):
                found.add((os.path.join(top, name), os.stat(os.path.join(top, name)).st_size))
        found.update((os.path.join(top, name), -1) for name in folders)
    return found


def _send(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """To the process alone, as `kill` does; Ctrl-C and a closed terminal reach its children, too."""
    group = number in (signal.SIGINT, signal.SIGHUP)
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(process.pid, number)


def _ended(process: subprocess.Popen[str], number: signal.Signals, drain: Callable[[], tuple[str, str]]) -> str:
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
    if "Traceback" in err and not _of_python_alone(err):
        return f"traceback: {_last(err)}"
    if process.returncode not in (0, INTERRUPTED, -number):
        return f"exit code {process.returncode}: {_last(err)}"
    return ""


def _of_python_alone(err: str) -> bool:
    """Whether Python was interrupted while it started, in the few milliseconds before it runs any code of ours."""
    files = re.findall(r'^  File "(.*?)"', err, re.MULTILINE)
    before = re.compile(
        r"<frozen .*|<string>|.*[/\\]lib[/\\]python3[^/\\]*[/\\][^/\\]*\.py|.*[/\\]illures[/\\]__init__\.py"
    )
    return err.strip().endswith("KeyboardInterrupt") and all(before.fullmatch(name) for name in files)


def group_lives(group: int) -> bool:
    """Whether a process of a group is there; not one that has ended, and that nobody has asked about yet."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, found = path.read_text(errors="replace").rpartition(")")[2].split()[:3]
            if int(found) == group and state != "Z":
                return True
    return False


def _last(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1][:200]


def kill_studio(moments: int, folder: Path, seed: int = 0) -> Row:
    """End the studio at random moments while photos come in; the next one serves, and nothing is left."""
    rng, row = np.random.default_rng(seed), Row("studio")
    for moment in range(moments):
        number = SIGNALS[moment % len(SIGNALS)]
        place = _place(folder / f"studio-{moment}")
        around = _surroundings(place, folder)
        process = around.start(_STUDIO)
        address = _address(process)
        drain = _drained(process)
        stop = threading.Event()
        client = threading.Thread(target=_visit, args=(address, stop), daemon=True)
        client.start()
        time.sleep(float(rng.uniform(0, 4)))
        row.killed += 1
        _send(process, number)
        fault = _ended(process, number, drain)
        stop.set()
        client.join(ENDS_S)
        faults = [fault] if fault else []
        faults += [] if number == signal.SIGKILL else _left_among_temporary(place)
        faults += _serves(around) + _left_among_temporary(place)
        if faults:
            row.faults.append(f"{moment} {number.name}: {'; '.join(faults)}")
    return row


_STUDIO = [*VERBS["decompose"].command("", "")[:3], "studio", "--port", "0"]


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    found = re.search(r"http://\S+/", process.stdout.readline())
    assert found, "the studio did not start"
    return found[0]


def _visit(address: str, stop: threading.Event) -> None:
    while not stop.is_set():
        with contextlib.suppress(OSError, ValueError):
            _upload(address)
        time.sleep(0.05)


def _upload(address: str) -> int:
    """Faces that the studio finds in the example."""
    request = urllib.request.Request(f"{address}api/photos?name=a.jpg", ASTRONAUT.read_bytes(), method="POST")
    with urllib.request.urlopen(request, timeout=ENDS_S) as answer:
        return len(json.loads(answer.read())["faces"])


def _serves(around: Surroundings) -> list[str]:
    """What is wrong with a studio that is started after one that was ended."""
    process = around.start(_STUDIO)
    try:
        faces = _upload(_address(process))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=ENDS_S)
    except (OSError, ValueError, AssertionError, subprocess.TimeoutExpired) as error:
        return [f"again: {type(error).__name__}: {error}"]
    finally:
        process.kill()
        process.wait(ENDS_S)
    right = faces == 1 and process.returncode == 0 and "good-bye" in out and "Traceback" not in err
    return [] if right else [f"again: {faces} faces, exit code {process.returncode}: {_last(err)}"]


def _left_among_temporary(place: Path) -> list[str]:
    """Files of ours; what libraries leave, as ONNX Runtime does, is theirs."""
    names = sorted(path.name for path in (place / "temporary").iterdir())
    return [f"left in the temporary folder: {name}" for name in names if name.startswith(("illures", "tmp", "pymp"))]

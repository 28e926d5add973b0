"""Ends verbs at random moments, and looks at what is left and at whether the same command goes on."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustness.ending import (
    ENDS_S,
    RUNS_S,
    Kill,
    drained,
    ended,
    fresh_place,
    left_among_temporary,
    plain_signals,
    said,
    send,
    signal_of,
    surroundings_in,
)
from robustness.studio_kills import kill_studio
from robustness.verbs import VERBS, Surroundings, Verb, contents, difference, half_written


@dataclass(frozen=True)
class Reference:
    """A run that nobody ended.

    Attributes:
        output: where it is.
        contents: of its output.
        changes: that were seen in the output.
        first_s: to the first of them [s].
        gap_s: from one to the next, on average [s].
    """

    output: Path
    contents: Mapping[str, object]
    changes: int
    first_s: float
    gap_s: float


def kill_verb(name: str, moments: Iterable[int], inputs: Path, folder: Path, seed: int = 0) -> Iterator[Kill]:
    """Run a verb, then end it at random moments and run it again each time.

    The numbers of the moments and the seed settle when: a table that was begun can be gone on with.
    """
    with plain_signals():
        studio = name == "studio"
        yield from kill_studio(moments, folder, seed) if studio else _kills(name, moments, inputs, folder, seed)


def _kills(name: str, moments: Iterable[int], inputs: Path, folder: Path, seed: int) -> Iterator[Kill]:
    verb = VERBS[name]
    reference = _reference(verb, inputs, folder)
    for moment in moments:
        rng, place = np.random.default_rng((seed, moment)), folder / f"{name}-{moment}"
        too_late, fault = _one(verb, signal_of(moment), rng, inputs, place, reference)
        shutil.rmtree(place)
        yield Kill(name, moment, signal_of(moment).name, too_late, fault)


def _reference(verb: Verb, inputs: Path, folder: Path) -> Reference:
    place = fresh_place(folder / f"{verb.name}-whole")
    output, started = place / verb.output, time.monotonic()
    process = surroundings_in(place, folder).start(verb.command(inputs / verb.source, output))
    times: list[float] = []
    drain = drained(process)
    _watch(process, place, lambda: times.append(time.monotonic() - started), lambda: False)
    out, err = drain()
    assert process.returncode == 0, f"{verb.name} fails even whole: {err}{out}"
    spread = (times[-1] - times[0]) / max(1, len(times) - 1)
    return Reference(output, contents(output), len(times), times[0], spread)


def _one(
    verb: Verb,
    number: signal.Signals,
    rng: np.random.Generator,
    inputs: Path,
    place: Path,
    reference: Reference,
) -> tuple[bool, str]:
    """Whether one kill came too late, and what is wrong after it, or nothing."""
    place = fresh_place(place)
    output, around = place / verb.output, surroundings_in(place, place.parent)
    command = verb.command(inputs / verb.source, output)
    process = around.start(command)
    drain = drained(process)
    after = int(rng.integers(0, reference.changes + 1))
    wait_s = float(rng.uniform(0, reference.first_s if after == 0 else reference.gap_s))
    seen: list[float] = []
    started = time.monotonic()

    def due() -> bool:
        return len(seen) >= after and time.monotonic() - (seen[after - 1] if after else started) >= wait_s

    _watch(process, place, lambda: seen.append(time.monotonic()), due)
    send(process, number)
    fault = ended(process, number, drain)
    too_late = process.returncode == 0
    whole = number == signal.SIGKILL
    faults = [fault] if fault else half_written(output, reference.contents, lambda name: _grows(verb, name))
    faults += [] if whole else _left(place, output, verb)
    return too_late, "; ".join([*faults, *_again(verb, command, around, output, reference)])


def _again(verb: Verb, command: list[str], around: Surroundings, output: Path, reference: Reference) -> list[str]:
    """What is wrong with the same command, run to its end."""
    process = around.start(command)
    try:
        out, err = process.communicate(timeout=RUNS_S)
    except subprocess.TimeoutExpired:
        send(process, signal.SIGKILL)
        process.communicate(timeout=ENDS_S)
        return ["again: hangs"]
    if process.returncode != 0 or "Traceback" in err:
        return [f"again: exit code {process.returncode}: {said(err)}"]
    found = contents(output)
    wrong = [name for name in sorted({*found, *reference.contents}) if found.get(name) != reference.contents.get(name)]
    how = {name: _difference(output, reference.output, name) for name in wrong}
    return [f"again: {name} is not as in a whole run{how[name]}" for name in wrong] + _left(output.parent, output, verb)


def _difference(output: Path, whole: Path, name: str) -> str:
    """How a file differs from that of a whole run, in brackets; nothing where there is but one of them."""
    paths = [place if place.is_file() else place / name for place in (output, whole)]
    return f" ({difference(*(path.read_bytes() for path in paths))})" if all(path.is_file() for path in paths) else ""


def _grows(verb: Verb, name: str) -> bool:
    return name.endswith(".jsonl") or (verb.name == "train" and name in ("checkpoint.safetensors", "best.safetensors"))


def _left(place: Path, output: Path, verb: Verb) -> list[str]:
    """What nobody asked for: among the temporary files, and half-made beside or in the output."""
    found = left_among_temporary(place)
    for path in place.rglob("*"):
        if re.search(r"\.(partial|old|part)(-|$)", path.name) and "out.mp4.parts" not in path.parts:
            found.append(f"left: {path.relative_to(place)}")
    return found


def _watch(process: subprocess.Popen[str], place: Path, seen: Callable[[], None], due: Callable[[], bool]) -> None:
    """Tell of every change beside the output, until it is due or the process has ended."""
    before, deadline = _state(place), time.monotonic() + RUNS_S
    while process.poll() is None and not due() and time.monotonic() < deadline:
        now = _state(place)
        if now != before:
            before = now
            seen()
        time.sleep(0.005)


def _state(place: Path) -> set[tuple[str, int]]:
    found = set()
    for top, folders, names in os.walk(place):
        folders[:] = [name for name in folders if name != "temporary"]
        for name in names:
            with contextlib.suppress(OSError):
                found.add((os.path.join(top, name), os.stat(os.path.join(top, name)).st_size))
        found.update((os.path.join(top, name), -1) for name in folders)
    return found

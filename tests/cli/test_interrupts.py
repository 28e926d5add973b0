"""Signals end a command, whatever is at work when they come."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

import illures
from illures.cli import interrupts
from illures.cli.interrupts import ended_like_ctrl_c

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


def wait_for(ready: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, f"nothing came in {seconds} s"
        time.sleep(0.01)


def send(name: str) -> None:
    os.kill(os.getpid(), signal.Signals[name])


@pytest.mark.parametrize("name", NAMES)
def test_handlers_are_given_back(name: str) -> None:
    before, hook, threads = signal.getsignal(signal.Signals[name]), sys.unraisablehook, threading.active_count()
    with pytest.raises(KeyboardInterrupt), ended_like_ctrl_c():
        send(name)
        wait_for(lambda: False)
    assert signal.getsignal(signal.Signals[name]) == before
    assert sys.unraisablehook == hook and threading.active_count() == threads


@pytest.mark.parametrize("name", NAMES)
def test_what_is_ignored_stays_ignored(name: str) -> None:
    before = signal.signal(signal.Signals[name], signal.SIG_IGN)
    try:
        with ended_like_ctrl_c():
            send(name)
    finally:
        signal.signal(signal.Signals[name], before)


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupt_that_is_swallowed_comes_again(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Python says and forgets what the callback of a weak reference raises."""

    class Thing:
        pass

    thing, called = Thing(), []

    def callback(_: object) -> None:
        called.append(True)
        send(name)
        wait_for(lambda: False)  # in which the handler runs

    reference = weakref.ref(thing, callback)
    with pytest.raises(KeyboardInterrupt), ended_like_ctrl_c():
        del thing
        gc.collect()
        time.sleep(60)
        called.append(False)
    assert called == [True] and reference() is None
    assert "Traceback" not in capsys.readouterr().err


def test_one_that_is_taken_for_a_missing_module_comes_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_to_import.py").write_text(
        """import os, signal, time
try:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
except KeyboardInterrupt as error:  # as pybind11 does
    raise ImportError("initialization failed") from error
"""
    )
    monkeypatch.syspath_prepend(tmp_path)
    swallowed = []
    with pytest.raises(KeyboardInterrupt), ended_like_ctrl_c():
        try:
            importlib.import_module("slow_to_import")
        except ImportError:  # as libraries do for what they can do without
            swallowed.append(True)
        time.sleep(60)
        swallowed.append(False)
    assert swallowed == [True]


@pytest.mark.parametrize("others", [(), ("SIGTERM",), ("SIGHUP", "SIGINT")])
def test_what_is_cleared_away_is_not_disturbed(others: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by others that come with it, as terminals and supervisors send several."""
    monkeypatch.setattr(interrupts, "_PATIENCE_S", 1e6)
    steps = []

    def clear_away() -> None:
        for name in others:
            send(name)
        for step in range(8):
            try:
                raise FileNotFoundError
            except FileNotFoundError:
                time.sleep(0.1)
            steps.append(step)

    with pytest.raises(KeyboardInterrupt), ended_like_ctrl_c():
        try:
            send("SIGINT")
            wait_for(lambda: False)
        finally:
            clear_away()
    assert steps == list(range(8))


def test_one_that_comes_much_later_ends_that_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "_PATIENCE_S", 0.0)
    with pytest.raises(KeyboardInterrupt) as ended, ended_like_ctrl_c():
        try:
            send("SIGINT")
            wait_for(lambda: False)
        finally:
            send("SIGINT")
            wait_for(lambda: False)
    assert isinstance(ended.value.__context__, KeyboardInterrupt)


def test_other_errors_stay() -> None:
    with pytest.raises(ImportError, match="missing"), ended_like_ctrl_c():
        raise ImportError("missing")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_said_of_one_that_comes_before_the_command_line(name: str) -> None:
    """The program says that it is there, as a module that it imports; then it is ended."""
    code = (
        "import sys, time, types;"
        "sys.modules['illures.cli'] = slow = types.ModuleType('illures.cli');"
        "slow.__getattr__ = lambda name: (print('ready', flush=True), time.sleep(60));"
        "import illures.__main__"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(signal.Signals[name])
        _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.Signals[name] and not err


def test_nothing_is_imported_before_an_interrupt_just_ends_the_process() -> None:
    """Else a Ctrl-C while that is imported ends in a traceback."""
    code = (
        "import sys, types; before = set(sys.modules);"
        "cli = sys.modules['illures.cli'] = types.ModuleType('illures.cli');"
        "cli.__getattr__ = lambda name: (print(*sorted(set(sys.modules) - before)), sys.exit());"
        "import illures.__main__"
    )
    # Without site, whose .pth files import what they like; so it does not find an installed package by itself.
    found = {**os.environ, "PYTHONPATH": str(Path(illures.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, timeout=60, env=found)
    assert done.stdout.split() == ["illures", "illures.__main__", "illures.cli"], done.stderr


def test_the_exit_code_is_ours_whatever_the_exception_came_through() -> None:
    """CPython ends the process by a signal where KeyboardInterrupt has left an `exec` of text."""
    code = (
        "import sys, illures.cli; module = sys.modules['illures.cli.app'];"
        "module.app = lambda *words, **options: exec('raise KeyboardInterrupt');"
        "module.main(['decompose'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 130 and "interrupted" in done.stderr and "Traceback" not in done.stderr

"""Processes that are started do not see what a terminal sends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fake_jobs import wait_for
from illures.jobs.signals import signals_held_back, terminal_signals_blocked
from robustness.ending import group_lives

TESTS = Path(__file__).parents[1]
# A command with two workers, each at a piece that takes until it is ended; says "ready" when both are.
COMMAND = """
import sys, time
from contextlib import closing
from pathlib import Path
from fake_jobs import Waits, wait_for
from illures.cli.interrupts import ended_like_ctrl_c
from illures.jobs.pool import in_processes

def main(folder):
    try:
        with ended_like_ctrl_c(), closing(in_processes(Waits(folder), [0, 1, 2], 2)) as results:
            list(results)
    except KeyboardInterrupt:
        print("interrupted", flush=True)

if __name__ == "__main__":
    main(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP", "SIGTERM"])
@pytest.mark.parametrize("at_work", [True, False])
def test_a_signal_to_all_ends_all_without_a_word(tmp_path: Path, name: str, at_work: bool) -> None:
    """At work, or while the workers start."""
    (tmp_path / "command.py").write_text(COMMAND)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "command.py"), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), *filter(None, sys.path)])},
    )
    wait_for(lambda: len(list(tmp_path.glob("at-work-*" if at_work else "begun-*"))) >= (2 if at_work else 1))
    os.killpg(process.pid, signal.Signals[name])
    out, err = process.communicate(timeout=60)
    assert (out, err, process.returncode) == ("interrupted\n", "", 0)
    wait_for(lambda: not group_lives(process.pid))


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP", "SIGTERM"])
def test_what_is_held_back_comes_at_the_end(name: str) -> None:
    number, came = signal.Signals[name], []
    before = signal.signal(number, lambda number, frame: came.append(number))
    try:
        with signals_held_back():
            os.kill(os.getpid(), number)
            assert not came
        assert came == [number]
    finally:
        signal.signal(number, before)


def test_mask_and_handlers_are_given_back() -> None:
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)]
    with terminal_signals_blocked():
        assert {signal.SIGINT, signal.SIGHUP} <= signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)] == handlers


def test_threads_may_start_processes_too() -> None:
    masks = []

    def start() -> None:
        with terminal_signals_blocked():
            masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, []))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert {signal.SIGINT, signal.SIGHUP} <= masks[0]

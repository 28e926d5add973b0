"""Ends the studio at random moments, and looks at what is left and whether the next one serves."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from robustness.ending import (
    ENDS_S,
    Kill,
    drained,
    ended,
    fresh_place,
    left_among_temporary,
    said,
    send,
    signal_of,
    surroundings_in,
)
from robustness.verbs import ASTRONAUT, VERBS, Surroundings


def kill_studio(moments: Iterable[int], folder: Path, seed: int = 0) -> Iterator[Kill]:
    """End the studio at random moments while photos come in; the next one serves, and nothing is left."""
    for moment in moments:
        number, rng = signal_of(moment), np.random.default_rng((seed, moment))
        place = fresh_place(folder / f"studio-{moment}")
        around = surroundings_in(place, folder)
        process = around.start(_STUDIO)
        address = _address(process)
        drain = drained(process)
        stop = threading.Event()
        client = threading.Thread(target=_visit, args=(address, stop), daemon=True)
        client.start()
        time.sleep(float(rng.uniform(0, 2)))
        send(process, number)
        fault = ended(process, number, drain)
        stop.set()
        client.join(ENDS_S)
        faults = [fault] if fault else []
        faults += [] if number == signal.SIGKILL else left_among_temporary(place)
        faults += _serves(around) + left_among_temporary(place)
        shutil.rmtree(place)
        yield Kill("studio", moment, number.name, fault="; ".join(faults))


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
    return [] if right else [f"again: {faces} faces, exit code {process.returncode}: {said(err)}"]

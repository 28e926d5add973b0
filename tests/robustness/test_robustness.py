"""The short form of `make robustness`: each verb that works long is ended a few times, and tried where it can't work.

The tables of `run.py` say what is wrong; here nothing is.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from robustness.ending import in_short, of_python_alone, said
from robustness.kills import kill_verb
from robustness.surroundings import try_all
from robustness.verbs import VERBS, difference, make_inputs

# Rendering takes minutes for the first picture of a process: `make robustness` does it.
KILLED = {"decompose": 2, "relight": 2, "video": 4, "train": 2, "evaluate": 2, "studio": 4}
# What differs from verb to verb; the rest is tried by `make robustness`.
TRIED = {
    "disk-full": ("decompose", "relight", "video"),
    "read-only": ("decompose", "video"),
    "onto-itself": ("decompose", "relight", "video"),
    "two-at-once": ("video", "evaluate"),
    "few-handles": ("decompose",),
    "odd-names": ("relight",),
    "loops": ("decompose", "video", "train"),
    "homeless": ("decompose",),
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("robustness") / "inputs"
    make_inputs(folder)
    return folder


@pytest.mark.parametrize("verb", KILLED)
def test_a_run_that_dies_loses_nothing_and_leaves_nothing(tmp_path: Path, inputs: Path, verb: str) -> None:
    kills = list(kill_verb(verb, range(KILLED[verb]), inputs, tmp_path))
    assert len(kills) == KILLED[verb] and not [str(kill) for kill in kills if kill.fault]


@pytest.mark.parametrize("name", TRIED)
def test_it_works_or_says_why_not(tmp_path: Path, inputs: Path, name: str) -> None:
    cases = list(try_all([name], TRIED[name], inputs, tmp_path))
    assert not [str(case) for case in cases if case.verdict == "fault"]
    if all(case.verdict == "skipped" for case in cases):
        pytest.skip(cases[0].words)


def test_every_verb_has_inputs_of_its_own(inputs: Path) -> None:
    assert all((inputs / verb.source).exists() for verb in VERBS.values())


def test_how_two_files_differ(rng: np.random.Generator) -> None:
    codes = rng.integers(0, 200, (16, 16, 3), dtype=np.uint8)
    other = codes.copy()
    other[3, 4, 1] += 7
    fast, small, changed = (
        cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, level])[1].tobytes()
        for picture, level in ((codes, 0), (codes, 9), (other, 9))
    )
    assert difference(fast, small) == "same pixels, coded otherwise"
    assert difference(changed, small) == "1 of 768 codes by up to 7"
    assert difference(b"{}", b"[1]") == "2 bytes against 3"


def test_a_fault_keeps_all_that_was_said_and_is_short_in_a_table() -> None:
    texts = "first\n  | second\nlast", "other"
    fault = "; ".join(f"traceback: {said(text)}" for text in texts)
    assert all(line in fault for text in texts for line in text.splitlines())
    assert in_short(fault) == "traceback: last; traceback: other" and in_short("fine") == "fine"


@pytest.mark.parametrize(
    ("files", "alone"),
    [
        (("<frozen runpy>", "/a/illures/__init__.py"), True),
        (("<frozen runpy>", "/usr/lib/python3.11/pkgutil.py", "/usr/lib/python3.11/re/__init__.py"), True),
        (("<frozen site>", "<string>", "/v/lib/python3.11/site-packages/_distutils_hack/__init__.py"), True),
        (("<frozen runpy>", "/a/illures/__main__.py"), False),
        (("<string>", "/usr/lib/python3.11/multiprocessing/spawn.py"), False),
        (("/usr/lib/python3.11/threading.py",), False),
        (("<frozen runpy>", "/v/lib/python3.11/site-packages/numpy/__init__.py"), False),
    ],
)
def test_only_what_python_reads_while_it_starts_excuses_a_traceback(files: tuple[str, ...], alone: bool) -> None:
    frames = "".join(f'  File "{name}", line 1, in <module>\n' for name in files)
    assert of_python_alone(f"Traceback (most recent call last):\n{frames}KeyboardInterrupt\n") == alone
    assert not of_python_alone(f"Traceback (most recent call last):\n{frames}ValueError: 1\n")

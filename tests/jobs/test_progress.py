"""Long work speaks when nobody watches: plain lines with what is done, the rate and the time left."""

from __future__ import annotations

import io
import re
import threading
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import BarColumn

from fake_jobs import wait_for
from illures.cli import main
from illures.jobs import progress as progress_module
from illures.jobs.progress import Progress, _duration
from illures.model.weights import FAST

ASTRONAUT = Path(__file__).parents[2] / "src" / "illures" / "assets" / "astronaut.jpg"


def console(terminal: bool = False) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=terminal, width=60, soft_wrap=True), out


def test_a_line_now_and_then_without_any_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "EVERY_S", 0.05)
    to, out = console()
    with Progress(BarColumn(), console=to, unit="images") as bar:
        task = bar.add_task("images", total=100)
        bar.update(task, completed=10, description="loss 0.5")
        wait_for(lambda: out.getvalue().count("loss 0.5\n") >= 3)  # one long step
    lines = out.getvalue().splitlines()
    assert lines[0] == "images: 0 of 100"
    rate = r"[\d.e+]+ (images/s|s each)"
    assert re.fullmatch(rf"images: 10 of 100, {rate}, \d+ (s|min) left(, \d+ s so far)?; loss 0\.5", lines[-2])


def test_stages_are_told_and_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    to, out = console()
    with Progress(BarColumn(), console=to, unit="images") as bar:
        first = bar.add_task("samples to cache", total=None)
        bar.update(first, completed=7)
        bar.remove_task(first)
        second = bar.add_task("images", total=5, completed=2)
        for _ in range(3):
            bar.advance(second)
    lines = [line.split(",")[0] for line in out.getvalue().splitlines()]
    assert lines == ["samples to cache: 0", "samples to cache: 7", "images: 2 of 5", "images: 5 of 5"]
    assert "[" not in out.getvalue() and "\x1b" not in out.getvalue()


def test_rate_counts_from_where_the_run_began(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    to, out = console()
    bar = Progress(BarColumn(), console=to, unit="views")
    task = bar.add_task("views", total=1000, completed=400)  # taken up
    now[0] += 50
    bar.update(task, completed=500)
    bar.tell(task)
    assert out.getvalue().splitlines()[-1] == "views: 500 of 1000, 2 views/s, 4 min left, 50 s so far"


def test_a_terminal_gets_a_bar_and_no_lines() -> None:
    to, out = console(terminal=True)
    with Progress(BarColumn(), console=to) as bar:
        task = bar.add_task("images", total=5)
        bar.advance(task, 5)
        bar.tell(task)
    assert "images: " not in out.getvalue() and "\x1b" in out.getvalue()


def test_no_thread_is_left_behind() -> None:
    before = set(threading.enumerate())
    with pytest.raises(ValueError), Progress(BarColumn(), console=console()[0]) as bar:
        bar.add_task("images")
        assert len(set(threading.enumerate()) - before) == 1
        raise ValueError
    assert set(threading.enumerate()) <= before


def test_shown_by_nobody() -> None:
    to, out = console()
    with Progress(BarColumn(), console=to, shown=False) as bar:
        bar.advance(bar.add_task("images", total=1))
    assert out.getvalue() == ""


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 s"), (89, "89 s"), (150, "2 min"), (7380, "2 h 03 min")])
def test_time_in_words(seconds: float, words: str) -> None:
    assert _duration(seconds) == words


def test_a_folder_of_photos_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(progress_module, "EVERY_S", 0.01)
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(ASTRONAUT.read_bytes())
    for words in (["decompose", "--crop-only"], ["relight", "--light", "split"]):
        with pytest.raises(SystemExit):
            # Two at a time may end at once.
            main(
                [
                    words[0],
                    str(tmp_path),
                    "-o",
                    str(tmp_path / words[0]),
                    *words[1:],
                    "--weights",
                    FAST,
                    "--workers",
                    "1",
                ]
            )
        assert re.search(r"^photos: 1 of 2, .* left", capsys.readouterr().err, re.MULTILINE)


@pytest.mark.parametrize("installed", [True, False])
def test_a_notebook_has_bars_only_where_they_can_be_drawn(monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    monkeypatch.setattr(progress_module, "find_spec", lambda name: object() if installed else None)
    monkeypatch.setattr(Console, "print", lambda self, *words, **options: said.extend(words))
    said: list[object] = []
    with Progress(BarColumn(), console=Console(force_jupyter=True, file=io.StringIO()), shown=True) as bar:
        assert bar.disable is not installed
        bar.disable = True  # nothing is drawn outside a notebook
        bar.advance(bar.add_task("frames", total=2), 2)
    assert any("2 of 2" in str(words) for words in said) is not installed

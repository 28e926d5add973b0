"""A run on a benchmark that is made up: what is kept, what goes on, and what is said of failures."""

import json
import re

import numpy as np
import pytest

from fake_network import middle_face
from illures.cli import main
from illures.errors import InputError
from illures.evaluate import benchmark as benchmarks
from illures.evaluate import runner, session
from illures.evaluate.benchmark import Estimate, Failure, Item, Score, Truth
from illures.evaluate.methods import Contender, same
from illures.evaluate.methods.dummies import Constant
from illures.evaluate.report.summary import summary, write_summary
from illures.evaluate.results import interval, read_folder, read_results
from illures.evaluate.runner import Entry, Run, parse_entry
from illures.evaluate.scoring import drift, score_maps
from illures.math.normals import normalize

SIZE = 48
TILT = normalize(np.array([np.sin(np.deg2rad(20.0)), 0, np.cos(np.deg2rad(20.0))]))


class Tilted:
    """Three people, two photos each, whose faces are planes turned 20 degrees to the right."""

    name = "tilted"
    size = 6

    def __init__(self, groups=("a", "b", "c")):
        self.groups = groups

    def items(self, group):
        if group == "broken":
            raise InputError("FOLDER/broken.npz: lacks normals")
        normal = np.broadcast_to(TILT.astype(np.float32), (SIZE, SIZE, 3))
        mask = np.ones((SIZE, SIZE), bool)
        photo = np.full((SIZE, SIZE, 3), 0.5, np.float32)
        for k in range(2):
            tags = {"light_deg": 10.0 + 30 * k, "tone": group}
            yield Item(f"{group}/{k}", group, photo, middle_face(SIZE, SIZE), Truth(mask, normal), tags)
        if group == "c":
            yield Failure("c/2", "c", "c/2: no face found")

    def score(self, item, estimate):
        return score_maps(estimate, item)

    def summarise(self, scores):
        return drift([score.kept for score in scores])


def load(path, *, groups: str = "", count: int | None = None):
    return Tilted(tuple(groups.split("+"))) if groups else Tilted()


class Counted:
    """Right by `degrees`; counts its calls and fails or stops where it is told to."""

    def __init__(self, degrees=0.0, fails_at=(), stops_at=None):
        self.calls, self._fails, self._stops = 0, fails_at, stops_at
        angle = np.deg2rad(20.0 + degrees)
        self._normal = np.array([np.sin(angle), 0, np.cos(angle)], np.float32)

    def estimate(self, query):
        self.calls += 1
        if self.calls == self._stops:
            raise KeyboardInterrupt
        if self.calls in self._fails:
            raise RuntimeError("out of\nmemory")
        return Estimate(normal=np.broadcast_to(self._normal, query.photo.shape).copy())


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """The benchmark under its name, and no finder of faces, which photos of grey do not need."""
    import sys

    monkeypatch.setitem(sys.modules, "fake_tilted", sys.modules[__name__])
    monkeypatch.setitem(benchmarks.BENCHMARKS, "tilted", "fake_tilted")
    monkeypatch.setattr("illures.evaluate.methods.query.find_faces", lambda photo: [])
    monkeypatch.setattr(runner, "mean_face", lambda benchmark: Contender("mean face", "dummy", same(Constant())))


def opened(folder, methods, groups=""):
    entry = Entry("tilted", "tilted", folder.parent, {"groups": groups} if groups else {})
    return Run(entry, methods, folder)


def ours(method, about="weights 1"):
    return Contender("model", "ours", same(method), about)


def test_a_right_answer_scores_zero_and_a_turned_one_its_angle(tmp_path):
    opened(tmp_path / "out", [ours(Counted()), Contender("off", "rival", same(Counted(7.0)))]).score()
    found = read_folder(tmp_path / "out")["tilted"]
    assert interval(found["model"], "normal_deg").mean < 1e-3
    assert interval(found["off"], "normal_deg").mean == pytest.approx(7, abs=1e-3)
    assert interval(found["mean face"], "normal_deg").mean == pytest.approx(20, abs=1e-3)
    assert found["model"].groups["a"]["normal_drift_deg"] < 1e-3
    assert list(found) == ["mean face", "off", "model"]
    assert [failure.id for failure in found["model"].unread] == ["c/2"]


def test_without_a_terminal_a_run_speaks(tmp_path, capsys):
    opened(tmp_path / "out", [ours(Counted())]).score()
    said = capsys.readouterr().err
    assert "tilted: 0 of 3" in said and re.search(r"^tilted: 3 of 3, .*; tilted c$", said, re.MULTILINE)


def test_what_is_done_is_not_done_again(tmp_path):
    first, again = Counted(), Counted()
    opened(tmp_path / "out", [ours(first)]).score()
    before = (tmp_path / "out" / "tilted" / "model.jsonl").read_bytes()
    opened(tmp_path / "out", [ours(again)]).score()
    assert (first.calls, again.calls) == (6, 0)
    assert (tmp_path / "out" / "tilted" / "model.jsonl").read_bytes() == before


def test_a_run_that_was_stopped_goes_on_to_the_same_results(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        opened(tmp_path / "out", [ours(Counted(stops_at=4))]).score()
    path = tmp_path / "out" / "tilted" / "model.jsonl"
    assert list(read_results(path).groups) == ["a"]
    with path.open("ab") as file:
        file.write(b'{"item":"b/0","group"')  # as a power cut leaves it
    rest = Counted()
    opened(tmp_path / "out", [ours(rest)]).score()
    assert rest.calls == 4
    opened(tmp_path / "whole", [ours(Counted())]).score()

    def without_times(folder):
        rows = read_results(folder / "tilted" / "model.jsonl").rows
        return [(row.id, row.figures, row.histogram, row.tags) for row in rows]

    assert without_times(tmp_path / "out") == without_times(tmp_path / "whole")
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_a_failed_image_is_listed_and_counted_and_tried_again(tmp_path):
    opened(tmp_path / "out", [ours(Counted(fails_at=(3,)))]).score()
    results = read_folder(tmp_path / "out")["tilted"]["model"]
    assert [(row.id, row.error) for row in results.failed] == [("b/0", "RuntimeError: out of memory")]
    about = summary({"model": results})["methods"]["model"]
    assert about["items"] == 5 and about["failed"] == {"b/0": "RuntimeError: out of memory"}
    again = Counted()
    opened(tmp_path / "out", [ours(again)]).score()
    results = read_folder(tmp_path / "out")["tilted"]["model"]
    assert again.calls == 2 and not results.failed and len(results.rows) == 6


def test_figures_that_are_not_finite_are_failures(tmp_path, monkeypatch):
    monkeypatch.setattr(Tilted, "score", lambda self, item, estimate: Score({"normal_deg": float("nan")}, 4))
    opened(tmp_path / "out", [ours(Counted())]).score()
    results = read_folder(tmp_path / "out")["tilted"]["model"]
    assert len(results.failed) == 6 and results.failed[0].error == "normal_deg: not finite"


def test_a_group_that_cannot_be_read_is_named_and_the_others_count(tmp_path):
    tally = opened(tmp_path / "out", [ours(Counted())], "a+broken+b").score()
    assert [failure.message for failure in tally.unread] == ["FOLDER/broken.npz: lacks normals"]
    results = read_folder(tmp_path / "out")["tilted"]
    assert {row.group for row in results["model"].rows} == {"a", "b"}
    assert "broken" in summary(results, tally.unread)["unread"]


def test_results_of_other_weights_are_not_mixed(tmp_path):
    opened(tmp_path / "out", [ours(Counted())]).score()
    with pytest.raises(InputError, match=r"model\.jsonl: its detail is weights 1, this run's weights 2; give another"):
        opened(tmp_path / "out", [ours(Counted(), "weights 2")])
    (tmp_path / "out" / "tilted" / "model.jsonl").write_text("no results\n")
    with pytest.raises(InputError, match="not a file of results"):
        opened(tmp_path / "out", [ours(Counted())])


def test_items_for_pictures_come_back_with_every_answer(tmp_path):
    run = opened(tmp_path / "out", [ours(Counted(fails_at=(1,))), Contender("fine", "rival", same(Counted()))])
    [(item, found)] = run.estimates({"b/1": "b"})
    assert item.id == "b/1" and sorted(found) == ["fine", "mean face"]


def test_summaries_are_tables_of_all_that_there_is(tmp_path):
    opened(tmp_path / "out", [ours(Counted()), Contender("off", "rival", same(Counted(-35.0)))]).score()
    results = read_folder(tmp_path / "out")["tilted"]
    write_summary(tmp_path, results)
    content = json.loads((tmp_path / "summary.json").read_text())
    assert content["methods"]["model"]["against_dummies"]["normal_deg"].startswith("beats mean face")
    assert content["methods"]["off"]["against_dummies"]["normal_deg"].startswith("loses to mean face")
    assert content["methods"]["off"]["normal_pixels"]["median_deg"] == pytest.approx(35, abs=1)
    rows = (tmp_path / "items.csv").read_text().splitlines()
    assert rows[0].startswith("method,item,group,light_deg,tone,pixels,seconds,") and len(rows) == 1 + 3 * 6
    assert (tmp_path / "summary.csv").read_text().startswith("method,kind,items,failed,figure,mean,low,high,")


def test_entries_are_read_and_checked(tmp_path):
    entry = parse_entry("tilted:groups=a+b,count=4", tmp_path)
    assert entry.options == {"groups": "a+b", "count": 4} and entry.path == tmp_path / "tilted"
    assert entry.label == "tilted-a+b-4"
    assert parse_entry(f"tilted:path={tmp_path}", None) == Entry("tilted", "tilted", tmp_path, {})
    assert parse_entry("tilted:count=none", tmp_path).options == {"count": None}
    for text, message in (
        ("nothing", "benchmark 'nothing': must be one of"),
        ("tilted:weight=3", "no option 'weight'; there are path, groups, count"),
        ("tilted:count=x", "tilted:count 'x': must be a number"),
        ("tilted:count", "'count' must be OPTION=VALUE"),
    ):
        with pytest.raises(InputError, match=message):
            parse_entry(text, tmp_path)
    with pytest.raises(InputError, match="give --data, set ILLURES_DATA"):
        parse_entry("tilted", None)


def evaluate(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", *map(str, arguments)])
    return ended.value.code


def test_the_command_measures_reports_and_compares(tmp_path, monkeypatch, capsys):
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    two = [ours(Counted()), Contender("off", "rival", same(Counted(7.0)))]
    monkeypatch.setattr(session, "contenders", lambda models, rivals: two)
    out = tmp_path / "out"
    command = ("tilted", "--data", tmp_path.parent, "-o", out, "--pictures", 2, "--compare", "off", "model")
    (tmp_path.parent / "tilted").mkdir(exist_ok=True)
    assert evaluate(*command) == 0
    said = capsys.readouterr().out
    assert "model beats" in said or "model is better" in said
    assert "off (A) → model (B)" in said and str(out / "report.html") in said
    page = (out / "report.html").read_text()
    assert "tilted" in page and page.count("data:image/webp") > 4
    assert sorted(path.name for path in (out / "tilted" / "pictures").iterdir()) == ["a~0", "c~1"]
    assert evaluate("--compare", f"{out}:off", f"{out}:model") == 0
    assert "normal_deg" in capsys.readouterr().out
    assert evaluate(*command[:-2], "nobody", "model") == 2
    assert "compare 'nobody': must be one of" in capsys.readouterr().err
    assert evaluate("tilted", "--data", tmp_path.parent) == 2
    assert "--output is needed" in capsys.readouterr().err


def test_nothing_measured_is_an_error_that_says_why(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(session, "contenders", lambda models, rivals: [ours(Counted())])
    (tmp_path / "tilted").mkdir()
    assert evaluate("tilted:groups=broken", "--data", tmp_path, "-o", tmp_path / "out") == 2
    assert "nothing could be measured: FOLDER/broken.npz: lacks normals" in capsys.readouterr().err

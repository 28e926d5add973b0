"""The report: self-contained, safe, and honest about who lost and what failed."""

import re

import numpy as np
import pytest
from PIL import Image

from fake_network import middle_face

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

from illures.evaluate.benchmark import Estimate, Failure, Item, Target, Truth
from illures.evaluate.compare import compare
from illures.evaluate.report.page import section, sentence, write_report
from illures.evaluate.report.pictures import choose, error_color, of_estimate, of_truth, write_pictures
from illures.evaluate.report.summary import by_tag, label, tone_errors
from illures.evaluate.results import About, Results, Row

SIZE = 64
NASTY = "b/<script>alert(1)</script>"


def results(name, kind, degrees, groups=10, failed=()):
    rng = np.random.default_rng(len(name))
    rows = []
    for k in range(groups):
        error = degrees + float(rng.uniform(-1, 1))
        counts = np.zeros(180, int)
        counts[int(error)] = 50
        tags = {"light_deg": 9.0 * k, "tone": "dark" if k % 2 else "light"}
        figures = {"normal_deg": error, "albedo_rel": error / 100}
        rows.append(Row(f"g{k}/0" if k else NASTY, f"g{k}", figures, 50, tuple(counts.tolist()), tags))
    rows += [Row(item, "g1", error="RuntimeError: no memory") for item in failed]
    return Results(About(name, kind, "", "bench", {"mask": "mask"}), tuple(rows), {f"g{k}": {} for k in range(groups)})


@pytest.fixture(scope="module")
def methods():
    return {
        "constant": results("constant", "dummy", 20),
        "bad rival": results("bad rival", "rival", 25),
        "model": results("model", "ours", 10, failed=("g1/7",)),
    }


@pytest.fixture(scope="module")
def item():
    rng = np.random.default_rng(0)
    normal = np.broadcast_to(np.float32([0, 0, 1]), (SIZE, SIZE, 3))
    mask = np.zeros((SIZE, SIZE), bool)
    mask[8:56, 16:48] = True
    photo = rng.uniform(0, 1, (SIZE, SIZE, 3)).astype(np.float32)
    target = Target("other", np.ones((9, 3), np.float32), photo)
    truth = Truth(mask, normal, np.full((SIZE, SIZE, 3), 0.3, np.float32), targets=(target,))
    return Item(NASTY, "g0", photo, middle_face(SIZE, SIZE), truth)


def test_the_worst_group_of_skin_tone_needs_people():
    def row(person, tone, error):
        return Row(f"{person}/0", person, {"ita_error_deg": error}, tags={"tone": tone})

    rows = [row(f"l{k}", "light", 2.0) for k in range(4)] + [row(f"d{k}", "dark", 6.0) for k in range(4)]
    alone = [*rows, row("t", "tan", 40.0)]
    found, more = (tone_errors(Results(About("m", "ours", "", "bench", {}), tuple(part), {})) for part in (rows, alone))
    assert list(found.groups) == ["dark", "light"] and list(more.groups) == ["dark", "tan", "light"]
    assert (found.worst, found.worst_over_mean) == ("dark", pytest.approx(6 / 4))
    assert more.worst == "dark" and more.worst_over_mean == pytest.approx(6 / 8)
    assert tone_errors(results("m", "ours", 5)) is None


def test_the_page_holds_everything_and_asks_nobody(tmp_path, methods, item):
    turned = np.broadcast_to(np.float32([np.sin(0.5), 0, np.cos(0.5)]), (SIZE, SIZE, 3))
    estimate = Estimate(normal=turned, albedo=np.full((SIZE, SIZE, 3), 0.9, np.float32))
    write_pictures(tmp_path / "pictures", [(item, {"model": estimate})])
    unread = [Failure("g99", "g99", "g99.npz: lacks <normals>")]
    changes = {"constant (A) → model (B)": compare(methods["constant"], methods["model"])}
    shown = choose(methods["model"], 10)
    write_report(tmp_path / "report.html", [section(tmp_path, methods, unread, shown, changes)])
    page = (tmp_path / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', page) and "http" not in re.sub(r'xmlns[:\w]*="[^"]*"', "", page)
    assert "<script" not in page and "&lt;script&gt;alert" in page and "lacks &lt;normals&gt;" in page
    assert page.count("<svg") == 5  # pixels below angles; two figures over lights and over tones
    assert page.count("data:image/webp") == 1 + 6  # the scale; input, two normals, error and two albedos
    assert "1 of 11 failed" in page and "RuntimeError: no memory" in page
    assert "bad rival LOSES to the best dummy in normal_deg, albedo_rel" in page
    assert "model beats the best dummy in normal_deg, albedo_rel" in page
    cells = dict(re.findall(r'<td class="(lost|best)">([\d.]+)', page)[::-1])
    assert 23 < float(cells["lost"]) < 27 and 9 < float(cells["best"]) < 11


def test_pictures_go_from_the_worst_to_the_best(methods):
    shown = choose(methods["model"], 4)
    errors = {row.id: row.figures["normal_deg"] for row in methods["model"].scored}
    order = [errors[name] for name, *_ in shown]
    assert (
        order == sorted(order, reverse=True) and order[0] == max(errors.values()) and order[-1] == min(errors.values())
    )
    assert len(choose(methods["model"], 99)) == 10 and choose(methods["model"], 0) == []


def test_tiles_show_the_face_and_errors_their_angle(item):
    turned = np.broadcast_to(np.float32([np.sin(0.5), 0, np.cos(0.5)]), (SIZE, SIZE, 3)).copy()
    turned[:20] = np.nan
    tiles = of_estimate(item, Estimate(normal=turned, albedo=np.full((SIZE, SIZE, 3), 0.9, np.float32)))
    assert tiles["normal"].shape == tiles["error"].shape and tiles["normal"].shape[0] == 128
    middle = tiles["error"][90, tiles["error"].shape[1] // 2].astype(int)
    assert np.abs(middle - error_color(np.rad2deg([0.5]))[0]).max() <= 2
    assert (
        tiles["error"][12, tiles["error"].shape[1] // 2] == error_color(np.zeros(1))[0]
    ).all()  # filled: faces the viewer
    truth = of_truth(item)
    assert set(truth) == {"input", "normal", "albedo", "relit"}
    # Albedo is free up to its scale: the estimate is shown at the truth's.
    assert np.abs(tiles["albedo"].astype(int) - truth["albedo"]).max() <= 1


def test_dummies_are_not_judged_and_ties_are_no_wins(methods):
    assert "no dummy gives" in sentence(methods["constant"], methods)
    equal = {"constant": methods["constant"], "same": results("constant", "ours", 20)}
    assert "is no better than the best dummy in normal_deg" in sentence(equal["same"], equal)


def test_angles_fall_into_the_subsets_of_yale_b(methods):
    assert [label(v) for v in (0.0, 12.0, 12.5, 60.0, 90.0)] == ["0–12°", "0–12°", "12–25°", "50–77°", "77–180°"]
    parts = by_tag(methods["model"], "normal_deg", "light_deg")
    assert list(parts) == ["0–12°", "12–25°", "25–50°", "50–77°", "77–180°"]
    assert sum(part.items for part in parts.values()) == 10


def test_pictures_are_files_that_open(tmp_path, item):
    write_pictures(tmp_path, [(item, {})])
    [folder] = tmp_path.iterdir()
    assert "<" not in folder.name and "/" not in folder.name
    with Image.open(folder / "truth.input.webp") as picture:
        assert picture.size[1] == 128

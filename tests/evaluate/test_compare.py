"""Paired comparison: what is sure, in which direction, and between which files."""

import numpy as np
import pytest
from scipy.stats import wilcoxon as signed_rank

from illures.errors import InputError
from illures.evaluate.compare import as_text, compare, compare_folders
from illures.evaluate.results import About, Results, Row, write_group


def results(values, name="model", kind="ours", figure="normal_deg", groups=8, pixels=100):
    about = About(name, kind, "", "bench", {})
    rows = [Row(f"{k}", f"g{k % groups}", {figure: float(v)}, pixels) for k, v in enumerate(values)]
    return Results(about, tuple(rows), {f"g{k}": {} for k in range(groups)})


@pytest.fixture(scope="module")
def before():
    return np.random.default_rng(0).uniform(10, 20, 24)


def test_nothing_changed_is_no_difference(before):
    [change] = compare(results(before), results(before))
    assert change.p_value == 1 and change.change.mean == 0 and change.wilcoxon is None
    assert change.verdict == "no difference that shows"


def test_a_steady_change_is_seen_in_its_direction(before):
    rng = np.random.default_rng(1)
    less = before - 1 - rng.uniform(0, 0.2, 24)
    [change] = compare(results(before), results(less))
    assert change.verdict == "better" and change.p_value == pytest.approx(2 / 2**8)
    assert change.change.low <= change.change.mean <= change.change.high < -0.9
    per_group = [np.mean((less - before)[k::8]) for k in range(8)]
    assert change.wilcoxon == pytest.approx(float(signed_rank(per_group).pvalue))
    assert compare(results(less), results(before))[0].verdict == "worse"
    [higher] = compare(results(before, figure="relit_psnr_db"), results(less, figure="relit_psnr_db"))
    assert higher.verdict == "worse"


def test_only_items_that_both_have_count(before):
    a, b = results(before), results(before[:20] + 1)
    failed = Row("23", "g7", error="failed")
    b = Results(b.about, (*b.rows, failed), b.groups)
    [change] = compare(a, b)
    assert change.change.mean == pytest.approx(1) and change.change.items == 20


def test_figures_of_groups_are_compared_too():
    about = About("model", "ours", "", "bench", {})
    first, second = (
        Results(about, (), {f"g{k}": {"albedo_drift_rel": 0.1 + shift + 0.01 * k} for k in range(7)})
        for shift in (0, -0.05)
    )
    [change] = compare(first, second)
    assert change.verdict == "better" and change.change.mean == pytest.approx(-0.05)


def test_folders_are_compared_by_name_or_by_what_is_ours(tmp_path, before):
    for folder, name, shift in (("one", "old", 0), ("two", "new", -1)):
        target = tmp_path / folder / "bench"
        target.mkdir(parents=True)
        for method, kind, values in ((name, "ours", before + shift), ("constant", "dummy", before)):
            about = About(method, kind, "", "bench", {})
            for k in range(8):
                rows = [row for row in results(values).rows if row.group == f"g{k}"]
                write_group(target / f"{method}.jsonl", about, f"g{k}", rows, {})
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    found = compare_folders(one, two)
    assert list(found) == ["bench: old → new"]
    assert "normal_deg" in as_text(found["bench: old → new"]) and "better" in as_text(found["bench: old → new"])
    assert list(compare_folders(f"{one}:constant", f"{two}:constant")) == ["bench: constant"]
    assert compare_folders(f"{one}:old", f"{two}:constant")["bench: old → constant"][0].p_value == 1
    with pytest.raises(InputError, match="no such folder of results"):
        compare_folders(one, str(tmp_path / "three"))
    with pytest.raises(InputError, match="no benchmark and method in common"):
        compare_folders(f"{one}:old", f"{two}:nobody")

"""`illures evaluate`."""

from __future__ import annotations

import os
from pathlib import Path

from illures.cli.app import OK, app, needs_extra
from illures.cli.options import ManyWeights, OptionalOutput
from illures.errors import InputError


@app.command
def evaluate(
    benchmarks: list[str] | None = None,
    /,
    *,
    output: OptionalOutput = None,
    data: Path | None = None,
    weights: ManyWeights = None,
    rivals: list[str] | None = None,
    compare: tuple[str, str] | None = None,
    lpips: Path | None = None,
    pictures: int = 24,
) -> int:
    """Measure models and other people's methods on the same photos, with the same masks.

    OUTPUT gets report.html, and for each benchmark a folder with items.csv, summary.csv, summary.json, pictures and a
    file of JSON lines for each method. An interrupted run continues; failed items are tried again. Dummy methods that
    ignore the photo always take part. Several --weights are named by their file names. Needs the extra: pip install
    illures[evaluate]. See docs/evaluation.md.

    Parameters
    ----------
    benchmarks
        photoface, yaleb, synthetic, scan, video, photos; with options as yaleb:lights=flash,mask=mask_strict or
        photos:path=FOLDER.
    output
        Folder for the results; created if missing.
    data
        Folder that holds the benchmarks' data; default: the environment variable ILLURES_DATA.
    rivals
        3dmm (a morphable model fitted to the landmarks), 3dmm=ict=FILE, or NAME=FOLDER with other people's code and
        weights: sfsnet, dpr, geomconsistent, 3ddfa, illures-tf, deca.
    compare
        Two methods of this run; or, without benchmarks, two folders of results (or FOLDER:METHOD): what changed from A
        to B.
    lpips
        Folder with the weights of LPIPS (alexnet*.pth and alex.pth), which adds the perceptual figures.
    pictures
        How many images of each benchmark the report shows, from the worst to the best.
    """
    if not benchmarks:
        return _compare_folders(compare)
    if output is None:
        raise InputError("--output is needed: the folder for the results")
    environment = os.environ.get("ILLURES_DATA")
    data = data if data is not None else Path(environment) if environment else None
    with needs_extra("evaluate", "evaluation"):
        from illures.evaluate.session import evaluate_all
    print(evaluate_all(benchmarks, output, data, weights or [], rivals or [], compare, lpips, pictures))
    return OK


def _compare_folders(compare: tuple[str, str] | None) -> int:
    if compare is None:
        raise InputError("name a benchmark, or two folders of results with --compare A B")
    from illures.evaluate.compare import as_text, compare_folders

    for name, changes in compare_folders(*compare).items():
        print(f"{name}\n{as_text(changes)}")
    return OK

"""`illures train`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from illures.cli.app import OK, Flag, app, needs_extra
from illures.cli.options import Cache, OptionalOutput
from illures.errors import InputError


@app.command
def train(
    recipe: str | None = None,
    data: list[Path] | None = None,
    /,
    *,
    output: OptionalOutput = None,
    videos: list[Path] | None = None,
    initial: Path | None = None,
    align: Path | None = None,
    cache: Cache = None,
    compiled: Annotated[bool, Parameter(name="--compile"), Flag] = False,
    list_recipes: Annotated[bool, Parameter(name="--list"), Flag] = False,
) -> int:
    """Train weights on synthetic sets and real videos; an interrupted run continues.

    Needs the extra: pip install illures[train]. OUTPUT gets checkpoint.safetensors, best.safetensors, TensorBoard logs
    (tensorboard --logdir OUTPUT) and weights.safetensors, which `illures decompose --weights` takes.
    On several GPUs: torchrun --nproc-per-node N -m illures train …

    Parameters
    ----------
    recipe
        Name of a recipe of the package (see --list), or a TOML file.
    data
        Folders of shards that `illures synth` wrote.
    output
        Folder of the run.
    videos
        Folders of shards that `illures videos` wrote; for recipes that train on real pairs.
    initial
        Weights to start from, instead of the recipe's.
    align
        Folder of trained AlignNets, for recipes with align = "alignnet".
    compiled
        Compile the network with torch.compile: on CPUs 25 % faster after two minutes; needs a C++ compiler.
    list_recipes
        Only list the recipes of the package.
    """
    with needs_extra("train", "training"):
        from illures.train.run import recipes, run
    if list_recipes:
        print(recipes())
        return OK
    if recipe is None or not data or output is None:
        raise InputError("a recipe, at least one folder of shards and --output are needed; --list names the recipes")
    try:
        os.path.realpath(output).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{output}: TensorBoard writes to folders whose names are UTF-8 alone") from error
    print(run(recipe, data, output, videos=videos, initial=initial, align=align, cache=cache, compiled=compiled))
    return OK

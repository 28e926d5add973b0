"""`illures train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from illures.cli.app import OK, app


@app.command
def train(recipe: Path, data: list[Path], /, *, output: Annotated[Path, Parameter(alias="-o")]) -> int:
    """Train weights on synthetic sets; a run that was stopped goes on where it stood.

    Needs the extra: pip install illures[train]. OUTPUT gets checkpoint.pt, TensorBoard logs and weights.safetensors,
    which `illures decompose --weights` takes.

    Parameters
    ----------
    recipe
        A TOML file, such as recipes/release.toml.
    data
        Folders of shards that `illures synth` wrote.
    output
        Folder of the run.
    """
    from illures.train.run import run

    print(run(recipe, data, output))
    return OK

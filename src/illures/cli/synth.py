"""`illures synth`: a command for each set, and the preview of one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from illures.cli.app import OK, app, needs_extra
from illures.cli.options import OptionalOutput, Output, Ray, Workers
from illures.synth.sets import SETS, Recipe

synth = App(name="synth", help="Render synthetic faces; needs the extra: pip install illures[synth].")
app.command(synth)


def _synth_command(kind: type[Recipe]) -> Callable[..., int]:
    """The command that renders one of the sets; its options are the fields of the set's recipe."""

    def command(
        output: Output,
        *,
        recipe: Annotated[Recipe, Parameter(name="*")] = kind(),  # noqa: B008 (frozen)
        workers: Workers = None,
        ray: Ray = None,
    ) -> int:
        from illures.synth.generate import generate

        with needs_extra("synth", "rendering"):
            import scipy  # noqa: F401
        generate(recipe, output, workers, ray)
        return OK

    about = (kind.__doc__ or "").splitlines()[0]
    command.__doc__ = f"""{about}

    Renders to OUTPUT/shard-NNNNNN.tar (WebDataset tars). An interrupted run continues.

    Parameters
    ----------
    output
        Folder for the shards.
    """
    command.__annotations__["recipe"] = Annotated[kind, Parameter(name="*")]
    return command


for _name, _kind in SETS.items():
    synth.command(_synth_command(_kind), name=_name)


@synth.command
def preview(shards: Path, /, *, output: OptionalOutput = None, count: int = 48) -> int:
    """Draw a contact sheet and statistics of a set: skin tones, poses, lights, residuals.

    Parameters
    ----------
    shards
        Folder of a synthetic set.
    output
        Folder for the pictures; default: SHARDS/preview.
    count
        Views on the contact sheet.
    """
    from illures.synth.preview import preview as draw

    print(draw(shards, output, count))
    return OK

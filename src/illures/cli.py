"""The command line. Heavy modules are imported inside the commands, so that `illures --help` comes at once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from illures import __version__
from illures.errors import InputError
from illures.synth.recipes import SETS, Recipe

OK, BAD_INPUT, INTERRUPTED = 0, 2, 130

Flag = Parameter(negative="")

app = App(
    name="illures",
    help="Take photos of faces apart into albedo, normal, light and residual; make the data and train the networks.",
    version=__version__,
    suppress_keyboard_interrupt=False,  # `main` says what is left behind
)

synth = App(name="synth", help="Render synthetic faces; needs the extra: pip install illures[synth].")
app.command(synth)


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit: 0 all went well, 2 bad input (one line each on stderr), 130 interrupted."""
    try:
        code = app(arguments, exit_on_error=False, result_action="return_value")
    except CycloptsError:  # cyclopts has said what is wrong
        code = BAD_INPUT
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        code = BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted; what is finished is whole, the same command goes on", file=sys.stderr)
        code = INTERRUPTED
    sys.exit(code)


@app.command
def decompose(
    photos: list[Path],
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    format: Literal["png", "png16", "exr"] = "png",
    json: Annotated[bool, Flag] = False,
    weights: Path | None = None,
    size: int | None = None,
    crop_only: Annotated[bool, Flag] = False,
    skip_existing: Annotated[bool, Flag] = False,
) -> int:
    """Decompose every face in every photo.

    Each photo gets the folder OUTPUT/NAME: maps of the photo's size, sheet.png to look at, and for each face a folder
    (face-1, face-2, ...) of maps of the crop's size with light.json, probe.png and face.json.

    Parameters
    ----------
    photos
        Photos, or folders of photos (their subfolders are not searched).
    output
        Folder for the results; made where it is missing.
    format
        png: 8 bits, to look at; png16 and exr: to compute with.
    json
        Print one line of JSON for each photo instead of words.
    weights
        A weights file instead of the one in the package.
    size
        Side of the crop in pixels; default: what the network was trained on.
    crop_only
        Leave out the maps of the photo's size, which take most of the time.
    skip_existing
        Leave photos alone whose results are there already.
    """
    from illures.files import check_writable
    from illures.inputs import expand

    check_writable(output)
    sources, problems = expand(photos)

    from illures.batch import Report, decompose_all
    from illures.decompose import Decomposer
    from illures.formats import Format

    report = Report(json, len(sources) + len(problems))
    for path, problem in problems:
        report.failed(path, problem)
    if sources:
        decompose_all(
            sources, output, report, Decomposer.from_pretrained(weights, size), Format(format), crop_only, skip_existing
        )
    return OK if report.summary() else BAD_INPUT


def _synth_command(kind: type[Recipe]) -> Callable[..., int]:
    """The command that renders one of the sets; its options are the fields of the set's recipe."""

    def command(
        output: Path,
        /,
        *,
        recipe: Annotated[Recipe, Parameter(name="*")] = kind(),  # noqa: B008 (frozen)
        workers: int | None = None,
        ray: str | None = None,
    ) -> int:
        from illures.synth.generate import generate

        generate(recipe, output, workers, ray)
        return OK

    about = (kind.__doc__ or "").splitlines()[0]
    command.__doc__ = f"""{about}

    Renders to OUTPUT/shard-NNNNNN.tar (WebDataset tars); what was stopped goes on where it stood.

    Parameters
    ----------
    output
        Folder for the shards.
    workers
        Processes on this machine; default: one a core.
    ray
        Render on a Ray cluster instead: "auto" joins the one that runs, "local" starts one, or an address.
        Needs the extra: pip install illures[ray].
    """
    command.__annotations__["recipe"] = Annotated[kind, Parameter(name="*")]
    return command


for _name, _kind in SETS.items():
    synth.command(_synth_command(_kind), name=_name)


@synth.command
def preview(shards: Path, /, *, output: Annotated[Path | None, Parameter(alias="-o")] = None, count: int = 48) -> int:
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


if __name__ == "__main__":
    main()

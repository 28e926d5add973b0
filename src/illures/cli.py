"""The command line. Heavy modules are imported inside the commands, so that `illures --help` comes at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from illures import __version__
from illures.errors import InputError
from illures.synth.recipes import Recipe

OK, BAD_INPUT, INTERRUPTED = 0, 2, 130

Flag = Parameter(negative="")
_DEFAULTS = Recipe()

app = App(
    name="illures",
    help="Take photos of faces apart into albedo, normal, light and residual; make the data and train the networks.",
    version=__version__,
    suppress_keyboard_interrupt=False,  # `main` says what is left behind
)


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


@app.command
def synth(
    output: Path,
    /,
    recipe: Annotated[Recipe, Parameter(name="*")] = _DEFAULTS,
    *,
    workers: int = 2,
) -> int:
    """Render a synthetic set to OUTPUT/shard-NNNNNN.tar; what was stopped goes on where it stood.

    Needs the extra: pip install illures[synth].

    Parameters
    ----------
    output
        Folder for the shards (WebDataset tars).
    workers
        Processes; one a core is best.
    """
    from illures.synth.generate import generate

    generate(recipe, output, workers)
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

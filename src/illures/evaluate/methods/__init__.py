"""The compared methods, one adapter per file, and the selection for a run.

To add a rival, write a file with a function `load(folder: Path) -> Method` and add a line to `RIVALS`. Other people's
code and weights stay in the user's folder; docs/rivals.md lists the files.
May import `evaluate.benchmark`, `evaluate.scoring`, the metrics, `synth.heads`, and packages below `evaluate`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Literal

from illures.errors import InputError
from illures.evaluate.benchmark import Benchmark
from illures.evaluate.methods.query import Method

Kind = Literal["dummy", "baseline", "ours", "rival"]

# Modules are imported on demand.
RIVALS: dict[str, str] = {
    name: f"illures.evaluate.methods.{module}"
    for name, module in {
        "sfsnet": "sfsnet",
        "dpr": "dpr",
        "geomconsistent": "geomconsistent",
        "3ddfa": "tddfa",
        "illures-tf": "inverse_face_render",
        "deca": "deca",
    }.items()
}
MORPHABLE = "3dmm"


@dataclass(frozen=True)
class Contender:
    """A method in a run.

    Attributes:
        name: unique in the run; a file name.
        kind: for the report.
        method: for a group of the benchmark (only the mean face depends on it).
        about: identifies the method in results, such as the hash of its weights.
    """

    name: str
    kind: Kind
    method: Callable[[str], Method]
    about: str = ""


def same(method: Method) -> Callable[[str], Method]:
    """One method for all groups."""
    return lambda group: method


def fixed_contenders() -> list[Contender]:
    """The dummies that fit any benchmark, and the baselines that need nothing from the user.

    Raises:
        InputError: a library that they need is not installed.
    """
    from illures.evaluate.methods.dummies import Constant, ConstantAlbedo, Copy
    from illures.evaluate.methods.mesh import Mesh

    return [
        Contender("constant", "dummy", same(Constant())),
        Contender("constant albedo", "dummy", same(ConstantAlbedo())),
        Contender("copy", "dummy", same(Copy())),
        Contender("mesh", "baseline", same(Mesh())),
    ]


def mean_face(benchmark: Benchmark) -> Contender:
    """The mean of the other subjects where the benchmark has one, else the average head of our own model.

    Raises:
        InputError: a file of the benchmark can't be read, or a library is not installed.
    """
    from illures.evaluate.methods.dummies import SIZE, MeanFace, MeanFaces
    from illures.evaluate.methods.morphable import mean_head_normals

    others = MeanFaces.of(benchmark)
    if others is not None:
        return Contender("mean face", "dummy", others, "of the other subjects")
    return Contender("mean face", "dummy", same(MeanFace(mean_head_normals(SIZE))), "average MakeHuman head")


def our_contenders(weights: Sequence[Path]) -> list[Contender]:
    """Weights files by the names of their files; without any, those of the package.

    Raises:
        InputError: a file is missing, is no weights file, or two have the same name.
    """
    from illures.evaluate.methods.ours import Illures

    named: Mapping[str, Path | None] = {path.stem: path for path in weights} if weights else {"illures": None}
    if len(named) < len(weights):
        raise InputError(f"models: two files have the same name ({', '.join(path.name for path in weights)})")
    models = {name: Illures(path) for name, path in named.items()}
    return [Contender(name, "ours", same(model), model.about) for name, model in models.items()]


def crop_contenders(contenders: Sequence[Contender]) -> list[Contender]:
    """Our models once more, evaluated on the maps of the aligned crop."""
    from illures.evaluate.methods.ours import Crop, Illures

    models = {each.name: each.method("") for each in contenders if each.kind == "ours"}
    return [
        Contender(f"{name} crop", "ours", same(Crop(model)), model.about)
        for name, model in models.items()
        if isinstance(model, Illures)
    ]


def stable_contenders(contenders: Sequence[Contender]) -> list[Contender]:
    """Our models once more, as run by `illures video`, with a separate memory for each clip."""
    from illures.evaluate.methods.ours import Illures
    from illures.evaluate.methods.temporally_stable import TemporallyStable

    models = {each.name: each.method("") for each in contenders if each.kind == "ours"}
    return [
        Contender(f"{name} video", "ours", partial(_fresh, partial(TemporallyStable, model.predictor)), model.about)
        for name, model in models.items()
        if isinstance(model, Illures)
    ]


def _fresh(make: Callable[[], Method], group: str) -> Method:
    return make()


def rival_contenders(rivals: Sequence[str]) -> list[Contender]:
    """NAME=FOLDER of other people's methods, and 3dmm or 3dmm=MODEL, the landmark fit.

    Raises:
        InputError: an unknown name, or the folder does not hold what its adapter reads.
    """
    contenders = []
    for text in rivals:
        name, _, where = text.partition("=")
        if name == MORPHABLE:
            from illures.evaluate.methods.morphable import Morphable

            fit = Morphable(where or "makehuman")
            label = f"{MORPHABLE}-{where.partition('=')[0]}" if where else MORPHABLE
            contenders.append(Contender(label, "baseline", same(fit), fit.about))
            continue
        if name not in RIVALS or not where:
            known = ", ".join(f"{known}=FOLDER" for known in RIVALS)
            raise InputError(f"rivals {text!r}: must be {known}, {MORPHABLE} or {MORPHABLE}=MODEL")
        folder = Path(where)
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder (rival {name})")
        contenders.append(Contender(name, "rival", same(import_module(RIVALS[name]).load(folder))))
    return contenders

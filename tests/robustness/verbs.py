"""Small inputs for the verbs that work long, their commands, and what a finished output of each is."""

from __future__ import annotations

import compileall
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from clips import ASTRONAUT, pan, pictures, write_clip
from illures.model.weights import FAST, packaged

RECIPE = """batch = 8
warmup = 8
validate = 16
validation_images = 2
held_out = 0.25
average = 16
checkpoint = 8
panel = 32
precision = "float32"
[network]
form = "compact"
size = 32
guide = true
width = 8
residual_width = 32
residual_blocks = 1
[[stages]]
kind = "local"
images = 32
learning_rate = 3e-3
[[stages]]
kind = "global"
images = 16
learning_rate = 2e-3
"""
# Parts of a clip are 250 frames; with a few, a short clip has many.
SHORT_PARTS = (
    "from illures.__main__ import main; from illures.video import make;"
    "make.make_video.__kwdefaults__['part_frames'] = 4; main()"
)
# What stays in a folder: whoever holds the lock on it may write there.
LOCK = ".lock"


@dataclass(frozen=True)
class Verb:
    """A verb that works long.

    Attributes:
        name: of the verb.
        source: input in the folder of `make_inputs`.
        options: after the source and `-o OUTPUT`.
        output: name of the output; of a file with its suffix.
        code: Python that runs in place of `-m illures`.
    """

    name: str
    source: str
    options: tuple[str, ...] = ()
    output: str = "out"
    code: str | None = None

    def command(self, source: Path | str, output: Path | str) -> list[str]:
        """The command line."""
        program = ["-m", "illures"] if self.code is None else ["-c", self.code]
        place = [str(source)] if self.name != "synth" else ["expre-syn"]
        if self.name == "train":
            place = [str(Path(source).parent / "recipe.toml"), str(source)]
        if self.name == "evaluate":
            place = [f"photos:path={source}"]
        return [sys.executable, *program, self.name, *place, "-o", str(output), *self.options]


# The smaller network: how runs end and go on is the same with both.
NETWORK = ("--weights", FAST)
LIGHTS = ("--light", "butterfly", "--light", "clamshell", "--no-shadows")
SYNTH = ("--identities", "3", "--poses", "1", "--expressions", "1", "--lights", "1", "--size", "32", "--samples", "4")
VERBS: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb("decompose", "photos", NETWORK),
        Verb("relight", "photos", (*LIGHTS, *NETWORK)),
        Verb("video", "clip.mp4", ("--show", "albedo", "--size", "64"), "out.mp4", SHORT_PARTS),
        Verb("synth", "photos", (*SYNTH, "--identities-per-shard", "1", "--workers", "2")),
        Verb("train", "set"),
        Verb("evaluate", "photos", ("--pictures", "1", "--models", str(packaged(FAST)))),
    )
}


def make_inputs(folder: Path) -> None:
    """Photos, a clip, a set and a recipe."""
    _compile()
    photo = cv2.imread(str(ASTRONAUT))[0:280, 100:380]
    (folder / "photos").mkdir(parents=True)
    for name, size in (("a", 128), ("b", 112), ("c", 96)):
        cv2.imwrite(str(folder / "photos" / f"{name}.jpg"), cv2.resize(photo, (size, size)))
    write_clip(folder / "clip.mp4", pictures(12, pan, size=(120, 120)), audio="aac")
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "set").mkdir()
    _write_set(folder / "set" / "shard-000000.tar")


def _compile() -> None:
    """Once, as the runs keep no bytecode: else each compiles all that was changed since the last one that did."""
    import illures

    compileall.compile_dir(str(Path(illures.__file__).parent), quiet=2)


def _write_set(path: Path) -> None:
    """Views of noise: training does not care."""
    from illures.data.context import WIDE_PX
    from illures.data.shards import ViewRecord, write_shard
    from illures.types import Region

    rng, side = np.random.default_rng(0), 32
    views = []
    for identity in range(8):
        normal = rng.normal(size=(side, side, 3)) + (0, 0, 2)
        view = ViewRecord(
            albedo=rng.random((side, side, 3), np.float32),
            normal=(normal / np.linalg.norm(normal, axis=-1, keepdims=True)).astype(np.float32),
            mask=np.ones((side, side), bool),
            region=rng.integers(0, len(Region), (side, side), dtype=np.uint8),
            landmarks=rng.uniform(4, 28, (478, 3)).astype(np.float32),
            contexts=(rng.random((WIDE_PX, WIDE_PX, 3), np.float32),),
            images=(rng.random((side, side, 3), np.float32),),
            lights=(rng.normal(size=(9, 3)).astype(np.float32),),
            lightings=(1,),
            identity=identity,
            expression=1,
            pose=1,
            seed=identity,
            recipe="noise",
        )
        views.append((f"{identity:06d}", view))
    write_shard(path, views)


@dataclass(frozen=True)
class Surroundings:
    """Of a process that is started.

    Attributes:
        home, temporary: folders of its own.
        variables: further ones of the environment.
        options: of `subprocess.Popen`.
    """

    home: Path
    temporary: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def start(self, command: list[str | bytes]) -> subprocess.Popen[str]:
        """Start a process in a session of its own, with its output in pipes."""
        environment = os.environ | {
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, (os.path.abspath(p) for p in sys.path if p))),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            text=True,
            errors="replace",
            start_new_session=True,
            env=environment | dict(self.variables),
            **self.options,
        )


def contents(output: Path) -> dict[str, object]:
    """What an output holds: every file by its name, but for what tells the time.

    Raises:
        Exception: a file is damaged.
    """
    if output.is_file():
        return {output.name: _digest(output.read_bytes())}
    return {
        str(path.relative_to(output)): _content(path)
        for path in sorted(output.rglob("*"))
        if path.is_file() and path.name != LOCK and "tfevents" not in path.name
    }


def _content(path: Path) -> object:
    if path.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(path, "np") as file:
            tensors = {name: _digest(file.get_tensor(name).tobytes()) for name in sorted(file.keys())}  # noqa: SIM118
            return dict(file.metadata()), tensors
    if path.suffix == ".jsonl":
        from illures.evaluate.results import read_results

        read_results(path)
        return [_timeless(json.loads(line)) for line in path.read_text().splitlines() if line.endswith("}")]
    if path.suffix in (".html", ".csv") or path.name == "summary.json":
        return "told by the rows"
    return _digest(path.read_bytes())


def _timeless(row: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in row.items() if key != "seconds"}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def half_written(output: Path, whole: Mapping[str, object], grows: Callable[[str], bool]) -> list[str]:
    """Files under names that were asked for, which are not as those of a whole run.

    Args:
        output: of a run that was ended.
        whole: `contents` of a run that was not.
        grows: whether a file of this name is written again and again, so that it need only be readable.
    """
    wrong = []
    places = [output] if output.is_file() else sorted(path for path in output.rglob("*") if path.is_file())
    for path in places:
        name = path.name if path == output else str(path.relative_to(output))
        if path.name == LOCK or "tfevents" in name or any(part.startswith(".") for part in Path(name).parts):
            continue
        try:
            found = _content(path)
        except Exception as error:
            wrong.append(f"{name} can't be read ({type(error).__name__})")
            continue
        if name in whole and found != whole[name] and not grows(name):
            wrong.append(f"{name} is not whole")
        elif name not in whole:
            wrong.append(f"{name} is new")
    return wrong

"""Recipes: all settings of a training run as dataclasses; a TOML file lists what differs from the defaults."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from illures.errors import InputError, nearest
from illures.model.config import NetworkConfig
from illures.train.camera import CameraConfig
from illures.train.losses import LossWeights

GROUP = 8  # images that are drawn together, see `train.data_loader`


@dataclass(frozen=True)
class Stage:
    """One stage of training.

    Attributes:
        kind: "local" trains SfSNet on L_s, images shaded from albedo and normals under lights of the set, without
            residual; "global" trains the whole network on L_g, images with global illumination; "pairs" trains only on
            pairs of frames, real and synthetic: reconstruction, L_a and L_n, no ground truth; "all" trains on synthetic
            samples with L_g and on real pairs together.
        images: training images seen in this stage.
        learning_rate: peak of a cosine schedule with warm-up over the stage.
        real: share of the images that are real in the kinds "pairs" and "all"; the method's 30,000 real and 16,272
            synthetic pairs are 0.65.
        residual: False leaves IlluResNet out of the stage, which then uses only L_s and takes a third less time.
        decay: final part of the stage in which the learning rate falls; before, it stays at its peak. With less than 1,
            averaged weights are usable throughout a long stage.
    """

    kind: Literal["local", "global", "pairs", "all"]
    images: int
    learning_rate: float = 1e-3
    real: float = 0.65
    residual: bool = True
    decay: float = 1.0

    @property
    def with_residual(self) -> bool:
        """Whether IlluResNet takes part."""
        return self.residual and self.kind != "local"

    @property
    def needs_videos(self) -> bool:
        """Whether real pairs are drawn."""
        return self.kind in ("pairs", "all") and self.real > 0


@dataclass(frozen=True)
class Recipe:
    """A training run.

    Attributes:
        stages: one after the other, in this order.
        network: architecture of the network.
        camera: camera effects of the augmentation.
        loss: weights of the terms.
        initial: weights to start from: "" for none, "release" for those of the package, the path of a file, or the name
            of a shipped recipe whose weights must then be given. Detail blocks that they lack start as the identity.
        learns: "all", or "thin": only the thin level; the body keeps the initial weights, normalisation included. A
            third of the cost, and at half the size the predictions of the network do not change.
        residual: False does not train IlluResNet, whose residual starts at 0 and stays 0: SfSNet only.
        align: warps albedo and normals from frame to frame: "alignnet" uses trained networks, "warp" the dense landmark
            mesh.
        plain: L_a as the method's plain L1 norm; otherwise darker or duller albedo gains nothing (`train.consistency`).
        across: chance that the frames of a real pair are from two shots or clips, where there are several of a person;
            0 where a clip may show one person after another.
        head: weight of pixels that show a surface outside of the face's mask (hair, ears, neck, collar), relative to
            the mask; above 0 the eyes also weigh more. 0 counts only the mask, as the method does.
        repainted: chance that a rendered person gets other colours of skin, hair and clothes, and of another background
            (`data.repaint`).
        retextured: chance that a rendered person gets other details of skin, brows and eyes (`data.retexture`).
        mixing: chance that a traced view is lit by two of its lights at once, each with a random colour
            (`data.mixing`).
        walled: chance of a plain wall behind a rendered person, in the same light (`data.repaint`).
        batch: images per step over all processes, a multiple of 8.
        seed: of weights, order and augmentation.
        optimizer: "adamw", or "muon", whose steps in the hidden layers are orthogonal (`train.muon`).
        weight_decay: not on biases and normalisation.
        warmup: images over which the learning rate rises, in each stage.
        average: the released weights are an exponential average over about this many images.
        held_out: share of the identities held out for validation; 0 for no validation.
        validate: images between validations.
        validation_images: largest number of validation images.
        checkpoint: images between checkpoints.
        panel: images between panels of pictures in the log.
        precision: "bf16" is faster on CPUs with AMX and on GPUs; "auto" uses it there and float32 elsewhere.
    """

    stages: tuple[Stage, ...] = (Stage("local", 100_000), Stage("global", 300_000, 5e-4))
    network: NetworkConfig = field(default_factory=NetworkConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    loss: LossWeights = field(default_factory=LossWeights)
    initial: str = ""
    learns: Literal["all", "thin"] = "all"
    residual: bool = True
    align: Literal["alignnet", "warp"] = "alignnet"
    plain: bool = False
    across: float = 0.25
    head: float = 0.0
    repainted: float = 0.0
    retextured: float = 0.0
    mixing: float = 0.0
    walled: float = 0.0
    batch: int = 16
    seed: int = 0
    optimizer: Literal["adamw", "muon"] = "adamw"
    weight_decay: float = 0.01
    warmup: int = 2_000
    average: int = 8_000
    held_out: float = 0.05
    validate: int = 4_000
    validation_images: int = 192
    checkpoint: int = 4_000
    panel: int = 4_000
    precision: Literal["auto", "float32", "bf16"] = "auto"

    def __post_init__(self) -> None:
        counts = ("batch", "warmup", "average", "validate", "validation_images", "checkpoint", "panel")
        for name in counts:
            if getattr(self, name) < 1:
                raise InputError(f"recipe: {name} = {getattr(self, name)}, at least 1 is needed")
        if self.batch % GROUP:
            raise InputError(f"recipe: batch = {self.batch}, a multiple of {GROUP} is needed")
        if self.learns == "thin" and not (self.network.fine_width and self.initial):
            raise InputError('recipe: learns = "thin" needs initial weights and a network with a fine_width')
        if not 0 <= self.head <= 1:
            raise InputError(f"recipe: head = {self.head}, a weight from 0 to 1 is needed")
        for name in ("across", "repainted", "retextured", "mixing", "walled"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"recipe: {name} = {getattr(self, name)}, a chance from 0 to 1 is needed")
        if not 0 <= self.held_out < 1:
            raise InputError(f"recipe: held_out = {self.held_out}, a share from 0 to below 1 is needed")
        if not self.stages or min(stage.images for stage in self.stages) < 1:
            raise InputError("recipe: at least one stage is needed, and at least one image in each")
        if not all(0 < stage.decay <= 1 for stage in self.stages):
            raise InputError("recipe: decay is a part of the stage, above 0 and up to 1")
        if not all(0 <= stage.real <= 1 for stage in self.stages):
            raise InputError("recipe: real is a share, from 0 to 1")

    @property
    def images(self) -> int:
        """Training images of all stages."""
        return sum(stage.images for stage in self.stages)

    @property
    def needs_videos(self) -> bool:
        """Whether a stage draws real pairs."""
        return any(stage.needs_videos for stage in self.stages)

    @property
    def needs_alignment(self) -> bool:
        """Whether a stage draws pairs at all."""
        return self.needs_videos or any(stage.kind == "pairs" for stage in self.stages)

    def stage_at(self, seen: int) -> tuple[Stage, int]:
        """The stage of the image after `seen` ones, and the images of that stage already seen."""
        for stage in self.stages:
            if seen < stage.images:
                return stage, seen
            seen -= stage.images
        raise ValueError("all stages are over")

    def to_dict(self) -> dict[str, Any]:
        """Plain nested values, as written into checkpoints and weights."""
        return asdict(self)


def shipped() -> dict[str, Path]:
    """The recipes of the package, by name."""
    folder = Path(str(files("illures.train") / "recipes"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def about(path: Path) -> str:
    """Description of a recipe file: its first line, a comment."""
    return path.read_text().partition("\n")[0].removeprefix("#").strip()


def find_recipe(name: str) -> Path:
    """The file of a shipped recipe's name, or the path itself.

    Raises:
        InputError: there is neither.
    """
    known = shipped()
    if name in known:
        return known[name]
    if not Path(name).is_file():
        rule = f"the package has {', '.join(known)}, or give a TOML file{nearest(name, known)}"
        raise InputError(f"{name}: no such recipe; {rule}")
    return Path(name)


def read_toml(path: Path) -> dict[str, Any]:
    """The settings of a recipe file.

    Raises:
        InputError: the file is missing or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise InputError(f"{path}: no such recipe") from error
    except (ValueError, RecursionError) as error:  # no TOML, no text, a number too long, nested too deeply
        raise InputError(f"{path}: is not TOML: {error}") from error


def load_recipe(path: Path) -> Recipe:
    """Read a TOML recipe.

    Raises:
        InputError: the file is missing, is not TOML, names a setting that does not exist, or gives one a wrong value.
    """
    return recipe_from_dict(read_toml(path), str(path))


def recipe_from_dict(values: dict[str, Any], where: str) -> Recipe:
    """Make a recipe of plain nested values; unknown names and wrong types are errors that say `where`."""
    nested = {"network": NetworkConfig, "camera": CameraConfig, "loss": LossWeights}
    made: dict[str, Any] = {}
    for name, value in values.items():
        if name == "stages":
            if not isinstance(value, list | tuple):
                raise InputError(f"{where}: stages = {value!r}: tables [[stages]] are needed")
            made[name] = tuple(fill(Stage, stage, f"{where}: stages") for stage in value)
        elif name in nested:
            made[name] = fill(nested[name], value, f"{where}: {name}")
        else:
            made[name] = value
    return fill(Recipe, made, where)


def fill(kind: Any, values: Any, where: str) -> Any:
    """Make a dataclass of plain values.

    Raises:
        InputError: a setting is unknown, of a wrong type, or missing; the message begins with `where`.
    """
    if not isinstance(values, dict):
        raise InputError(f"{where}: {values!r} is not a table")
    known = {f.name: f for f in fields(kind)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise InputError(f"{where}: unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}")
    hints = get_type_hints(kind)
    for name, value in values.items():
        _check(hints[name], value, f"{where}: {name}")
    try:
        return kind(**values)
    except (TypeError, InputError) as error:  # a setting without a default is missing; values that do not fit
        raise InputError(f"{where}: {error}") from error


def _check(hint: Any, value: Any, where: str) -> None:
    """Check plain types and choices; nested values are already checked."""
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise InputError(f"{where} = {value!r}: one of {', '.join(map(repr, get_args(hint)))} is needed")
    elif hint in (int, float, str, bool):
        # As in Python, an int is a float, but a bool is not a number.
        kinds = (int, float) if hint is float else hint
        if not isinstance(value, kinds) or (isinstance(value, bool) and hint is not bool):
            raise InputError(f"{where} = {value!r}: {hint.__name__} is needed")

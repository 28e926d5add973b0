"""Recipes: all settings of a training run as dataclasses; a TOML file lists what differs from the defaults."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from illures.errors import InputError
from illures.model.config import NetworkConfig
from illures.train.augment import CameraConfig
from illures.train.losses import LossWeights


@dataclass(frozen=True)
class Stage:
    """One supervised stage.

    Attributes:
        data: "local" trains SfSNet on L_s, shading albedo and normals anew under lights of the set, with no residual;
            "global" trains the whole on L_g, images with global illumination.
        images: training images seen in this stage.
        learning_rate: peak of a cosine schedule with warm-up over the stage.
    """

    data: Literal["local", "global"]
    images: int
    learning_rate: float = 1e-3


@dataclass(frozen=True)
class Recipe:
    """A training run.

    Attributes:
        stages: one after the other, in this order.
        network: shape of the network.
        camera: what a camera does to the images.
        loss: weights of the terms.
        initial: weights to start from: "" for none, "release" for those of the package, or the path of a file.
        batch: images a step.
        seed: of weights, order and augmentation.
        weight_decay: of AdamW; not on biases and normalisation.
        warmup: images over which the learning rate rises, in each stage.
        average: the released weights are an exponential average that remembers about this many images.
        checkpoint: save all that is needed to resume every so many images.
        panel: log a panel of pictures every so many images.
        precision: "bf16" pays on CPUs with AMX and on GPUs; "auto" takes it there and float32 elsewhere.
    """

    stages: tuple[Stage, ...] = (Stage("local", 100_000), Stage("global", 300_000, 5e-4))
    network: NetworkConfig = field(default_factory=NetworkConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    loss: LossWeights = field(default_factory=LossWeights)
    initial: str = ""
    batch: int = 16
    seed: int = 0
    weight_decay: float = 0.01
    warmup: int = 2_000
    average: int = 8_000
    checkpoint: int = 4_000
    panel: int = 4_000
    precision: Literal["auto", "float32", "bf16"] = "auto"

    @property
    def images(self) -> int:
        """Training images of all stages."""
        return sum(stage.images for stage in self.stages)

    def to_dict(self) -> dict[str, Any]:
        """Plain nested values, as written into checkpoints and weights."""
        return asdict(self)


def load_recipe(path: Path) -> Recipe:
    """Read a TOML recipe.

    Raises:
        InputError: the file is missing, is not TOML, or names a setting that does not exist.
    """
    try:
        values = tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such recipe") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: is not TOML: {error}") from error
    return recipe_from_dict(values, str(path))


def recipe_from_dict(values: dict[str, Any], where: str) -> Recipe:
    """Make a recipe of plain nested values; unknown names are errors that say `where`."""
    nested = {"network": NetworkConfig, "camera": CameraConfig, "loss": LossWeights}
    made: dict[str, Any] = {}
    for name, value in values.items():
        if name == "stages":
            made[name] = tuple(_fill(Stage, stage, f"{where}: stages") for stage in value)
        elif name in nested:
            made[name] = _fill(nested[name], value, f"{where}: {name}")
        else:
            made[name] = value
    return _fill(Recipe, made, where)


def _fill(kind: Any, values: dict[str, Any], where: str) -> Any:
    known = {f.name for f in fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise InputError(f"{where}: unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}")
    return kind(**values)

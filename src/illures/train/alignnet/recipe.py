"""Pre-training of AlignNets: recipes, and what `illures train` does with them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from illures.errors import InputError
from illures.model.alignnet import AlignConfig
from illures.train.recipe import fill, read_toml

KIND = "align"  # value of `kind` at the top of such a recipe


@dataclass(frozen=True)
class AlignRecipe:
    """A pre-training; the defaults are the method's.

    Attributes:
        network: kind of map, and architecture of the network.
        epochs: in each, every view is a target once.
        batch: pairs per step.
        learning_rate: of Adam in the first epoch.
        decay: factor on it from epoch to epoch.
        gain: standard deviation (log) of the gain of each channel of an albedo, the same in both views.
        seed: of weights, order, partners, mirror images and gains.
        held_out: share of the identities held out for validation; 0 for none.
        validation_pairs: largest number of validation pairs.
        checkpoint: pairs between checkpoints.
        precision: "bf16" is faster on CPUs with AMX and on GPUs; "auto" uses it there and float32 elsewhere.
    """

    network: AlignConfig
    epochs: int = 30
    batch: int = 8
    learning_rate: float = 5e-4
    decay: float = 0.98
    gain: float = 0.3
    seed: int = 0
    held_out: float = 0.05
    validation_pairs: int = 200
    checkpoint: int = 4_000
    precision: Literal["auto", "float32", "bf16"] = "auto"

    def __post_init__(self) -> None:
        """Raise an InputError for impossible values."""
        for name in ("epochs", "batch", "validation_pairs", "checkpoint"):
            if getattr(self, name) < 1:
                raise InputError(f"recipe: {name} = {getattr(self, name)}, at least 1 is needed")
        if not 0 <= self.held_out < 1:
            raise InputError(f"recipe: held_out = {self.held_out}, a share from 0 to below 1 is needed")
        if self.learning_rate <= 0 or not 0 < self.decay <= 1 or self.gain < 0:
            raise InputError("recipe: learning_rate > 0, decay in (0, 1] and gain >= 0 are needed")

    def to_dict(self) -> dict[str, Any]:
        """Plain nested values, as written into checkpoints and weights."""
        return asdict(self)


def is_align_recipe(path: Path) -> bool:
    """Whether a recipe file pre-trains an AlignNet; a file that is no TOML is none."""
    try:
        return read_toml(path).get("kind") == KIND
    except InputError:
        return False


def load_align_recipe(path: Path) -> AlignRecipe:
    """Read a TOML recipe with `kind = "align"` and a table `[network]` (`AlignConfig`).

    Raises:
        InputError: the file is missing, is not such a recipe, names a setting that does not exist, or gives one a
            wrong value.
    """
    values = read_toml(path)
    if values.pop("kind", None) != KIND:
        raise InputError(f'{path}: kind = "{KIND}" is needed to pre-train an AlignNet')
    if "network" not in values:
        raise InputError(f'{path}: a table [network] with kind = "albedo" or "normal" is needed')
    values["network"] = fill(AlignConfig, values["network"], f"{path}: network")
    recipe: AlignRecipe = fill(AlignRecipe, values, str(path))
    return recipe

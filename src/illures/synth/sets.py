"""Recipes of the synthetic sets. Default counts are those of the method; each is an option of `illures synth`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from illures import __version__
from illures.errors import InputError


@dataclass(frozen=True)
class Recipe:
    """A custom set: all settings that determine its bytes.

    A view is a person under one pose with one expression; a person's views are the grid poses × expressions, and the
    same lights fall on all of them.

    Attributes:
        identities: Number of different people.
        poses: Poses of each person.
        expressions: Expressions of each person.
        lights: Lights of each person; every view is stored under each. 0 stores albedo and normals alone.
        transport: Trace global illumination; otherwise images are A ∘ f(N, L), computed when they are read.
        motion: Where expressions come from: "talking" draws expressions and poses as fitted to clips of real people,
            "posed" smiles, frowns, ... by name, "exaggerated" the strong ones, "deformed" weights of 20 deformations.
        spread: Factor on the variation of shape; from about 2 heads are caricatures.
        relief: Factor on relief that blend shapes lack: brow ridges, folds, lumps (`heads.sculpt`); 0 leaves it out.
        styles: Lay one of 50 texture styles over each albedo, so that only displacement can be learnt from it.
        accessories: Share of people who may have hair, glasses and hats, in [0, 1].
        occluders: Share of views with a hand or an object before the face or its light, in [0, 1].
        size: Side of the face crops in pixels.
        samples: Light paths per pixel.
        shadow_samples: Shadow rays per pixel towards lamps.
        depth: Largest number of surface points on a light path.
        denoise: Clean the images with Open Image Denoise (`pyoidn`), guided by albedo and normal.
        models: Head models in equal shares: "makehuman", or NAME=FILE as in "ict=ict_head.npz" or "linear=bfm.npz".
        hdri: Folder of environment maps (.npy, .hdr, .exr); default: procedural lights alone.
        yaw_sigma_deg: Standard deviation of the turn to the side, in degrees.
        yaw_limit_deg: Largest turn of a face to the side, in degrees.
        pitch_limit_deg: Largest tilt up or down, in degrees.
        roll_limit_deg: Largest roll of the head, in degrees.
        identities_per_shard: People in a tar; a person is never split.
        seed: Seed of all random numbers.
    """

    identities: int = 1000
    poses: int = 1
    expressions: int = 2
    lights: int = 5
    transport: bool = True
    motion: Literal["talking", "posed", "exaggerated", "deformed"] = "posed"
    spread: float = 1.0
    relief: float = 1.0
    styles: bool = False
    accessories: float = 1.0
    occluders: float = 0.18
    size: int = 128
    samples: int = 48
    shadow_samples: int = 16
    depth: int = 3
    denoise: bool = True
    models: tuple[str, ...] = ("makehuman",)
    hdri: Path | None = None
    yaw_sigma_deg: float = 22.0
    yaw_limit_deg: float = 60.0
    pitch_limit_deg: float = 25.0
    roll_limit_deg: float = 12.0
    identities_per_shard: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise an InputError for impossible values."""
        counts = ("identities", "poses", "expressions", "size", "samples", "shadow_samples", "depth")
        for name in (*counts, "identities_per_shard"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} = {getattr(self, name)}: must be at least 1")
        angles = ("yaw_sigma_deg", "yaw_limit_deg", "pitch_limit_deg", "roll_limit_deg")
        for name in ("lights", "spread", "relief", *angles, "seed"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} = {getattr(self, name)}: must not be negative")
        for name in ("accessories", "occluders"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} = {getattr(self, name)}: must lie in [0, 1]")
        if not self.models:
            raise InputError("models: at least one head model is needed")

    @property
    def views_per_identity(self) -> int:
        """Poses × expressions."""
        return self.poses * self.expressions

    @property
    def views(self) -> int:
        """Of all people."""
        return self.identities * self.views_per_identity

    @property
    def shards(self) -> int:
        """Number of tars."""
        return -(-self.identities // self.identities_per_shard)

    def shard_views(self, shard: int) -> range:
        """Numbers of the views in a shard; views of a person follow each other."""
        first = shard * self.identities_per_shard * self.views_per_identity
        return range(first, min(first + self.identities_per_shard * self.views_per_identity, self.views))


@dataclass(frozen=True)
class SfsnetSyn(Recipe):
    """Many people, 15 poses with one light each, without global illumination."""

    identities: int = 12_500
    poses: int = 15
    expressions: int = 1
    lights: int = 1
    transport: bool = False
    identities_per_shard: int = 10


@dataclass(frozen=True)
class ExpreSyn(Recipe):
    """Expressions and poses of talking people, with global illumination."""

    identities: int = 114
    poses: int = 4
    expressions: int = 6
    motion: Literal["talking", "posed", "exaggerated", "deformed"] = "talking"


@dataclass(frozen=True)
class CaricSyn(Recipe):
    """Exaggerated faces and expressions, with global illumination."""

    identities: int = 100
    poses: int = 4
    expressions: int = 6
    motion: Literal["talking", "posed", "exaggerated", "deformed"] = "exaggerated"
    spread: float = 1.6


@dataclass(frozen=True)
class AlignAlbedo(Recipe):
    """Albedos under texture styles, poses and expressions: pairs to train AlignNet_a."""

    identities: int = 540
    poses: int = 4
    expressions: int = 6
    lights: int = 0
    transport: bool = False
    styles: bool = True


@dataclass(frozen=True)
class AlignNormal(Recipe):
    """Normals under poses and random weights of 20 shape deformations: pairs to train AlignNet_n."""

    identities: int = 540
    poses: int = 4
    expressions: int = 6
    lights: int = 0
    transport: bool = False
    motion: Literal["talking", "posed", "exaggerated", "deformed"] = "deformed"


# Names of settings in `recipe.json`, whose bytes and hash stay those of sets that were rendered under older names.
_STORED_AS = {"accessories": "wear", "occluders": "obstacles"}

SETS: dict[str, type[Recipe]] = {
    "sfsnet-syn": SfsnetSyn,
    "expre-syn": ExpreSyn,
    "caric-syn": CaricSyn,
    "align-albedo": AlignAlbedo,
    "align-normal": AlignNormal,
    "custom": Recipe,
}


def to_json(recipe: Recipe) -> str:
    """Readable text, equal for recipes of equal sets. Files count by name and content, so that a set can be moved."""
    facts = {"illures": __version__} | {_STORED_AS.get(name, name): value for name, value in asdict(recipe).items()}
    facts["models"] = [_described(model) for model in recipe.models]
    facts["hdri"] = recipe.hdri and sorted(path.name for path in Path(recipe.hdri).glob("*") if path.is_file())
    return json.dumps(facts, indent=2) + "\n"


def fingerprint(recipe: Recipe) -> str:
    """Short hash of the recipe, stored with each view."""
    return hashlib.sha256(to_json(recipe).encode()).hexdigest()[:12]


def _described(model: str) -> str:
    """NAME=FILE as the file's name and the hash of its bytes."""
    name, _, file = model.partition("=")
    path = Path(file)
    if not file or not path.is_file():
        return model
    return f"{name}={path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"

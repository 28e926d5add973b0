"""What a synthetic set is made of; the defaults are the published set's."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from illures.errors import InputError


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the bytes of a synthetic set.

    Attributes:
        views: heads under one pose and expression each.
        identities: different people; views go round them.
        lights: images a view, each under a light of its own. 0 stores albedo and normal alone (a tenth of the time);
            training then shades them with any light.
        size: side of the images [px].
        samples: paths a pixel.
        shadow_samples: shadow rays a pixel towards lamps.
        depth: most surface points on a path of light.
        denoise: clean the images with Open Image Denoise (`pyoidn`), guided by albedo and normal.
        hdri: folder of environment maps (.npy, .hdr, .exr), or None for procedural lights alone.
        ict: file of the ICT-FaceKit model, or None for MakeHuman heads alone.
        ict_share: share of the identities that come from the ICT model if there is one.
        yaw_sigma_deg, yaw_limit_deg, pitch_limit_deg, roll_limit_deg: spread of the head poses [deg].
        views_per_shard: views in a tar.
        seed: of everything.
    """

    views: int = 2000
    identities: int = 1000
    lights: int = 5
    size: int = 128
    samples: int = 64
    shadow_samples: int = 16
    depth: int = 3
    denoise: bool = True
    hdri: Path | None = None
    ict: Path | None = None
    ict_share: float = 0.5
    yaw_sigma_deg: float = 22.0
    yaw_limit_deg: float = 60.0
    pitch_limit_deg: float = 25.0
    roll_limit_deg: float = 12.0
    views_per_shard: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values that make no set."""
        for name in ("views", "identities", "size", "samples", "shadow_samples", "depth", "views_per_shard"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} = {getattr(self, name)}: must be at least 1")
        if self.lights < 0:
            raise InputError(f"lights = {self.lights}: must not be negative")
        if not 0 <= self.ict_share <= 1:
            raise InputError(f"ict_share = {self.ict_share}: must lie in [0, 1]")

    @property
    def shards(self) -> int:
        """Number of tars."""
        return -(-self.views // self.views_per_shard)


def to_json(recipe: Recipe) -> str:
    """Readable text, equal for equal recipes; paths by name alone, so that a set may move."""
    facts = asdict(recipe)
    for name in ("hdri", "ict"):
        facts[name] = facts[name] and Path(facts[name]).name
    return json.dumps(facts, indent=2) + "\n"


def fingerprint(recipe: Recipe) -> str:
    """Short hash of the recipe, stored with each view."""
    return hashlib.sha256(to_json(recipe).encode()).hexdigest()[:12]

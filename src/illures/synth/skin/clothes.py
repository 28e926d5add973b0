"""Clothes: painted on neck and shoulders as close-fitting cloth, with a rim where they end."""

from __future__ import annotations

import numpy as np

from illures.synth.skin.details import step
from illures.synth.skin.uv_painting import Canvas, Layers, per_channel
from illures.types import Region

_NECKLINES = {"crew": 0.4, "deep": 0.25, "collar": 0.2, "high": 0.15}


def paint_clothes(layers: Layers, canvas: Canvas, rng: np.random.Generator) -> None:
    """A shirt, blouse, collar or turtleneck of one cloth, from its neckline down."""
    kind = str(rng.choice(list(_NECKLINES), p=list(_NECKLINES.values())))
    front = {"crew": (-16.5, -14.5), "deep": (-22, -16), "collar": (-16, -13.5), "high": (-14, -12)}[kind]
    rise = {"crew": (1.5, 4), "deep": (4, 8), "collar": (3, 5.5), "high": (0, 2)}[kind]
    # Round the neck the line rises from the throat to the nape.
    turn = (1 - np.cos(canvas.s / 9)) / 2
    sharp = rng.uniform(0.4, 1.0) if kind in ("deep", "collar") else 1.0  # a V rises at once
    line = rng.uniform(*front) + rng.uniform(*rise) * turn**sharp + 0.1 * canvas.noise(rng, 12)
    inside = step((line - canvas.y) / 0.15)
    colour = np.log(np.exp(rng.normal(-1.8, 1.1) + rng.normal(0, 0.35, 3)).clip(0.01, 0.85))
    weave = 0.06 * canvas.noise(rng, 0.8, 0.8) + rng.uniform(0, 0.15) * canvas.noise(rng, rng.uniform(6, 30))
    if rng.random() < 0.3:
        stripe = np.sin((canvas.y if rng.random() < 0.5 else canvas.s) * rng.uniform(1.5, 6)) > rng.uniform(-0.3, 0.6)
        weave = weave + rng.normal(0, 0.6) * stripe
    rim = np.exp(-(((line - 0.5 - canvas.y) / 0.4) ** 2))
    folds = canvas.noise(rng, 14, 30)
    layers.cover(canvas, inside, per_channel(colour, weave + rng.normal(0, 0.15) * rim))
    layers.lift(canvas, (inside * (1.5 + 1.2 * rim + rng.uniform(0.2, 1.2) * folds) * 1e-3).astype(np.float32))
    layers.mark(canvas, inside > 0.5, Region.CLOTHES)

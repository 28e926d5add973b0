"""Random expressions and gaze, as weights of the ARKit face units, which both head models support."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Weights = dict[str, float]  # unit, as "jawOpen" or "eyeBlink_L" (the subject's left) -> weight, 0 = rest, 1 = full

SINGLE = (
    *("jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthFunnel", "mouthLeft", "mouthPucker"),
    *("mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
)
PAIRED = (
    *("browDown", "browInnerUp", "browOuterUp", "cheekPuff", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn"),
    *("eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown", "mouthLowerDown", "mouthPress"),
    *("mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer"),
)
UNITS = (*SINGLE, *(f"{unit}_{side}" for unit in PAIRED for side in "LR"))
_SHARES = {"neutral": 0.22, "smile": 0.2, "laugh": 0.12, "talk": 0.2, "surprise": 0.06, "frown": 0.08, "any": 0.12}


def random_expression(rng: np.random.Generator) -> Weights:
    """One expression with lids and gaze; missing units are at rest. Weights in [0, 1.2]."""
    kind = str(rng.choice(list(_SHARES), p=list(_SHARES.values())))
    weights: Weights = {}
    if kind != "neutral":
        _KINDS[kind](weights, rng)
    _pair(weights, rng, "browInnerUp", max(weights.get("browInnerUp_L", 0), rng.uniform(0, 0.2)))
    lids = rng.uniform(0, 0.25) if rng.random() < 0.8 else rng.uniform(0.25, 1)
    weights["eyeBlink_L"] = weights["eyeBlink_R"] = max(weights.get("eyeBlink_L", 0), lids)
    _gaze(weights, *rng.normal(0, 0.3, 2))
    return weights


def _pair(weights: Weights, rng: np.random.Generator, unit: str, weight: float) -> None:
    """Both sides, slightly asymmetric."""
    for side in "LR":
        weights[f"{unit}_{side}"] = float(np.clip(weight * (1 + rng.normal(0, 0.1)), 0, 1.2))


def _gaze(weights: Weights, left: float, up: float) -> None:
    """Look the subject's left and up, as shares of the full range."""
    for side, out in (("L", left), ("R", -left)):
        weights[f"eyeLookOut_{side}"] = float(np.clip(out, 0, 0.8))
        weights[f"eyeLookIn_{side}"] = float(np.clip(-out, 0, 0.8))
        weights[f"eyeLookUp_{side}"] = float(np.clip(up, 0, 0.7))
        weights[f"eyeLookDown_{side}"] = float(np.clip(-up, 0, 0.7))


def _smile(weights: Weights, rng: np.random.Generator) -> None:
    _pair(weights, rng, "mouthSmile", rng.uniform(0.2, 1))
    _pair(weights, rng, "cheekSquint", rng.uniform(0, 0.6))
    _pair(weights, rng, "eyeSquint", rng.uniform(0, 0.5))


def _laugh(weights: Weights, rng: np.random.Generator) -> None:
    weights["jawOpen"] = rng.uniform(0.05, 0.35)
    _pair(weights, rng, "mouthSmile", rng.uniform(0.5, 1))
    _pair(weights, rng, "mouthUpperUp", rng.uniform(0.2, 0.7))
    _pair(weights, rng, "cheekSquint", rng.uniform(0.2, 0.8))
    _pair(weights, rng, "eyeSquint", rng.uniform(0.1, 0.7))


def _talk(weights: Weights, rng: np.random.Generator) -> None:
    weights["jawOpen"] = rng.uniform(0, 0.4)
    weights[str(rng.choice(["mouthFunnel", "mouthPucker", "mouthShrugUpper", "mouthRollLower"]))] = rng.uniform(0, 0.6)
    _pair(weights, rng, "mouthLowerDown", rng.uniform(0, 0.5))
    _pair(weights, rng, "mouthStretch", rng.uniform(0, 0.4))


def _surprise(weights: Weights, rng: np.random.Generator) -> None:
    weights["jawOpen"] = rng.uniform(0.1, 0.6)
    _pair(weights, rng, "browInnerUp", rng.uniform(0.3, 1))
    _pair(weights, rng, "browOuterUp", rng.uniform(0.3, 1))
    _pair(weights, rng, "eyeWide", rng.uniform(0.2, 1))


def _frown(weights: Weights, rng: np.random.Generator) -> None:
    _pair(weights, rng, "browDown", rng.uniform(0.3, 1))
    _pair(weights, rng, "mouthFrown", rng.uniform(0, 0.8))
    _pair(weights, rng, "noseSneer", rng.uniform(0, 0.5))
    _pair(weights, rng, "eyeSquint", rng.uniform(0, 0.6))


def _any(weights: Weights, rng: np.random.Generator) -> None:
    # mouthClose only undoes jawOpen; alone it pushes the lips through each other.
    for unit in rng.choice([u for u in UNITS if u != "mouthClose"], 6, replace=False):
        weights[str(unit)] = rng.uniform(0, 0.3 if unit == "jawOpen" else 0.6)


_KINDS: dict[str, Callable[[Weights, np.random.Generator], None]] = {
    "smile": _smile,
    "laugh": _laugh,
    "talk": _talk,
    "surprise": _surprise,
    "frown": _frown,
    "any": _any,
}

_BOTH: dict[str, tuple[str, ...]] = {
    "brows_up": ("browInnerUp", "browOuterUp"),
    "brow_inner_up": ("browInnerUp",),
    "brows_down": ("browDown",),
    "blink": ("eyeBlink",),
    "eyes_wide": ("eyeWide",),
    "squint": ("eyeSquint", "cheekSquint"),
    "nose_sneer": ("noseSneer",),
    "cheek_puff": ("cheekPuff",),
    "smile": ("mouthSmile", "mouthDimple"),
    "frown": ("mouthFrown",),
    "stretch": ("mouthStretch",),
    "upper_lip_up": ("mouthUpperUp",),
    "lower_lip_down": ("mouthLowerDown",),
}
DEFORMATIONS: dict[str, Weights] = {
    **{name: {f"{unit}_{side}": 1.0 for unit in units for side in "LR"} for name, units in _BOTH.items()},
    "jaw_open": {"jawOpen": 0.7},  # heads break beyond
    "jaw_left": {"jawLeft": 1.0},
    "jaw_right": {"jawRight": 1.0},
    "jaw_forward": {"jawForward": 1.0},
    "pucker": {"mouthPucker": 1.0},
    "funnel": {"mouthFunnel": 1.0},
    "shrug": {"mouthShrugUpper": 0.7, "mouthShrugLower": 0.7},
}
"""Twenty ways in which a face is deformed, each at its full amount; they are linearly independent."""

_OPPOSED = (  # of each group at most one is exaggerated
    ("mouthSmile", "mouthFrown", "mouthPucker", "mouthFunnel", "mouthStretch"),
    ("browDown", "browInnerUp", "browOuterUp"),
    ("eyeBlink", "eyeWide", "eyeSquint"),
    ("jawLeft", "jawRight", "jawForward"),
    ("mouthLeft", "mouthRight"),
    ("mouthUpperUp", "mouthShrugUpper", "mouthRollUpper"),
    ("mouthLowerDown", "mouthShrugLower", "mouthRollLower"),
    ("cheekPuff", "cheekSquint"),
    ("noseSneer",),
    ("jawOpen",),
)
_MOST_OPEN = 0.7  # of jawOpen; heads break beyond


def exaggerated(rng: np.random.Generator) -> Weights:
    """A strong expression, as of a caricature: one to four units at 0.6 to 1.3, some on one side; jaws open to 0.7."""
    weights: Weights = {}
    for group in rng.choice(len(_OPPOSED), rng.integers(1, 5), replace=False):
        unit, weight = str(rng.choice(_OPPOSED[group])), rng.uniform(0.6, 1.3)
        if unit in SINGLE:
            weights[unit] = float(min(weight, _MOST_OPEN) if unit == "jawOpen" else weight)
        else:
            sides = "LR" if rng.random() < 0.75 else str(rng.choice(["L", "R"]))
            weights |= {f"{unit}_{side}": float(np.clip(weight * rng.uniform(0.9, 1.1), 0.6, 1.3)) for side in sides}
    _gaze(weights, *rng.normal(0, 0.4, 2))
    return weights


def random_deformation(rng: np.random.Generator) -> Weights:
    """A sum of several of `DEFORMATIONS`, each independently there or not and by up to its full amount."""
    weights: Weights = dict.fromkeys((unit for shape in DEFORMATIONS.values() for unit in shape), 0.0)
    for shape in DEFORMATIONS.values():
        amount = rng.uniform(0, 1) * (rng.random() < 0.3)
        for unit, weight in shape.items():
            weights[unit] += amount * weight
    return {unit: min(weight, 1.0) for unit, weight in weights.items() if weight}

"""Landmarks of synthetic faces: does the photo detector find the faces, and its points where they are projected?

python benchmarks/rendered.py --models makehuman ict=ict_head.npz

The images are those that `illures synth` makes of people whom scripts/build_landmarks.py has not seen.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np

from illures.faces import find_faces
from illures.faces.contour import (
    BROW_LEFT,
    BROW_RIGHT,
    EYE_LEFT,
    EYE_RIGHT,
    INDICES,
    JAW,
    LIPS_INNER,
    LIPS_OUTER,
    NOSE_BASE,
    NOSE_BRIDGE,
)
from illures.io.environment_maps import load_hdris
from illures.math.color import linear_to_srgb
from illures.synth.heads.models import people
from illures.synth.renderer import kernels
from illures.synth.renderer.views import Studio, render_view
from illures.synth.sets import Recipe
from record import record

SEED = 2_000_000
YAWS = {"frontal": (8.0, 15.0), "turned": (40.0, 45.0)}  # standard deviation, limit [deg]
GROUPS: dict[str, tuple[int, ...]] = {
    "all": tuple(range(478)),
    "ibug68": tuple(INDICES.tolist()),
    "eyes": EYE_LEFT + EYE_RIGHT,
    "irises": tuple(range(468, 478)),
    "brows": BROW_LEFT + BROW_RIGHT,
    "nose": NOSE_BRIDGE + NOSE_BASE,
    "lips": LIPS_OUTER + LIPS_INNER,
    "jaw": JAW,
}


def main() -> None:
    """Measure, print, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["makehuman"], help="as for `illures synth`")
    parser.add_argument("--renders", type=int, default=100, help="of each model and range of yaw")
    parser.add_argument("--wear", type=float, default=1.0, help="share of people who may have hair, glasses and hats")
    parser.add_argument("--hdri", type=Path, help="folder of environment maps; default: procedural lights alone")
    options = parser.parse_args()
    os.environ["OIDN_NUM_THREADS"] = "1"
    kernels.start(threads=1)
    figures: dict[str, Any] = {"renders": options.renders, "wear": options.wear, "size_px": 256}
    for model in options.models:
        for name, (sigma, limit) in YAWS.items():
            recipe = Recipe(
                identities=options.renders,
                expressions=1,
                lights=1,
                accessories=options.wear,
                occluders=0.0,
                size=256,
                samples=32,
                models=(model,),
                hdri=options.hdri,
                yaw_sigma_deg=sigma,
                yaw_limit_deg=limit,
                seed=SEED,
            )
            measured = measure(recipe)
            figures[f"{model.partition('=')[0]} {name}"] = measured
            print(model, name, measured)
    record("rendered", figures)


def measure(recipe: Recipe) -> dict[str, Any]:
    """Share of faces found, and distances between found and projected points by group."""
    hdris = list(load_hdris(recipe.hdri).values()) if recipe.hdri else []
    studio = Studio(recipe, people(recipe), hdris)
    errors = []
    for index in range(recipe.views):
        view = render_view(studio, index)
        photo = np.round(255 * np.clip(linear_to_srgb(view.images[0]), 0, 1)).astype(np.uint8)
        faces = find_faces(photo)
        if faces:
            errors.append(distances(faces[0].landmarks, view.landmarks))
    measured = np.array(errors)
    return {
        "found_percent": 100 * len(errors) / recipe.views,
        "error_percent_of_eye_distance": {name: summary(measured[:, list(ids)]) for name, ids in GROUPS.items()},
    }


def distances(found: np.ndarray, projected: np.ndarray) -> np.ndarray:
    """In the image, in % of the distance of the eyes' middles in space, so that it does not shrink on profiles."""
    right, left = (projected[list(eye)].mean(0) for eye in (EYE_LEFT, EYE_RIGHT))
    off = np.linalg.norm(found[:, :2] - projected[:, :2], axis=1)
    return np.asarray(100 * off / np.linalg.norm(left - right))


def summary(errors: np.ndarray) -> dict[str, float]:
    """Median and 90th percentile over all points of all renders."""
    median, most = np.quantile(errors, [0.5, 0.9])
    return {"median": round(float(median), 2), "p90": round(float(most), 2)}


if __name__ == "__main__":
    main()

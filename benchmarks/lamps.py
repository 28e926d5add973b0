"""Relighting against path-traced renders of people whom no training saw: PSNR, edges of cast shadows, colour of skin.

    python benchmarks/lamps.py --models makehuman ict=ict_head.npz --people 8 --lamps 8 --renders FOLDER

Each person is rendered once under a soft light (the photo) and once under each lamp. The photo is relit to each lamp
from the maps of the network and from those of the renders themselves, alone, with their true depth and with the true
visibility of the lamps. With --renders the renders are kept and used again; others than the report's people, for
development, by --seed.
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from illures import Decomposer
from illures.evaluate.benchmarks import lamps
from illures.evaluate.benchmarks.lamps import LampScore, LampView
from illures.io.photos import Photo
from illures.math.normals import turn
from illures.relighting.light import Light
from illures.synth.heads.expressions import random_expression
from illures.synth.heads.models import people
from illures.synth.lighting import split
from illures.synth.renderer import kernels
from illures.synth.renderer.denoise import denoised
from illures.synth.renderer.first_hits import first_hits
from illures.synth.renderer.scene import Pose, merge, place
from illures.synth.renderer.transport import Transport
from illures.synth.sets import Recipe
from illures.types import Face, Region
from record import record

SEED = 3_000_000
_BACKGROUND = 0.18
ROWS = ("network", "true_maps", "true_maps_and_depth", "true_maps_and_visibility", "photo_unchanged")


def main() -> None:
    """Render what is missing, relight, print, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["makehuman"], help="as for `illures synth`")
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--lamps", type=int, default=8, help="of each person; 20 at most")
    parser.add_argument("--seed", type=int, default=SEED, help="of the people")
    parser.add_argument("--size", type=int, default=256, help="side of the renders [px]")
    parser.add_argument("--samples", type=int, default=48, help="paths a pixel")
    parser.add_argument("--renders", type=Path, help="folder that keeps the renders")
    parser.add_argument("--weights", type=Path, help="instead of those of the package")
    options = parser.parse_args()
    if not 1 <= options.lamps <= 20:
        parser.error(f"--lamps {options.lamps}: must be from 1 to 20")
    recipe = Recipe(identities=options.people, occluders=0.0, models=tuple(options.models), seed=options.seed)
    lights = lamps.lamps(options.lamps)
    decomposer = Decomposer.from_pretrained(options.weights)
    scores: dict[str, list[LampScore]] = {name: [] for name in ROWS}
    for person in range(options.people):
        view = _view(recipe, person, lights, options)
        decomposer.find_faces = partial(_known_face, view.face)
        known, depth = lamps.known(view), partial(lamps.true_depth, view)
        images = {
            "network": lamps.relit(view, decomposer(view.srgb)[0], lights),
            "true_maps": lamps.relit(view, known, lights),
            "true_maps_and_depth": lamps.relit(view, known, lights, depth),
            "true_maps_and_visibility": lamps.relit(
                view, known, lights, partial(lamps.true_visibility, view, lights=lights)
            ),
            "photo_unchanged": [view.photo] * len(lights),
        }
        for name, found in images.items():
            scores[name] += [lamps.score(view, k, lights[k], image) for k, image in enumerate(found)]
    figures: dict[str, Any] = {"people": options.people, "lamps": options.lamps, "size_px": options.size}
    figures |= {name: summary(found) for name, found in scores.items()}
    print(figures)
    record("lamps", figures)


def summary(scores: list[LampScore]) -> dict[str, float]:
    """Means over images; edges by their median over all pixels."""
    edges = np.concatenate([score.edges_px for score in scores])
    return {
        "psnr_head_db": round(float(np.mean([score.psnr_db for score in scores])), 2),
        "psnr_head_worst_db": round(min(score.psnr_db for score in scores), 2),
        "shadow_edge_median_px": round(float(np.median(edges)), 2) if len(edges) else lamps.FARTHEST,
        "skin_colour_median_delta_e": round(float(np.median([score.colour for score in scores])), 2),
        "skin_colour_worst_delta_e": round(max(score.colour for score in scores), 2),
    }


def _known_face(face: Face, photo: Photo) -> list[Face]:
    return [face]


def _view(recipe: Recipe, person: int, lights: list[Light], options: argparse.Namespace) -> LampView:
    """From the folder of renders, or rendered."""
    name = f"{recipe.seed}-{person:03d}-{options.size}-{options.lamps}.npz"
    path = options.renders / name if options.renders else None
    if path is not None and path.exists():
        return LampView(**np.load(path))
    view = render(recipe, person, lights, options.size, options.samples)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **vars(view))
    return view


def render(recipe: Recipe, person: int, lights: list[Light], size: int, samples: int) -> LampView:
    """One person, little turned, upright in the crop, under the soft light and under each lamp."""
    os.environ["OIDN_NUM_THREADS"] = "1"
    kernels.start(threads=1)
    rng = np.random.default_rng([recipe.seed, person])
    who, expression = people(recipe)(person), random_expression(rng)
    head = who.head(expression)
    pose = Pose(float(rng.normal(0, 15)), float(rng.normal(0, 6)), 0.0, 1.2)
    view = place(head.landmarks, pose, size)
    surface = merge(head, view)
    transport = Transport(surface, view, samples, depth=3, seed=person)
    guides = transport.guides
    hits = first_hits(surface, view, [light.lamps[0].direction for light in lights])
    bare = first_hits(merge(who.without_glasses().head(expression), view), view, []).height
    worn = (guides.region == Region.GLASSES) & (hits.height > np.nan_to_num(bare, nan=-np.inf))
    behind = (1 - guides.coverage[..., None]) * np.float32(_BACKGROUND)

    def under(light: Light) -> np.ndarray:
        # The crop stands upright on the face: a light of the crop's frame is turned to the camera's.
        falling = split(lamps.environment_of(light.rotated(view.to_crop_frame.T)))
        return (denoised(transport.light(falling, 32), guides) + behind).astype(np.float32)

    return LampView(
        albedo=guides.albedo,
        normal=turn(guides.normal, view.to_crop_frame),
        region=guides.region,
        mask=guides.mask,
        landmarks=view.landmarks,
        height=bare,
        glasses=np.where(worn, hits.height, np.float32(np.nan)),
        visible=hits.visible,
        photo=under(lamps.soft_light()),
        images=np.stack([under(light) for light in lights]),
    )


if __name__ == "__main__":
    main()

"""A run of a few steps; as a process: python tiny_training.py CACHE FOLDER [images before kill -9]."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from illures.data.cache import SampleCache
from illures.train.augment import Frames
from illures.train.distributed import joined
from illures.train.loop import RealPairs, Training
from illures.train.objective import Drift
from illures.train.recipe import Recipe, Stage
from tiny_networks import COMPACT

TINY = Recipe(
    stages=(Stage("local", 64), Stage("global", 64)),
    network=replace(COMPACT, size=32),
    batch=16,
    warmup=16,
    checkpoint=32,
    panel=64,
    validate=48,
    held_out=0.1,
    average=100,
    precision="float32",  # what runs are compared by must not depend on what the processor is fast at
)
EVERY_KIND = replace(
    TINY, stages=(Stage("local", 32), Stage("global", 32), Stage("pairs", 32, real=0.5), Stage("all", 32, real=0.5))
)


class FakeVideos:
    """Pairs of frames that are samples, of which training is told nothing."""

    def __init__(self, cache: SampleCache) -> None:
        self.cache, self.size = cache, cache.size

    def draw(self, rng: np.random.Generator, count: int) -> tuple[Frames, Frames]:
        chosen = rng.integers(0, len(self.cache) // 4, count) * 4
        return self.frames(chosen), self.frames(chosen + 2)

    def frames(self, indices: np.ndarray) -> Frames:
        batch = self.cache.batch(indices)
        return Frames(batch.image, batch.mask, batch.guide, batch.landmarks, batch.mask)


def flat_consistency(first, second, found) -> Drift:
    """Pixel by pixel, as if nothing had moved."""
    one, other = found
    mask = first.mask * second.mask

    def change(name: str) -> torch.Tensor:
        return ((getattr(one, name) - getattr(other, name)).abs() * mask).mean(dim=(1, 2, 3))

    return Drift(change("albedo"), change("normal"))


def training(recipe: Recipe, cache: SampleCache, folder: Path, **options) -> Training:
    if recipe.needs_alignment:
        videos = FakeVideos(cache)
        options |= {
            "videos": RealPairs(videos, videos.draw(np.random.default_rng(0), 4)),
            "consistency": flat_consistency,
        }
    return Training(recipe, cache, folder, **options)


def search_path() -> str:
    """Where the process looks for modules: these ones first, then where the tests do."""
    return os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])


def main() -> None:
    torch.set_num_threads(1)
    cache, folder = SampleCache([Path(sys.argv[1])]), Path(sys.argv[2])
    killed_at = int(sys.argv[3]) if len(sys.argv) > 3 else None

    def report(seen: int, figures: dict[str, float]) -> None:
        if seen == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    with joined() as ranks:
        run = training(EVERY_KIND, cache, folder, ranks=ranks)
        run.run(report)
        if ranks.first:
            run.finish(folder / "weights.safetensors")


if __name__ == "__main__":
    main()

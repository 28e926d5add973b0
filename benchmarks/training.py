"""Cost of training: images a second, data alone, and the share of the machine's peak. python benchmarks/training.py.

The peak is that of a large matrix product in the precision that training takes, on the threads that it takes.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from illures.data.cache import SampleCache
from illures.data.caching import build_cache
from illures.data.context import WIDE_PX
from illures.math.normals import normalize
from illures.render import render
from illures.train.data_loader import Step, StepLoader
from illures.train.distributed import Ranks
from illures.train.learner import Learner, has_fast_bf16
from illures.train.recipe import Recipe, find_recipe, load_recipe
from illures.types import Sample
from record import record

RECIPES = {"cpu": ("illures-pre",), "cuda": ("illures-pre", "published")}
SAMPLES = 64
STEPS = 6
MATRIX = {"cpu": 3072, "cuda": 16384}


def main() -> None:
    """Measure and keep the figures."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = torch.bfloat16 if has_fast_bf16(device) else torch.float32
    peak = _peak_gflops(device, precision)
    figures: dict[str, Any] = {"precision": str(precision), "threads": torch.get_num_threads(), "matmul_gflops": peak}
    with tempfile.TemporaryDirectory() as folder:
        build_cache(_samples(), Path(folder) / "cache", np.zeros_like, "balls")
        cache = SampleCache([Path(folder) / "cache"])
        for name in RECIPES[device.type]:
            figures[name] = _measured(load_recipe(find_recipe(name)), cache, device, peak)
            print(name, figures[name])
    record("training", figures)


def _measured(recipe: Recipe, cache: SampleCache, device: torch.device, peak: float) -> dict[str, float]:
    """Figures of a recipe's last stage, on images with global illumination."""
    seen = recipe.images - recipe.batch * (STEPS + 2)
    ranks = Ranks(device=device)
    loader = StepLoader(recipe, cache, np.arange(len(cache)), None, ranks)
    learner = Learner(recipe, None, ranks, fresh=True)
    ready = loader.step(seen).to(device)

    def learn(step: Step) -> None:
        learner.learn(step.to(device), 1e-4, with_residual=True)

    step_s = _median_s(lambda: learn(ready), device)
    data_s = _median_s(lambda: loader.step(seen), device)
    both_s = _through(loader, seen, learn, device)
    with FlopCounterMode(display=False) as counter:
        learn(ready)
    gflops = counter.get_total_flops() / 1e9 / step_s
    return {
        "batch": recipe.batch,
        "gflop_an_image": round(counter.get_total_flops() / 1e9 / recipe.batch, 2),
        "step_images_per_s": round(recipe.batch / step_s, 1),
        "data_images_per_s_a_thread": round(recipe.batch / data_s, 1),
        "training_images_per_s": round(recipe.batch / both_s, 1),
        "share_of_peak": round(gflops / peak, 3),
        "share_of_step_in_training": round(step_s / both_s, 3),
    }


def _through(loader: StepLoader, seen: int, learn: Callable[[Step], None], device: torch.device) -> float:
    """Seconds a step with the data made meanwhile, as training does it."""
    steps = loader.steps(seen)
    learn(next(steps))
    start, count = time.perf_counter(), 0
    for step in steps:
        learn(step)
        count += 1
    _wait(device)
    return (time.perf_counter() - start) / count


def _peak_gflops(device: torch.device, precision: torch.dtype) -> float:
    size = MATRIX[device.type]
    a, b = (torch.rand(size, size, device=device, dtype=precision) for _ in range(2))
    return round(2 * size**3 / 1e9 / _median_s(lambda: a @ b, device), 1)


def _median_s(call: Callable[[], object], device: torch.device) -> float:
    times = []
    for _ in range(STEPS + 1):
        _wait(device)
        start = time.perf_counter()
        call()
        _wait(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _samples(size: int = 128) -> Iterator[Sample]:
    """Balls under random lights: what they show does not matter here, only that they are as large as faces."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[1 : -1 : size * 1j, -1 : 1 : size * 1j]
    inside = 1 - x**2 - y**2
    mask = inside > 0
    normal = normalize(np.stack([x, y, np.sqrt(np.clip(inside, 0, 1))], axis=-1)).astype(np.float32) * mask[..., None]
    landmarks = np.zeros((478, 3), np.float32)
    for k in range(SAMPLES):
        albedo = (np.broadcast_to(rng.uniform(0.1, 0.7, 3), (size, size, 3)) * mask[..., None]).astype(np.float32)
        light = rng.normal(0, 0.3, (9, 3)).astype(np.float32)
        light[0] = 2
        local = render(albedo, normal, light)
        residual = (-0.1 * local).astype(np.float32)  # as if traced: such images are not shaded anew
        image = (local + residual).astype(np.float32)
        region, context = mask.astype(np.uint8), np.full((WIDE_PX, WIDE_PX, 3), 0.3, np.float32)
        maps = image, albedo, normal, light, residual, mask, region, context
        yield Sample(*maps, landmarks, image[..., 0], k, 0, 0, 0, k)


if __name__ == "__main__":
    main()

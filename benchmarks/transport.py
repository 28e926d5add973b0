"""A view traced once and lit many times, against plain Mitsuba that renders it anew under each light.

python benchmarks/transport.py --hdri FOLDER

One face without the parts that need opacity (see `plain_mitsuba`), one thread, CPU seconds, kernels compiled before.
Ours counts splitting the environment, lighting and denoising; plain Mitsuba counts rendering and denoising, but not the
loading of scene and map. Both have the same denoiser and guides. PSNR is of sRGB-encoded images, exposed to put the
face's mean luminance at 0.28 as `illures synth` does, over all pixels that show a surface, against denoised plain
Mitsuba at `--reference` samples.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from illures.io.environment_maps import load_hdris
from illures.math.color import linear_to_srgb, luminance
from illures.synth import lighting
from illures.synth.heads.models import people
from illures.synth.renderer import kernels
from illures.synth.renderer.denoise import denoised
from illures.synth.renderer.scene import Pose, View, merge, place
from illures.synth.renderer.transport import Guides, Transport
from illures.synth.sets import Recipe
from illures.types import Head
from plain_mitsuba import PlainScene
from record import record

SIZE = 128
SETTINGS = {"recipe": (Recipe.samples, Recipe.shadow_samples), "fine": (256, 64)}  # paths, shadow rays a pixel
PLAIN_SAMPLES = 16, 32, 64, 128, 256
EXPOSURE = 0.28  # mean luminance of the face

Environments = list[tuple[str, Float[np.ndarray, "128 256 3"]]]  # with their kinds


def main() -> None:
    """Measure, print, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("ILLURES_DATA")
    folder = Path(data) / "hdri" if data else None
    parser.add_argument("--hdri", type=Path, default=folder, help="environment maps; default: $ILLURES_DATA/hdri")
    parser.add_argument("--lights", type=int, default=50)
    parser.add_argument("--reference", type=int, default=2048, help="samples a pixel of the reference")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ["OIDN_NUM_THREADS"] = "1"
    kernels.start(threads=1)
    head = people(Recipe(seed=options.seed))(0).head({"jawOpen": 0.3, "mouthSmileLeft": 0.5, "mouthSmileRight": 0.5})
    view = place(head.landmarks, Pose(15, 5, 3, 0.8, (3, -2)), SIZE)
    environments = draw(options.lights, options.hdri, options.seed)
    figures: dict[str, Any] = {"lights": options.lights, "size_px": SIZE, "reference_spp": options.reference}
    bare = replace(head, parts=tuple(part for part in head.parts if part.opacity is None))
    figures |= compare(bare, view, environments, options.reference)
    for name, shown in (("bare", bare), ("dressed", head)):
        figures[f"{name}_head_images_per_s_5_lights_a_view"] = images_per_second(shown, view, environments)
    print(figures)
    record("transport", figures)


def draw(count: int, folder: Path | None, seed: int) -> Environments:
    """Environments of each kind in turn, at mean luminance 1, with their kinds."""
    maps = list(load_hdris(folder).values()) if folder else []
    kinds: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
        "studio": lighting.studio,
        "lamp": lighting.lamp,
        "sky": lighting.sky,
    }
    if maps:
        kinds["hdri"] = lambda rng: lighting.random_turn(rng, maps[rng.integers(len(maps))])
    drawn = []
    for k in range(count):
        kind = list(kinds)[k % len(kinds)]
        radiance = kinds[kind](np.random.default_rng([seed, k]))
        drawn.append((kind, radiance / np.float32(lighting.mean_luminance(radiance))))
    return drawn


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call returns, and its CPU seconds: those of other processes do not count."""
    start = time.process_time()
    return call(), time.process_time() - start


def traced(head: Head, view: View, samples: int) -> Transport:
    """What is done once a view."""
    return Transport(merge(head, view), view, samples)


def lit(transport: Transport, shadow_samples: int, radiance: np.ndarray, _: int) -> Float[np.ndarray, "size size 3"]:
    """What is done for each light; its random numbers are those of the view."""
    return denoised(transport.light(lighting.split(radiance), shadow_samples), transport.guides)


def rendered(
    plain: PlainScene, guides: Guides, samples: int, _: np.ndarray, seed: int
) -> Float[np.ndarray, "size size 3"]:
    """What plain Mitsuba does for each light, which has been set."""
    return denoised(plain.render(samples, seed), guides)


def images_per_second(head: Head, view: View, environments: Environments, count: int = 5) -> float:
    """Of views under `count` lights, at the samples of the recipe; the first of two views compiles."""
    samples, shadow_samples = SETTINGS["recipe"]

    def images() -> None:
        transport = traced(head, view, samples)
        for _, radiance in environments[:count]:
            lit(transport, shadow_samples, radiance, 0)

    images()
    return round(count / timed(images)[1], 2)


def compare(head: Head, view: View, environments: Environments, reference_samples: int) -> dict[str, Any]:
    """Both ways, light by light in turns, so that whatever else the machine does meets both."""
    figures: dict[str, Any] = {"ours": {}, "plain": {}}
    guides = Transport(merge(head, view), view, 256, depth=0).guides
    plain = PlainScene(merge(head, view), view)
    methods: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {}
    for samples in PLAIN_SAMPLES:
        methods[f"plain {samples}"] = partial(rendered, plain, guides, samples)
        rendered(plain, guides, samples, environments[0][1], 0)  # compiles
    for name, (samples, shadow_samples) in SETTINGS.items():
        traced(head, view, samples)  # compiles
        transport, seconds = timed(partial(traced, head, view, samples))
        methods[name] = partial(lit, transport, shadow_samples)
        for _, radiance in environments[:4]:  # compiles, with lamps and without
            methods[name](radiance, 0)
        figures["ours"][name] = {"samples": samples, "shadow_samples": shadow_samples, "s_once": round(seconds, 3)}
    results: dict[str, list[Result]] = {name: [] for name in methods}
    for k, (kind, radiance) in enumerate(environments):
        plain.set_light(radiance)
        judge = Judge(denoised(plain.render(reference_samples, seed=1), guides), guides)
        for name, method in methods.items():
            image, seconds = timed(partial(method, radiance, k + 2))
            results[name].append(Result(kind, seconds, judge.psnr(image)))
        print(
            k,
            kind,
            {name: (round(r[-1].seconds, 3), round(r[-1].psnr["all"], 1)) for name, r in results.items()},
            flush=True,
        )
    for samples in PLAIN_SAMPLES:
        figures["plain"][f"{samples} spp"] = summary(results[f"plain {samples}"])
    for name in SETTINGS:
        figures["ours"][name] |= summary(results[name])
        figures["ours"][name] |= cheaper(figures["ours"][name], figures["plain"])
    return figures


class Judge:
    """Compares images with a reference.

    Args:
        reference: linear.
        guides: of the view.
    """

    def __init__(self, reference: Float[np.ndarray, "size size 3"], guides: Guides) -> None:
        """Find exposure and regions."""
        self._gain = EXPOSURE / float(luminance(reference[guides.mask]).mean())
        self._reference = reference
        inside = guides.coverage > 0.999
        shading = np.log(luminance(reference) / np.maximum(luminance(guides.albedo), 0.02) * self._gain + 0.01)
        slope = np.hypot(*np.gradient(shading))
        bright = luminance(reference)
        self._regions = {
            "all": guides.coverage > 0,
            "highlights": inside & (bright > np.quantile(bright[inside], 0.97)),
            "shadow edges": inside & (slope > np.quantile(slope[inside], 0.9)),
        }

    def psnr(self, image: Float[np.ndarray, "size size 3"]) -> dict[str, float]:
        """By region [dB], sRGB-encoded; "linear" over all, not encoded."""
        seen, true = (np.clip(x * self._gain, 0, 1) for x in (image, self._reference))
        error = (linear_to_srgb(seen) - linear_to_srgb(true)) ** 2
        errors = {name: error[region] for name, region in self._regions.items()}
        errors["linear"] = ((seen - true) ** 2)[self._regions["all"]]
        return {name: -10 * float(np.log10(np.mean(values))) for name, values in errors.items()}


@dataclass(frozen=True)
class Result:
    """Of one method under one light."""

    kind: str
    seconds: float
    psnr: dict[str, float]


def summary(results: list[Result]) -> dict[str, Any]:
    """Median seconds; median and least PSNR by region, and of the whole image by kind of light."""
    psnr = {region: spread([r.psnr[region] for r in results]) for region in results[0].psnr}
    for kind in dict.fromkeys(r.kind for r in results):
        psnr[kind] = spread([r.psnr["all"] for r in results if r.kind == kind])
    return {"s_a_light": round(statistics.median(r.seconds for r in results), 4), "psnr_db": psnr}


def spread(values: list[float]) -> dict[str, float]:
    """Median and minimum."""
    return {"median": round(statistics.median(values), 2), "min": round(min(values), 2)}


def cheaper(ours: dict[str, Any], plain: dict[str, Any]) -> dict[str, Any]:
    """How often one more light of ours goes into one of plain Mitsuba at the most samples whose PSNR is no better."""
    quality = ours["psnr_db"]["all"]["median"]
    worse = [name for name, of in plain.items() if of["psnr_db"]["all"]["median"] <= quality]
    ratios = {name: round(of["s_a_light"] / ours["s_a_light"], 1) for name, of in plain.items()}
    at = worse[-1] if worse else None
    return {"times_cheaper": ratios, "equal_quality": at, "times_cheaper_at_equal_quality": at and ratios[at]}


if __name__ == "__main__":
    main()

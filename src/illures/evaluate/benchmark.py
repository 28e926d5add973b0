"""The data types of `illures evaluate`: items of benchmarks, estimates of methods, scores.

A benchmark is a list of groups (subjects, clips); a group is a stream of items (photos). A run is

    for group in benchmark.groups:
        scores = []
        for item in benchmark.items(group):             # an Item, or a Failure to list
            estimate = method.estimate(query)
            scores.append(benchmark.score(item, estimate))
        figures of the group = benchmark.summarise(scores)

Groups are independent of each other and always in the same order, so a resumed run skips finished groups. An
interrupted group starts again, as some figures (drift, flicker) need all of its images at once. To add a benchmark,
write one file with a function `load(path, **options) -> Benchmark` and add a line to `BENCHMARKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from illures.errors import InputError, nearest
from illures.types import Face


@dataclass(frozen=True)
class Target:
    """A real photo of the same face, pixel for pixel, under another known light.

    Attributes:
        id: of the item that shows it.
        light: SH coefficients of its radiance (`math.sh` layout); the input of a relighting method.
        photo: sRGB-encoded, in [0, 1].
    """

    id: str
    light: Float[np.ndarray, "9 3"]
    photo: Float[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class Truth:
    """Ground truth of an item; None where unknown. Methods never see this.

    Attributes:
        mask: the pixels that count.
        normal: camera frame.
        albedo: linear, up to a scale unless the benchmark states otherwise.
        light: SH coefficients.
        residual: linear, signed.
        targets: for relighting.
    """

    mask: Bool[np.ndarray, "height width"]
    normal: Float[np.ndarray, "height width 3"] | None = None
    albedo: Float[np.ndarray, "height width 3"] | None = None
    light: Float[np.ndarray, "9 3"] | None = None
    residual: Float[np.ndarray, "height width 3"] | None = None
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True)
class Item:
    """One photo of a benchmark.

    Attributes:
        id: unique within the benchmark, such as "B02/natural/3".
        group: the subject or clip; the unit of the bootstrap.
        photo: sRGB-encoded, in [0, 1].
        face: the alignment, available to every method; its landmarks may come from another photo of the same pose.
        truth: only for scoring and for pictures.
        tags: for breaking down results: numbers such as "light_deg" (angle of the light off the camera's axis),
            words such as "tone" (ITA group) or "subset".
    """

    id: str
    group: str
    photo: Float[np.ndarray, "height width 3"]
    face: Face
    truth: Truth
    tags: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """An item that could not be read or estimated. It is listed and counted, never silently dropped."""

    id: str
    group: str
    message: str


@dataclass(frozen=True)
class Estimate:
    """The result of a method for a photo, at the photo's pixels; None for what it does not estimate.

    Attributes:
        normal: unit vectors, camera frame, upright as the photo; NaN where the method has no estimate.
        albedo: linear, up to a scale; NaN where the method has no estimate.
        light: SH coefficients of the radiance (`math.sh` layout), in the photo's frame, up to a scale.
        residual: linear, signed, at the scale of the photo.
        shading: f(N, L) as stored by the method; None if it follows from normal and light.
        mask: face mask of the method, in [0, 1]; None if it marks other pixels by NaN.
        relight: function from an SH light to the linear image under it, up to one scale.
    """

    normal: Float[np.ndarray, "height width 3"] | None = None
    albedo: Float[np.ndarray, "height width 3"] | None = None
    light: Float[np.ndarray, "9 3"] | None = None
    residual: Float[np.ndarray, "height width 3"] | None = None
    shading: Float[np.ndarray, "height width 3"] | None = None
    mask: Float[np.ndarray, "height width"] | None = None
    relight: Callable[[np.ndarray], np.ndarray] | None = None


@dataclass(frozen=True)
class Score:
    """The figures of one item.

    Attributes:
        figures: by name (see `FIGURES`); figures that need maps which the method or the truth lacks are absent.
        pixels: number of pixels: the weight of this item in means over pixels.
        histogram: counts of angular errors of normals in bins of one degree from 0 to 180, or None.
        kept: data for `summarise`; not written to disk.
    """

    figures: dict[str, float]
    pixels: int
    histogram: Int[np.ndarray, "180"] | None = None
    kept: Any = None


@runtime_checkable
class Benchmark(Protocol):
    """See the module's docstring.

    Attributes:
        name: as in `BENCHMARKS`.
        groups: their names, in the order of a run.
        size: number of items, or None if only known after a run.
    """

    name: str
    groups: tuple[str, ...]
    size: int | None

    def items(self, group: str) -> Iterator[Item | Failure]:
        """The items of a group, read as they are asked for, always in the same order.

        Raises:
            InputError: a file of this group is missing or broken.
        """
        ...

    def score(self, item: Item, estimate: Estimate) -> Score:
        """Compare an estimate with the item's truth. Items may come in any order."""
        ...

    def summarise(self, scores: Sequence[Score]) -> dict[str, float]:
        """Figures of one group that need several of its items, from their scores in the order of the items."""
        ...


@dataclass(frozen=True)
class Figure:
    """Definition of a figure.

    Attributes:
        text: for headings and docs: unit, what is aligned first or free, and which pixels count.
        better: which direction is better.
        pooled: means over items are weighted by `Score.pixels` (else all items count equally).
    """

    text: str
    better: Literal["lower", "higher", "zero"] = "lower"
    pooled: bool = True


_SCALE_FREE = "relative RMSE after the best scale"
FIGURES: dict[str, Figure] = {
    "normal_deg": Figure("mean angle between normals [deg]"),
    "normal_median_deg": Figure("median angle between normals [deg]", pooled=False),
    "normal_below_20_pct": Figure("pixels with an angle below 20 deg [%]", "higher"),
    "normal_below_25_pct": Figure("pixels with an angle below 25 deg [%]", "higher"),
    "normal_below_30_pct": Figure("pixels with an angle below 30 deg [%]", "higher"),
    "normal_untilted_deg": Figure("mean angle after the best rotation of the whole map [deg]"),
    "normal_relief_deg": Figure("mean angle after the best rotation and flattening of the whole map [deg]"),
    "normal_eyes_deg": Figure("mean angle in boxes around the eyes [deg]"),
    "normal_gradient_corr": Figure("correlation of the gradients of normals with the truth's", "higher"),
    "coverage_pct": Figure("pixels that the method counts as face; the others are scored as they are [%]", "higher"),
    "albedo_rel": Figure(f"linear albedo, {_SCALE_FREE}"),
    "albedo_corr": Figure("correlation of log albedo with the truth's; a constant has 0", "higher"),
    "albedo_gradient_corr": Figure("the same of the gradients of log albedo", "higher"),
    "colour_kept": Figure(
        "spread of log chromaticity of albedo less that of the photo; 0 keeps all colour detail, a constant none"
    ),
    "albedo_drift_rel": Figure("change of the albedo of one face between images: relative RMSE to their mean"),
    "albedo_drift_contrast": Figure(
        "change of the albedo of one face between pairs of images over its own contrast; a constant has 1"
    ),
    "normal_drift_deg": Figure("change of the normals of one face between images: mean angle to their mean [deg]"),
    "light_deg": Figure("angle between the dominant directions of the lights [deg]", pooled=False),
    "light_sh_rel": Figure("SH coefficients, relative error after the best scale", pooled=False),
    "light_shading_rel": Figure(f"shading that the light gives to the true normals, {_SCALE_FREE}"),
    "shading_rel": Figure(f"shading f(N, L) of the estimate against that of the truth, {_SCALE_FREE}"),
    "residual_mae": Figure("residual, mean absolute error [linear, photo's white = 1]"),
    "ita_error_deg": Figure("skin tone: |ITA of the median albedo - the truth's|, absolute scale [deg]", pooled=False),
    "ita_bias_deg": Figure("the same, signed: above 0 is too light [deg]", "zero", pooled=False),
    "relit_psnr_db": Figure("relit against the real photo, sRGB, best scale [dB]", "higher", pooled=False),
    "relit_ssim": Figure("relit against the real photo, sRGB, best scale", "higher", pooled=False),
    "relit_si_mse": Figure("relit against the real photo, linear, best scale, over the photo's mean square"),
    "relit_lpips": Figure("relit against the real photo, AlexNet LPIPS", pooled=False),
    "recon_l1": Figure("A f(N, L) + R against the photo, sRGB, mean absolute difference in [0, 1]"),
    "recon_lpips": Figure("A f(N, L) + R against the photo, AlexNet LPIPS", pooled=False),
    "residual_energy_pct": Figure("share of the linear image's energy that is left to R [%]"),
    "albedo_flicker_rel": Figure("high-frequency temporal part of the aligned albedo, relative RMS"),
    "albedo_flicker_contrast": Figure("the same over the albedo's own contrast; a constant has 1"),
    "albedo_detail_corr": Figure(
        "correlation of the gradients of log albedo with those of the frame; a constant has 0", "higher"
    ),
}

# To add a benchmark, add its file and a line here. Modules are imported on demand.
BENCHMARKS: dict[str, str] = {
    name: f"illures.evaluate.benchmarks.{name}"
    for name in ("photoface", "yaleb", "synthetic", "scan", "video", "photos")
}


def load_benchmark(name: str, path: Path, **options: Any) -> Benchmark:
    """Open a benchmark on a user's folder; `options` are those of the `load` function of its module.

    Raises:
        InputError: the name is unknown, or the folder does not hold what the benchmark reads.
    """
    if name not in BENCHMARKS:
        raise InputError(f"benchmark {name!r}: must be one of {', '.join(BENCHMARKS)}{nearest(name, BENCHMARKS)}")
    if not path.is_dir():
        raise InputError(f"{path}: no such folder")
    benchmark: Benchmark = import_module(BENCHMARKS[name]).load(path, **options)
    return benchmark

"""Small pictures of items and estimates, for the report: input, output and error."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from illures.evaluate.benchmark import Estimate, Item
from illures.evaluate.compare import is_better
from illures.evaluate.metrics import fill_normals, normal_errors_deg
from illures.evaluate.results import Results, file_name
from illures.io.files import check_writable, write_whole
from illures.math.color import best_scale, linear_to_srgb, srgb_to_linear
from illures.math.normals import encode

HEIGHT = 128  # px
ERROR_FULL_DEG = 45.0  # the brightest colour of error maps
_MARGIN = 0.08  # around the mask, of its sides
_OUTSIDE = 0.3  # brightness of maps outside the mask
_GREY = 0.35  # displayed linear mean of albedo without truth
# Figures for sorting items: the first that the main method has.
_ORDER = ("normal_deg", "albedo_rel", "recon_lpips", "recon_l1")
TRUTH = "truth"


def choose(results: Results, count: int) -> list[tuple[str, str, str]]:
    """Items to show, worst first, evenly from the worst to the best: id, group, and the figure in words."""
    figure = next((name for name in _ORDER if any(name in row.figures for row in results.scored)), None)
    if figure is None or count < 1:
        return []
    rows = sorted((row for row in results.scored if figure in row.figures), key=lambda row: row.figures[figure])
    if is_better(figure, rows[0].figures[figure], rows[-1].figures[figure]):
        rows.reverse()
    picked = np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int))
    return [(rows[k].id, rows[k].group, f"{figure} {rows[k].figures[figure]:.3g}") for k in picked]


def write_pictures(folder: Path, shown: Iterable[tuple[Item, Mapping[str, Estimate]]]) -> None:
    """FOLDER/ITEM/METHOD.WHAT.webp, where METHOD may be `truth`.

    Raises:
        InputError: one can't be written.
    """
    for item, estimates in shown:
        target = folder / file_name(item.id)
        check_writable(target)
        tiles = {f"{TRUTH}.{what}": tile for what, tile in of_truth(item).items()}
        for name, estimate in estimates.items():
            tiles |= {f"{file_name(name)}.{what}": tile for what, tile in of_estimate(item, estimate).items()}
        for name, tile in tiles.items():
            write_whole(target / f"{name}.webp", _webp(tile))


def of_truth(item: Item) -> dict[str, UInt8[np.ndarray, "h w 3"]]:
    """input, normal, albedo, relit (the first real photo under another light): as far as available."""
    truth, mask = item.truth, item.truth.mask
    tiles = {"input": _tile(item.photo, mask, dim=False)}
    if truth.normal is not None:
        tiles["normal"] = _tile(encode(truth.normal), mask)
    if truth.albedo is not None:
        tiles["albedo"] = _tile(_shown(_levelled(truth.albedo, mask)), mask)
    if truth.targets:
        tiles["relit"] = _tile(truth.targets[0].photo, mask, dim=False)
    return tiles


def of_estimate(item: Item, estimate: Estimate) -> dict[str, UInt8[np.ndarray, "h w 3"]]:
    """normal, error (angle of the normals), albedo, relit, residual: as far as the method gives them."""
    truth, mask = item.truth, item.truth.mask
    tiles = {}
    if estimate.normal is not None:
        points, missing = fill_normals(estimate.normal.reshape(-1, 3))
        normal = points.reshape(item.photo.shape)
        shown = np.where(missing.reshape(mask.shape)[..., None], 0.5, encode(normal))
        tiles["normal"] = _tile(shown, mask)
        if truth.normal is not None:
            tiles["error"] = _tile(_heat(normal_errors_deg(points, truth.normal.reshape(-1, 3)), mask), mask)
    if estimate.albedo is not None:
        reference = None if truth.albedo is None else _levelled(truth.albedo, mask)
        tiles["albedo"] = _tile(_shown(_levelled(estimate.albedo, mask, reference)), mask)
    if estimate.relight is not None and truth.targets:
        target = truth.targets[0]
        relit = np.nan_to_num(estimate.relight(target.light))
        true = srgb_to_linear(target.photo.astype(np.float32))
        tiles["relit"] = _tile(_shown(relit * best_scale(relit[mask], true[mask])), mask, dim=False)
    if estimate.residual is not None:
        tiles["residual"] = _tile(np.clip(0.5 + np.nan_to_num(estimate.residual), 0, 1), mask)
    return tiles


def error_color(degrees: Float[np.ndarray, " points"]) -> UInt8[np.ndarray, "points 3"]:
    """Black through violet and orange to pale yellow at `ERROR_FULL_DEG`."""
    codes = np.round(255 * np.clip(degrees / ERROR_FULL_DEG, 0, 1)).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(codes.reshape(-1, 1), cv2.COLORMAP_INFERNO)[:, 0, ::-1])


def _heat(degrees: np.ndarray, mask: Bool[np.ndarray, "height width"]) -> Float[np.ndarray, "height width 3"]:
    colors = error_color(np.nan_to_num(degrees)).reshape(*mask.shape, 3) / np.float32(255)
    return np.where(mask[..., None], colors, np.float32(0))


def _levelled(
    albedo: Float[np.ndarray, "height width 3"],
    mask: Bool[np.ndarray, "height width"],
    reference: Float[np.ndarray, "height width 3"] | None = None,
) -> Float[np.ndarray, "height width 3"]:
    """Albedo scaled to the reference, or to a mean grey, as its scale is free."""
    values = np.nan_to_num(albedo.astype(np.float32))
    if not mask.any():
        return values
    if reference is not None:
        return values * np.float32(best_scale(values[mask], reference[mask]))
    return values * np.float32(_GREY / max(float(values[mask].mean()), 1e-6))


def _shown(linear: np.ndarray) -> np.ndarray:
    return np.asarray(linear_to_srgb(np.clip(linear, 0, 1)))


def _tile(srgb: np.ndarray, mask: Bool[np.ndarray, "height width"], dim: bool = True) -> UInt8[np.ndarray, "h w 3"]:
    """Cut to the mask with a margin, `HEIGHT` pixels high."""
    shown = np.clip(srgb, 0, 1).astype(np.float32)
    if dim:
        shown = np.where(mask[..., None], shown, shown * _OUTSIDE)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows):
        (top, bottom), (left, right) = (
            (max(0, int(found[0] - _MARGIN * len(found))), min(size, int(found[-1] + 1 + _MARGIN * len(found))))
            for found, size in ((rows, mask.shape[0]), (columns, mask.shape[1]))
        )
        shown = shown[top:bottom, left:right]
    width = max(1, round(shown.shape[1] * HEIGHT / shown.shape[0]))
    method = cv2.INTER_AREA if shown.shape[0] > HEIGHT else cv2.INTER_LINEAR
    return np.round(255 * cv2.resize(np.ascontiguousarray(shown), (width, HEIGHT), interpolation=method)).astype(
        np.uint8
    )


def _webp(tile: UInt8[np.ndarray, "h w 3"]) -> bytes:
    data = io.BytesIO()
    Image.fromarray(tile).save(data, "WEBP", quality=82, method=4)
    return data.getvalue()


def error_scale() -> bytes:
    """The colours of error maps from 0 to `ERROR_FULL_DEG`, left to right, as a picture file."""
    row = error_color(np.linspace(0, ERROR_FULL_DEG, 256))
    return _webp(np.repeat(row[None], 12, axis=0))

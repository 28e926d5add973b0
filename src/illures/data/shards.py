"""WebDataset tars of views: what the camera saw under several lights, and everything that made it.

A view is one WebDataset sample `<key>.*` with

- `albedo.webp` 8-bit sRGB, lossless; `mask.png` 8-bit, 0 or 255;
- `normal.png`, 16-bit, (n + 1) / 2 in steps of 1 / 2047 (0.06 degrees), 0 where there is no surface;
- `image<k>.png`, 16-bit, the sRGB curve over linear / 8 (so that highlights up to 8 survive) in steps of 1 / 2047, at
  skin's brightness three times as fine as 8 bits over 1;
- `region.png`, 8-bit, numbers of `types.Region`;
- `context<k>.png`, 8-bit, the surroundings of image k without the person (`faces.context`), the sRGB curve over
  linear / 4;
- `landmarks.npy`, float32 [478, 3];
- `json` with ids and seed, and the SH light of each image.

What follows from these exactly is not stored but made when a shard is read: the residual, image - albedo ∘ f(normal,
light); the contour; and in sets without global illumination the image, albedo ∘ f(normal, light). Equal views give
equal bytes.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8, UInt16

from illures.data.context import CONTEXT_RANGE
from illures.data.tarfiles import decoded_pixels, encoded_array, encoded_pixels, read_samples, tar_bytes
from illures.errors import InputError
from illures.faces.contour import draw_contour, points68
from illures.io.decoding import parse_json
from illures.io.files import write_whole
from illures.math.color import linear_to_srgb, srgb_to_linear
from illures.math.normals import decode, encode
from illures.render import render
from illures.types import Sample

IMAGE_RANGE = 8.0  # largest linear value an image file holds
_BITS = 11  # of 16: finer than the noise of the renders, two thirds of the bytes
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 4, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_FILTERED]
_FRAME = "line of sight"  # of normals and lights, see `View.to_crop_frame`; older shards have the rolled camera's
_LOSSLESS = [cv2.IMWRITE_WEBP_QUALITY, 101]


@dataclass(frozen=True)
class ViewRecord:
    """One view under several lights; see `types.Sample` for ranges.

    Attributes:
        region: numbers of `types.Region`.
        images: one a light; none without global illumination.
        lights, lightings: SH coefficients and ids of the lights; there may be none.
        recipe: of the generator, to tell sets apart.
        contexts: the surroundings of each image (`data.context`); none where they are not known.
    """

    albedo: Float[np.ndarray, "size size 3"]
    normal: Float[np.ndarray, "size size 3"]
    mask: Bool[np.ndarray, "size size"]
    region: UInt8[np.ndarray, "size size"]
    landmarks: Float[np.ndarray, "478 3"]
    images: tuple[Float[np.ndarray, "size size 3"], ...]
    lights: tuple[Float[np.ndarray, "9 3"], ...]
    lightings: tuple[int, ...]
    identity: int
    expression: int
    pose: int
    seed: int
    recipe: str = ""
    contexts: tuple[Float[np.ndarray, "wide wide 3"], ...] = ()


def shard_bytes(views: Iterable[tuple[str, ViewRecord]]) -> bytes:
    """A tar of keyed views."""
    return tar_bytes((f"{key}.{name}", data) for key, view in views for name, data in _files(view))


def write_shard(path: Path, views: Iterable[tuple[str, ViewRecord]]) -> None:
    """Write keyed views to a tar: all of it or, if anything fails, nothing.

    Raises:
        InputError: the file can't be written.
    """
    write_whole(path, shard_bytes(views))


def shard_paths(folder: Path) -> list[Path]:
    """The finished shards of a folder, in order.

    Raises:
        InputError: there is none.
    """
    paths = sorted(folder.glob("*.tar"))
    if not paths:
        raise InputError(f"{folder}: holds no .tar shards")
    return paths


def name_of(folder: Path) -> str:
    """The name of a folder that may be given as "." or by a link, which is not followed: it may lead to itself."""
    return os.path.basename(os.path.abspath(folder))


def read_views(paths: Iterable[Path]) -> Iterator[ViewRecord]:
    """The views of shards, in order.

    Raises:
        InputError: a file is not a shard of this format.
    """
    return read_samples(paths, "a shard", _view)


def read_shards(paths: Iterable[Path]) -> Iterator[Sample]:
    """One sample per light of each view; views without lights give none (use `read_views`)."""
    for view in read_views(paths):
        yield from samples(view)


def samples(view: ViewRecord) -> Iterator[Sample]:
    """The view under each of its lights, with image, residual and contour."""
    size = view.albedo.shape[0]
    contour = draw_contour(points68(view.landmarks), size)
    for k, (light, lighting) in enumerate(zip(view.lights, view.lightings, strict=True)):
        local = render(view.albedo, view.normal, light)
        # Shading may be negative where second-order SH rings; a camera sees none of that.
        image = view.images[k] if view.images else np.clip(local, 0, IMAGE_RANGE)
        yield Sample(
            image=image,
            albedo=view.albedo,
            normal=view.normal,
            light=light,
            residual=image - local,
            mask=view.mask,
            region=view.region,
            context=view.contexts[k] if view.contexts else None,
            landmarks=view.landmarks,
            contour=contour,
            identity=view.identity,
            expression=view.expression,
            pose=view.pose,
            lighting=lighting,
            seed=view.seed,
        )


def _files(view: ViewRecord) -> Iterator[tuple[str, bytes]]:
    """Names and contents of a view's files."""
    surface = (np.abs(view.normal).sum(-1, keepdims=True) > 0).astype(np.float32)
    albedo = np.round(255 * linear_to_srgb(np.clip(view.albedo, 0, 1))).astype(np.uint8)
    yield "albedo.webp", encoded_pixels(".webp", albedo, _LOSSLESS)
    # Code 0 cannot come from a unit normal, whose three components are never all -1.
    yield "normal.png", encoded_pixels(".png", _quantized(encode(view.normal) * surface), _PNG)
    yield "mask.png", encoded_pixels(".png", view.mask.astype(np.uint8) * 255, _PNG)
    yield "region.png", encoded_pixels(".png", view.region, _PNG)
    for k, context in enumerate(view.contexts):
        code = linear_to_srgb(np.clip(context / CONTEXT_RANGE, 0, 1))
        yield f"context{k}.png", encoded_pixels(".png", np.round(255 * code).astype(np.uint8), _PNG)
    for k, image in enumerate(view.images):
        code = linear_to_srgb(np.clip(image, 0, IMAGE_RANGE) / IMAGE_RANGE)
        yield f"image{k}.png", encoded_pixels(".png", _quantized(code), _PNG)
    yield "landmarks.npy", encoded_array(view.landmarks.astype(np.float32))
    facts = {
        "images": len(view.images),
        "lights": [_rounded(light, 7) for light in view.lights],
        "lightings": view.lightings,
        "identity": view.identity,
        "expression": view.expression,
        "pose": view.pose,
        "seed": view.seed,
        "recipe": view.recipe,
        "frame": _FRAME,
    }
    yield "json", json.dumps(facts, separators=(",", ":")).encode()


def _view(files: dict[str, bytes]) -> ViewRecord:
    facts = parse_json(files["json"])
    if facts.get("frame") != _FRAME:
        raise ValueError("normals and lights in the camera's frame, not in that of the crop: make the set anew")
    code = _dequantized(files["normal.png"])
    surface = code.max(-1, keepdims=True) > 0
    return ViewRecord(
        albedo=srgb_to_linear(decoded_pixels(files["albedo.webp"]).astype(np.float32) / 255),
        normal=np.where(surface, decode(code), 0).astype(np.float32),
        mask=decoded_pixels(files["mask.png"]) > 127,
        region=decoded_pixels(files["region.png"]),
        landmarks=np.load(io.BytesIO(files["landmarks.npy"]), allow_pickle=False),
        images=tuple(_image(files[f"image{k}.png"]) for k in range(facts["images"])),
        contexts=tuple(
            _context(files[f"context{k}.png"]) for k in range(facts["images"]) if f"context{k}.png" in files
        ),
        lights=tuple(np.array(light, np.float32) for light in facts["lights"]),
        lightings=tuple(facts["lightings"]),
        identity=facts["identity"],
        expression=facts["expression"],
        pose=facts["pose"],
        seed=facts["seed"],
        recipe=facts["recipe"],
    )


def _context(data: bytes) -> Float[np.ndarray, "wide wide 3"]:
    return srgb_to_linear(decoded_pixels(data).astype(np.float32) / 255) * np.float32(CONTEXT_RANGE)


def _image(data: bytes) -> Float[np.ndarray, "size size 3"]:
    return srgb_to_linear(_dequantized(data)) * np.float32(IMAGE_RANGE)


def _quantized(values: Float[np.ndarray, "size size 3"]) -> UInt16[np.ndarray, "size size 3"]:
    """[0, 1] in `_BITS` bits, which stand above zeros so that any reader of 16-bit PNG sees the right brightness."""
    return np.round((2**_BITS - 1) * values).astype(np.uint16) << (16 - _BITS)


def _dequantized(data: bytes) -> Float[np.ndarray, "size size 3"]:
    return (decoded_pixels(data) >> (16 - _BITS)).astype(np.float32) / np.float32(2**_BITS - 1)


def _rounded(values: np.ndarray, digits: int) -> list[list[float]]:
    return np.round(values.astype(np.float64), digits).tolist()

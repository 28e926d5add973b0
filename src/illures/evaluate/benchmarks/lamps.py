"""Relighting against path-traced renders: one person, many lamps, complete ground truth.

A person is rendered under a soft light (the photo) and under lamps from all over the front. The photo, relit to a lamp,
is compared with the render under it: its pixels, where its cast shadows end, and the colour of its skin. All lights are
white, so that relighting must not change the skin's hue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from illures.decompose.decomposition import Decomposition
from illures.faces import crop_face
from illures.io.environment_maps import DIRECTIONS, SOLID_ANGLE
from illures.math.color import best_scale, lab, linear_to_srgb, luminance, srgb_to_linear
from illures.relighting.composite import PhotoRelighter
from illures.relighting.depth import Heights
from illures.relighting.light import Light
from illures.relighting.shadows import Occlusion, from_heights
from illures.relighting.sources import Source
from illures.types import Face, Region

# Share of ambient light: in the photo, and with the lamps.
SOFT, DIM = 0.45, 0.1
# Surfaces with a smaller cosine to the lamp are in attached shadow, where cast shadows are undefined.
_LEAST_FACING = 0.25
# A shadow of fewer pixels of 256 x 256 is a speck.
_LEAST_SHADOW = 30
# Distance if only one of the images has an edge [px].
FARTHEST = 32.0
# Luminance of the colour whose a* and b* are compared.
_GREY = 0.2


@dataclass(frozen=True)
class LampView:
    """A rendered person.

    Attributes:
        albedo, normal: linear; unit vectors, upright.
        region: numbers of `Region`.
        mask: skin, eyes and lips.
        landmarks: in pixels.
        height: of the head without glasses, toward the viewer [px]; NaN where there is nothing.
        glasses: height of the glasses, where they fill a pixel; NaN elsewhere.
        visible: which lamps' middles are seen from each pixel.
        photo: under `soft_light()`, linear.
        images: under each of the lamps, linear.
    """

    albedo: Float[np.ndarray, "size size 3"]
    normal: Float[np.ndarray, "size size 3"]
    region: UInt8[np.ndarray, "size size"]
    mask: Bool[np.ndarray, "size size"]
    landmarks: Float[np.ndarray, "478 3"]
    height: Float[np.ndarray, "size size"]
    glasses: Float[np.ndarray, "size size"]
    visible: Bool[np.ndarray, "lamps size size"]
    photo: Float[np.ndarray, "size size 3"]
    images: Float[np.ndarray, "lamps size size 3"]

    @property
    def head(self) -> Bool[np.ndarray, "size size"]:
        """Skin with hair and beard."""
        others = (Region.BACKGROUND, Region.CLOTHES, Region.OBJECT)
        return np.asarray(~np.isin(self.region, others))

    @property
    def face(self) -> Face:
        """The face, for the decomposer."""
        return Face(self.landmarks.astype(np.float32), 1.0)

    @property
    def srgb(self) -> Float[np.ndarray, "size size 3"]:
        """The photo, sRGB-encoded."""
        return linear_to_srgb(np.clip(self.photo, 0, 1)).astype(np.float32)


@dataclass(frozen=True)
class LampScore:
    """One photo relit to one lamp.

    Attributes:
        psnr_db: over the head, sRGB, after one best scale of linear light.
        edges_px: distances between the edges of cast shadows on skin, both ways; empty if neither image has one.
        colour: ΔE of the chroma plane (a*, b*) between the skin's mean colour before and after.
    """

    psnr_db: float
    edges_px: Float[np.ndarray, " edges"]
    colour: float


def soft_light() -> Light:
    """The light of the photo: a large lamp from the side, and much ambient light."""
    return Light.from_direction(25, 25, ambient=SOFT, radius_deg=30)


def lamps(count: int) -> list[Light]:
    """Lamps from image left to image right, at all heights and of three sizes, each with a little ambient light."""
    heights, radii = (10, 45, -10, 28, 62), (3, 6, 12)
    azimuths = -75 + 150 * (np.arange(count) + 0.5) / count
    return [
        Light.from_direction(float(azimuth), heights[k % 5], ambient=DIM, radius_deg=radii[k % 3])
        for k, azimuth in enumerate(azimuths)
    ]


def environment_of(light: Light) -> Float[np.ndarray, "128 256 3"]:
    """A map of a light whose lamps are discs and whose rest is even."""
    radiance = np.full((*DIRECTIONS.shape[:2], 3), light.ambient[0] / np.sqrt(4 * np.pi), np.float32)
    for lamp in light.lamps:
        angle = np.rad2deg(np.arccos(np.clip(DIRECTIONS @ lamp.direction.astype(np.float32), -1, 1)))
        disc = np.clip((lamp.radius_deg - angle) / 1.4 + 0.5, 0, 1)  # a rim of a texel
        facing = (disc * np.cos(np.deg2rad(np.minimum(angle, 90))) * SOLID_ANGLE).sum() / np.pi
        radiance += disc[..., None] * (lamp.irradiance / facing).astype(np.float32)
    return radiance


def known(view: LampView) -> Decomposition:
    """The ground-truth decomposition of the view, for relighting with perfect maps."""
    size, light = len(view.photo), soft_light().sh.astype(np.float32)
    one_hot = (view.region[..., None] == np.arange(len(Region))).astype(np.float32)
    normal = np.where(np.any(view.normal != 0, axis=-1, keepdims=True), view.normal, np.array([0, 0, 1], np.float32))
    empty = Decomposition(
        image=np.clip(view.photo, 0, 1).astype(np.float32),
        albedo=view.albedo,
        normal=normal.astype(np.float32),
        light=light,
        residual=np.zeros_like(view.photo),
        mask=view.mask.astype(np.float32),
        crop=crop_face(view.face, (size, size), size),
        regions=one_hot,
    )
    return Decomposition(**(vars(empty) | {"residual": empty.image - empty.reconstruct()}))


@dataclass(frozen=True)
class KnownVisibility(Occlusion):
    """An occlusion with the true visibility of some lamps.

    Attributes:
        directions: of the lamps.
        visible: what each lights, from 0 to 1.
    """

    directions: Float[np.ndarray, "lamps 3"]
    visible: Float[np.ndarray, "lamps size size"]

    def shadow(self, direction: Float[np.ndarray, "3"], radius_deg: float) -> Float[np.ndarray, "size size"]:
        """As of the nearest known lamp; the edge is that of its middle."""
        nearest = int(np.argmax(self.directions @ direction))
        return np.asarray(1 - cv2.GaussianBlur(self.visible[nearest], (0, 0), 0.5), np.float32)


def true_depth(view: LampView, normal: Float[np.ndarray, "size size 3"]) -> Occlusion:
    """The occlusion of the render's own height map, at the resolution of `normal`."""
    size, there = len(normal), ~np.isnan(view.height)
    factor = size / len(view.height)
    low = float(np.nanmin(view.height)) - len(view.height)
    height = _resized(np.where(there, view.height, low), size) * np.float32(factor)
    worn = ~np.isnan(view.glasses)
    share = _resized(worn, size)
    glasses = _resized(np.where(worn, view.glasses, 0), size) / np.maximum(share, 0.5) * np.float32(factor)
    seen = Heights(height, np.where(share > 0.5, glasses, np.float32(np.nan)))
    return from_heights(normal, seen, _resized(there, size))


def true_visibility(view: LampView, normal: Float[np.ndarray, "size size 3"], lights: Sequence[Light]) -> Occlusion:
    """The same, with the true visibility of the lamps' centres."""
    visible = np.stack([_resized(field, len(normal)) for field in view.visible])
    directions = np.stack([light.lamps[0].direction for light in lights])
    return KnownVisibility(**vars(true_depth(view, normal)), directions=directions, visible=visible)


def _resized(field: np.ndarray, size: int) -> Float[np.ndarray, "size size"]:
    return np.asarray(cv2.resize(field.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA))


def relit(
    view: LampView,
    face: Decomposition,
    lights: Sequence[Light],
    occlusion: Callable[[Float[np.ndarray, "size size 3"]], Occlusion] | None = None,
) -> list[Float[np.ndarray, "size size 3"]]:
    """The view's photo relit as by `illures relight --light AZ,EL`, linear, up to a scale, without clipping.

    Args:
        view: the person.
        face: the maps to relight with.
        lights: the new lights.
        occlusion: gives for the normals what the head hides; None: the height map of the maps.
    """
    relighter = PhotoRelighter(view.srgb, [face])
    if occlusion is not None:
        surface = relighter.patches[0].surface
        surface = replace(surface, occlusion=occlusion(surface.normal))
        relighter.patches[0] = replace(relighter.patches[0], surface=surface)
    sources = [Source("lamp", light, stops=-1.0, relative=True) for light in lights]
    return [srgb_to_linear(np.asarray(relighter(source.on(face)), np.float32)) for source in sources]


def score(view: LampView, index: int, light: Light, image: Float[np.ndarray, "size size 3"]) -> LampScore:
    """Compare a relit image (linear, up to a scale) with the render under the lamp of that index."""
    truth, head = np.clip(view.images[index], 0, 1), view.head
    scaled = np.clip(image * best_scale(image[head], truth[head]), 0, 1)
    error = np.mean((linear_to_srgb(scaled[head]) - linear_to_srgb(truth[head])) ** 2)
    edges = edge_distances(cast_shadow(view, light, scaled), cast_shadow(view, light, truth))
    return LampScore(float(-10 * np.log10(max(error, 1e-12))), edges, colour_change(view, scaled))


def cast_shadow(
    view: LampView, light: Light, image: Float[np.ndarray, "size size 3"]
) -> tuple[Bool[np.ndarray, "size size"], Bool[np.ndarray, "size size"]]:
    """Mask of cast shadow (skin that faces the lamp has less than half of its light), and where it is defined."""
    lamp, size = light.lamps[0], len(image)
    facing = view.normal @ lamp.direction.astype(np.float32)
    full = DIM + np.clip(facing, 0, None) * float(luminance(lamp.irradiance))
    got = luminance(image) / np.maximum(luminance(view.albedo), 0.01)
    lit = (got - DIM) / np.maximum(full - DIM, 1e-3)
    seen = (view.region == Region.SKIN) & (facing > _LEAST_FACING)
    # Exposure is free: fully lit skin counts as 1.
    lit = lit / max(float(np.quantile(lit[seen], 0.75)), 1e-3) if seen.any() else lit
    lit = cv2.GaussianBlur(lit.astype(np.float32), (0, 0), size / 256)
    return _no_specks((lit < 0.5) & seen, _LEAST_SHADOW * (size / 256) ** 2), seen


def edge_distances(
    found: tuple[Bool[np.ndarray, "size size"], Bool[np.ndarray, "size size"]],
    true: tuple[Bool[np.ndarray, "size size"], Bool[np.ndarray, "size size"]],
) -> Float[np.ndarray, " edges"]:
    """From each edge pixel of either image's shadows to the nearest of the other's [px of 256]."""
    a, b = _edges(*found), _edges(*true)
    factor = 256 / len(a)
    return np.concatenate([_nearest(a, b, factor), _nearest(b, a, factor)])


def colour_change(view: LampView, image: Float[np.ndarray, "size size 3"]) -> float:
    """ΔE of (a*, b*) between the mean colours of the photo's skin and of the image's, at one luminance."""
    skin = (view.region == Region.SKIN) & (view.photo.max(-1) < 0.98) & (image.max(-1) < 0.98)
    before, after = (_chroma(colours[skin].mean(axis=0)) for colours in (view.photo, image))
    return float(np.linalg.norm(after - before))


def _chroma(colour: Float[np.ndarray, "3"]) -> Float[np.ndarray, "2"]:
    return lab(colour.astype(np.float64) * (_GREY / max(float(luminance(colour)), 1e-6)))[1:]


def _edges(shadow: Bool[np.ndarray, "size size"], seen: Bool[np.ndarray, "size size"]) -> Bool[np.ndarray, "size size"]:
    """Shadow pixels next to lit skin; the outline of the skin is no edge."""
    lit = cv2.dilate((seen & ~shadow).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return shadow & lit


def _nearest(a: Bool[np.ndarray, "size size"], b: Bool[np.ndarray, "size size"], factor: float) -> np.ndarray:
    if not b.any():
        return np.full(int(a.sum()), FARTHEST)
    away = cv2.distanceTransform((~b).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.minimum(away[a] * factor, FARTHEST)


def _no_specks(shadow: Bool[np.ndarray, "size size"], least: float) -> Bool[np.ndarray, "size size"]:
    _, label, stats, _ = cv2.connectedComponentsWithStats(shadow.astype(np.uint8), connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= least
    large[0] = False
    return np.asarray(large[label])

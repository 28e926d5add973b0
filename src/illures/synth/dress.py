"""From the vertices of a head model to a head that can be rendered: cut into parts, painted for one person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from illures.synth.paint import Canvas, texture_uv
from illures.synth.skin import eye_strip, face_mask, paint_skin, random_looks
from illures.types import Head, Part

Vertices = Float[np.ndarray, "vertices 3"]
Material = Literal["skin", "eyes", "teeth", "mouth"]
_EYE_STRIP = 0.016  # the strip's columns end this far from the middle of the pupil [m]


@dataclass(frozen=True)
class Cut:
    """The piece of a model's mesh that has one material.

    Attributes:
        material: of the piece.
        vertices: numbers of its vertices in the model.
        triangles: of these vertices, counted within the piece.
        uv: one per vertex, in [0, 1].
    """

    material: Material
    vertices: Int[np.ndarray, " piece"]
    triangles: Int[np.ndarray, "triangles 3"]
    uv: Float[np.ndarray, "piece 2"]


def cut(material: Material, base: Vertices, triangles: Int[np.ndarray, "triangles 3"]) -> Cut:
    """The piece of the base head (head coordinates, m) that these triangles make up."""
    vertices, inverse = np.unique(triangles, return_inverse=True)
    points = base[vertices]
    if material == "skin":
        uv = texture_uv(points)
    elif material == "eyes":
        uv = _eye_uv(points)
    else:
        uv = np.full((len(points), 2), 0.5, np.float32)
    return Cut(material, vertices, inverse.reshape(-1, 3).astype(np.int64), uv)


def split_quads(quads: Int[np.ndarray, "quads 4"]) -> Int[np.ndarray, "triangles 3"]:
    """Two triangles a quad, with its sense of rotation."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def dress(
    cuts: tuple[Cut, ...],
    vertices: Vertices,
    landmarks: Float[np.ndarray, "68 3"],
    canvas: Canvas,
    rng: np.random.Generator,
) -> Head:
    """A head with the skin, hair colour and eyes of the person that the generator draws.

    Args:
        cuts: pieces of the model.
        vertices: of the posed model (head coordinates, m).
        landmarks: of the posed model (head coordinates, m).
        canvas: of the model's base head.
        rng: seeded by the person alone.
    """
    looks = random_looks(rng)
    skin, eyes = paint_skin(canvas, looks, rng), eye_strip(rng)
    tooth = np.array([0.5, 0.45, 0.38]) * rng.uniform(0.6, 1)
    gloss, shine = float(rng.uniform(0.28, 0.5)), float(rng.uniform(0.2, 0.7))
    face, outside = face_mask(canvas), np.zeros((2, 2), np.float32)
    paint = {
        "skin": (skin, face, gloss, shine),
        "eyes": (eyes, np.ones((2, 2), np.float32), 0.12, 0.6),
        "teeth": (_plain(tooth), outside, 0.25, 0.6),
        "mouth": (_plain(np.array([0.12, 0.03, 0.03])), outside, 0.4, 0.4),
    }
    parts = []
    for piece in cuts:
        albedo, mask, roughness, specular = paint[piece.material]
        points = vertices[piece.vertices].astype(np.float32)
        part = Part(piece.material, points, piece.triangles, piece.uv, albedo, mask, None, roughness, specular)
        parts.append(part)
    return Head(tuple(parts), landmarks.astype(np.float32))


def _plain(colour: Float[np.ndarray, "3"]) -> Float[np.ndarray, "2 2 3"]:
    return np.tile(colour.astype(np.float32), (2, 2, 1))


def _eye_uv(points: Vertices) -> Float[np.ndarray, "vertices 2"]:
    """Distance from the axis of the eyeball, which looks ahead in a base head, along the strip of `eye_strip`."""
    uv = np.full((len(points), 2), 0.5, np.float32)
    for side in (points[:, 0] < 0, points[:, 0] >= 0):
        eye = points[side]
        middle = (eye.min(0) + eye.max(0)) / 2
        radius = np.linalg.norm(eye[:, :2] - middle[:2], axis=1)
        behind = eye[:, 2] < middle[2]
        uv[side, 0] = np.clip(np.where(behind, 1.0, radius / _EYE_STRIP), 0.005, 0.995)
    return uv

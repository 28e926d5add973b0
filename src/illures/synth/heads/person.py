"""From the vertices of a head model to a head for rendering: split into parts, painted for one person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, UInt8

from illures.math.color import luminance
from illures.synth.accessories.outfit import Accessories, random_accessories, random_occluder
from illures.synth.accessories.primitives import plain_region
from illures.synth.heads.embedding import Embedding
from illures.synth.heads.expressions import Weights
from illures.synth.skin.procedural import eye_strip, face_mask, paint_skin, random_looks
from illures.synth.skin.texture_styles import stylized
from illures.synth.skin.uv_painting import Canvas, texture_uv
from illures.types import Head, Part, Region

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


@dataclass(frozen=True)
class Anatomy:
    """Properties shared by all heads of a model.

    Attributes:
        cuts: pieces of its mesh, one a material.
        points68: vertices at the 68 landmarks (iBUG order).
        embedding: where the 478 landmarks of photos lie in its surface.
        canvas: the unrolled skin of its base head.
    """

    cuts: tuple[Cut, ...]
    points68: Int[np.ndarray, "68"]
    embedding: Embedding
    canvas: Canvas


# Vertices of one person's head (head coordinates, m) with an expression.
Shape = Callable[[Weights], Vertices]


@dataclass(frozen=True)
class Paint:
    """Appearance of a piece: the fields of `types.Part` besides the mesh."""

    albedo: Float[np.ndarray, "rows columns 3"]
    mask: Float[np.ndarray, "rows2 columns2"]
    bump: Float[np.ndarray, "rows3 columns3"] | None = None
    roughness: float = 0.4
    specular: float = 0.3
    region: UInt8[np.ndarray, "rows4 columns4"] = field(default_factory=lambda: plain_region(Region.SKIN))


@dataclass(frozen=True)
class Person:
    """One person with a fixed shape, skin and accessories; the expression is chosen by `head`.

    Attributes:
        anatomy: of the model.
        shape: of this person.
        paints: look of each piece of the anatomy.
        accessories: hair, glasses, hat, eyelashes.
        skin: log albedo of the skin without its spots.
        tone: mean luminance of the albedo of the face.
    """

    anatomy: Anatomy
    shape: Shape
    paints: tuple[Paint, ...]
    accessories: Accessories
    skin: Float[np.ndarray, "3"]
    tone: float

    def head(self, expression: Weights, occluders: np.random.Generator | None = None) -> Head:
        """The head with an expression; `occluders` draws a hand or an object before it."""
        vertices = self.shape(expression)
        parts = [
            Part(
                name=piece.material,
                vertices=vertices[piece.vertices].astype(np.float32),
                triangles=piece.triangles,
                uv=piece.uv,
                **vars(paint),
            )
            for piece, paint in zip(self.anatomy.cuts, self.paints, strict=True)
        ]
        points = vertices[self.anatomy.points68].astype(np.float32)
        skin = next(part for part in parts if part.name == "skin")
        parts += self.accessories.parts(skin, points)
        if occluders is not None:
            parts += random_occluder(occluders, points, self.skin)
        return Head(tuple(parts), self.anatomy.embedding.points(vertices).astype(np.float32))

    def without_glasses(self) -> Person:
        """The same person with the glasses taken off."""
        return replace(self, accessories=replace(self.accessories, glasses=None))


def make_person(
    anatomy: Anatomy, shape: Shape, rng: np.random.Generator, accessories: float = 1.0, style: int | None = None
) -> Person:
    """A person of this shape with the skin, hair and eyes that the generator draws.

    Args:
        anatomy: of the model.
        shape: of the person.
        rng: seeded by the person alone.
        accessories: chance that hair, glasses and hats may be worn at all.
        style: texture style laid over the albedo (see `texture_styles`), or None.
    """
    looks = random_looks(rng)
    skin, eyes = paint_skin(anatomy.canvas, looks, rng), eye_strip(rng, looks.melanin)
    albedo = skin.albedo if style is None else stylized(skin.albedo, style, anatomy.canvas)
    tooth = np.array([0.5, 0.45, 0.38]) * rng.uniform(0.6, 1)
    face, outside, inside = face_mask(anatomy.canvas), np.zeros((2, 2), np.float32), np.ones((2, 2), np.float32)
    paints = {
        "skin": Paint(albedo, face, skin.bump, skin.roughness, skin.specular, skin.region),
        "eyes": Paint(eyes, inside, None, 0.12, 0.6, plain_region(Region.EYES)),
        "teeth": Paint(_plain(tooth), outside, None, 0.25, 0.6, plain_region(Region.MOUTH)),
        "mouth": Paint(_plain(np.array([0.12, 0.03, 0.03])), outside, None, 0.4, 0.4, plain_region(Region.MOUTH)),
    }
    worn = random_accessories(rng, looks.hair, accessories)
    tone = float(luminance(albedo[face > 0.5]).mean())
    return Person(anatomy, shape, tuple(paints[piece.material] for piece in anatomy.cuts), worn, looks.skin, tone)


def _plain(colour: Float[np.ndarray, "3"]) -> Float[np.ndarray, "2 2 3"]:
    return np.tile(colour.astype(np.float32), (2, 2, 1))


def _eye_uv(points: Vertices) -> Float[np.ndarray, "vertices 2"]:
    """Distance from the axis of the eyeball, which looks along +z in a base head, along the strip of `eye_strip`."""
    uv = np.full((len(points), 2), 0.5, np.float32)
    for side in (points[:, 0] < 0, points[:, 0] >= 0):
        eye = points[side]
        middle = (eye.min(0) + eye.max(0)) / 2
        radius = np.linalg.norm(eye[:, :2] - middle[:2], axis=1)
        behind = eye[:, 2] < middle[2]
        uv[side, 0] = np.clip(np.where(behind, 1.0, radius / _EYE_STRIP), 0.005, 0.995)
    return uv

"""The dataclasses that the stages exchange: frozen, with array shapes in the types.

Convention: maps are numpy float32, channel last, row 0 at the top. Pixel coordinates are (x right, y down) with
pixel centres at integers, as in OpenCV. Directions are in the camera frame: x right, y up, z toward the viewer.
Colours are linear unless a name says `srgb`. See docs/conventions.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8


class Region(IntEnum):
    """What a pixel shows; the numbers are those of label maps and of the network's classes."""

    BACKGROUND = 0
    SKIN = 1  # face, ears and neck
    LIPS = 2
    FACIAL_HAIR = 3  # brows and beard
    EYES = 4  # with lashes
    MOUTH = 5  # its inside, with teeth
    HAIR = 6
    GLASSES = 7
    OBJECT = 8  # hands and things before the face
    CLOTHES = 9  # hats and scarves, too


@dataclass(frozen=True)
class Face:
    """One face found in a photo.

    Attributes:
        landmarks: the 478 points of the MediaPipe face mesh: x, y in photo pixels, z in pixels toward the viewer
            with an arbitrary origin (weak perspective, so that the three axes share one scale).
        score: confidence that this is a face, in [0, 1].
    """

    landmarks: Float[np.ndarray, "478 3"]
    score: float


@dataclass(frozen=True)
class FaceCrop:
    """Where an aligned square crop lies in its photo: the transform between the two, and its inverse.

    Attributes:
        matrix: similarity (rotation, uniform scale, shift) that takes photo pixels to crop pixels.
        size: side of the crop [px].
        photo_size: (height, width) of the photo [px].
        face: the face that the crop shows.
    """

    matrix: Float[np.ndarray, "2 3"]
    size: int
    photo_size: tuple[int, int]
    face: Face


@dataclass(frozen=True)
class Sample:
    """One training image with its ground truth: `image = albedo ∘ f(normal, light) + residual`.

    Attributes:
        image: what the camera saw, I_g, linear, not clipped above 1 (exposure puts skin near 0.2 to 0.6).
        albedo: A in [0, 1].
        normal: N, unit vectors; zero where there is no surface.
        light: L, SH coefficients of the radiance of the environment (see `math.sh`).
        residual: R = I_g - A ∘ f(N, L), signed.
        mask: face skin with eyes and lips, without hair, background and inner mouth.
        region: numbers of `Region`: the class that covers most of each pixel.
        context: surroundings of the crop without the person, or None (see `data.context`).
        landmarks: x, y in pixels of this image, z in pixels toward the viewer: the 478 points of the MediaPipe mesh, as
            on photos.
        contour: C, the landmarks' polylines as an image (see `faces.draw_contour`).
        identity, expression, pose, lighting: ids within the set; equal ids mean the same thing.
        seed: reproduces this sample.
    """

    image: Float[np.ndarray, "height width 3"]
    albedo: Float[np.ndarray, "height width 3"]
    normal: Float[np.ndarray, "height width 3"]
    light: Float[np.ndarray, "9 3"]
    residual: Float[np.ndarray, "height width 3"]
    mask: Bool[np.ndarray, "height width"]
    region: UInt8[np.ndarray, "height width"]
    context: Float[np.ndarray, "wide wide 3"] | None
    landmarks: Float[np.ndarray, "478 3"]
    contour: Float[np.ndarray, "height width"]
    identity: int
    expression: int
    pose: int
    lighting: int
    seed: int


@dataclass(frozen=True)
class Part:
    """One material of a head: a triangle mesh with its own UVs and textures.

    Attributes:
        name: "skin", "eyes", "teeth", "mouth", "lashes", "hair", "glasses", ...
        vertices: positions in head coordinates [m]: x to the subject's left (image right of a frontal photo), y up,
            z forward, origin midway between the eye centres.
        triangles: counter-clockwise seen from outside.
        uv: one per vertex (vertices are duplicated along seams), v up: row 0 of a texture is v = 1.
        albedo: texture, linear, in [0, 1].
        mask: texture in [0, 1]: 1 where the surface counts as face (skin, eyes, lips), 0 elsewhere.
        bump: optional height texture [m], or None.
        roughness: GGX alpha of the specular lobe over the diffuse base.
        specular: weight of the specular lobe in [0, 1]; 0 is purely Lambertian.
        opacity: optional texture in [0, 1] (lashes, hair cards), or None for opaque.
        region: texture of `Region` numbers: what the surface is.
    """

    name: str
    vertices: Float[np.ndarray, "vertices 3"]
    triangles: Int[np.ndarray, "triangles 3"]
    uv: Float[np.ndarray, "vertices 2"]
    albedo: Float[np.ndarray, "rows columns 3"]
    mask: Float[np.ndarray, "rows2 columns2"]
    bump: Float[np.ndarray, "rows3 columns3"] | None = None
    roughness: float = 0.4
    specular: float = 0.3
    opacity: Float[np.ndarray, "rows4 columns4"] | None = None
    region: UInt8[np.ndarray, "rows5 columns5"] = field(default_factory=lambda: np.full((1, 1), Region.SKIN, np.uint8))


@dataclass(frozen=True)
class Head:
    """One posed head ready to render, with a fixed identity, expression and skin.

    Attributes:
        parts: what is rendered.
        landmarks: the 478 points of the MediaPipe mesh, head coordinates [m].
    """

    parts: tuple[Part, ...]
    landmarks: Float[np.ndarray, "478 3"]

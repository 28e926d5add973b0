"""A photo whose maps are known: a ball with freckles under a soft light, and what a perfect network would say of it."""

from dataclasses import dataclass

import cv2
import numpy as np

from illures.decompose.decomposition import Decomposition
from illures.faces.crop import extract
from illures.math import sh
from illures.render import render, shade
from illures.types import Face, FaceCrop


@dataclass(frozen=True)
class Scene:
    """Maps of the whole photo, linear, in the photo's frame; `photo` is the image sRGB-encoded."""

    photo: np.ndarray
    albedo: np.ndarray
    normal: np.ndarray
    light: np.ndarray
    residual: np.ndarray
    mask: np.ndarray
    face: Decomposition


def scene(
    height: int = 360,
    width: int = 420,
    centre: tuple[float, float] = (215.0, 170.0),
    radius: float = 120.0,
    roll_deg: float = 25.0,
    size: int = 128,
    dtype: type = np.uint8,
) -> Scene:
    """The crop is turned by `roll_deg` and a little larger than the ball."""
    from illures.io.photos import as_linear
    from illures.math.color import linear_to_srgb

    rng = np.random.default_rng(1)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = (x - centre[0]) / radius, -(y - centre[1]) / radius
    inside = x * x + y * y < 1
    z = np.sqrt(np.clip(1 - x * x - y * y, 0, None)) + 0.2
    normal = np.stack([x, y, z], -1) / np.sqrt(x * x + y * y + z * z)[..., None]
    normal = np.where(inside[..., None], normal, np.float32([0, 0, 1])).astype(np.float32)
    freckles = 1 - 0.25 * (cv2.GaussianBlur(rng.random((height, width), np.float32), (0, 0), 1) > 0.55)
    albedo = (np.float32([0.55, 0.4, 0.3]) * freckles[..., None]).astype(np.float32)
    light = np.zeros((9, 3), np.float32)
    light[0], light[1], light[3], light[2] = [2.5, 2.4, 2.2], [0.8, 0.8, 0.9], [-0.7, -0.6, -0.5], 0.9
    residual = -0.08 * np.exp(-((x - 0.3) ** 2 + y**2) / 0.05)[..., None] * np.ones(3, np.float32)
    linear = np.clip(render(albedo, normal, light, residual.astype(np.float32)), 0, 1)
    photo = linear_to_srgb(linear).astype(np.float32)
    if dtype is not np.float32:
        photo = np.round(photo * np.iinfo(dtype).max).astype(dtype)

    crop = crop_at(centre, 1.15 * radius, roll_deg, size, (height, width))
    face = perfect(as_linear(photo), albedo, normal, light, residual.astype(np.float32), inside, crop)
    return Scene(photo, albedo, normal, light, residual, inside, face)


def crop_at(
    centre: tuple[float, float], half: float, roll_deg: float, size: int, photo_size: tuple[int, int]
) -> FaceCrop:
    cos, sin = np.cos(np.deg2rad(roll_deg)), np.sin(np.deg2rad(roll_deg))
    turn = size / (2 * half) * np.array([[cos, sin], [-sin, cos]])
    matrix = np.concatenate([turn, ((size - 1) / 2 - turn @ np.array(centre))[:, None]], axis=1).astype(np.float32)
    points = np.zeros((478, 3), np.float32)
    points[:, :2] = centre
    return FaceCrop(matrix=matrix, size=size, photo_size=photo_size, face=Face(landmarks=points, score=0.9))


def perfect(image, albedo, normal, light, residual, inside, crop: FaceCrop) -> Decomposition:
    """The true maps seen through the crop. The crop's image is turned by -roll, so directions turn by +roll (y up)."""
    cos, sin = crop.matrix[0, :2] / np.hypot(*crop.matrix[0, :2])
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    seen = extract(normal, crop) @ turn.T.astype(np.float32)
    seen /= np.linalg.norm(seen, axis=-1, keepdims=True)
    return Decomposition(
        image=extract(image, crop),
        albedo=extract(albedo, crop),
        normal=seen,
        light=sh.rotate(light, turn).astype(np.float32),
        residual=extract(residual, crop),
        mask=(extract(inside.astype(np.float32), crop) > 0.5).astype(np.float32),
        crop=crop,
    )


def shading(s: Scene) -> np.ndarray:
    return shade(s.normal, s.light)

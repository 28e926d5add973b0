"""Real spherical harmonics (SH) up to degree 2, and Lambertian shading under an SH light.

Convention: directions are unit vectors in the camera frame (x right, y up, z toward the viewer). The basis is real and
orthonormal, in the order `[1, y, z, x, xy, yz, 3z²-1, xz, x²-y²]` (l, then m, ascending). A light `L` holds the
coefficients of the environment's radiance, so that a white environment of radiance 1 shades every normal with 1.
Source: Ramamoorthi and Hanrahan, "An Efficient Representation for Irradiance Environment Maps", SIGGRAPH 2001.
"""

from __future__ import annotations

from functools import cache
from math import pi, sqrt
from typing import Any

import numpy as np
from array_api_compat import device
from jaxtyping import Float

from illures.math.color import luminance
from illures.math.namespace import array_namespace

# Lambert's kernel in SH, A_l = (pi, 2pi/3, pi/4) for l = 0, 1, 2 (their eq. 8), over pi: radiosity of a white surface.
ATTENUATION = np.repeat([1.0, 2 / 3, 1 / 4], [1, 3, 5])

# Rotations from another tool's frame to ours: (x, y, z) = R @ (X, Y, Z).
_SFSNET_TO_CAMERA = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])  # X down, Y right, Z to the viewer
_DPR_TO_CAMERA = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # X right, Y away from the viewer, Z up
# Permutation to our order [1, y, z, x, xy, yz, 3z²-1, xz, x²-y²] from SfSNet's [1, z, x, y, 3z²-1, xz, yz, x²-y², xy].
_SFSNET_ORDER = [0, 3, 1, 2, 8, 6, 4, 5, 7]


def basis(direction: Float[Any, "*batch 3"]) -> Float[Any, "*batch 9"]:
    """Evaluate the nine basis functions at unit directions."""
    xp = array_namespace(direction)
    # PyTorch's gradient of `unbind` is one map, that of indexing is one of zeros an index.
    x, y, z = direction.unbind(-1) if hasattr(direction, "unbind") else (direction[..., k] for k in range(3))
    c0, c1, c2 = sqrt(1 / (4 * pi)), sqrt(3 / (4 * pi)), sqrt(15 / (4 * pi))
    return xp.stack(
        [
            c0 * xp.ones_like(x),
            c1 * y,
            c1 * z,
            c1 * x,
            c2 * x * y,
            c2 * y * z,
            c2 / sqrt(12) * (3 * z * z - 1),
            c2 * x * z,
            c2 / 2 * (x * x - y * y),
        ],
        axis=-1,
    )


def irradiance(normal: Float[Any, "*batch 3"], light: Float[Any, "*lights 9 c"]) -> Float[Any, "*batch c"]:
    """Shading f(N, L) of a white Lambertian surface: irradiance / pi (Ramamoorthi and Hanrahan 2001, eq. 7).

    Args:
        normal: unit normals.
        light: coefficients of the radiance; leading axes broadcast against those of `normal` but for its last two.
            The last axis holds 3 channels, or those of several lights side by side.

    Returns:
        Linear shading. Second-order SH can ring below zero on the far side of a hard light; nothing is clipped.
    """
    xp = array_namespace(normal, light)
    attenuation = xp.asarray(ATTENUATION, dtype=light.dtype, device=device(light))
    return basis(normal) @ (attenuation[:, None] * light)


def fit(
    normal: Float[Any, "points 3"],
    shading: Float[Any, "points 3"],
    weight: Float[Any, " points"] | None = None,
    ridge: float = 1e-6,
) -> Float[Any, "9 3"]:
    """Least-squares light that makes `irradiance(normal, light)` equal to `shading`.

    Args:
        normal: unit normals.
        shading: linear RGB.
        weight: optional non-negative weight of each point.
        ridge: Tikhonov weight relative to the mean diagonal; keeps unseen directions near zero.
    """
    xp = array_namespace(normal, shading)
    attenuation = xp.asarray(ATTENUATION, dtype=shading.dtype, device=device(shading))
    design = basis(normal) * attenuation
    weighted = design if weight is None else design * weight[:, None]
    gram = weighted.T @ design
    eye = xp.eye(9, dtype=gram.dtype, device=device(gram))
    return xp.linalg.solve(gram + ridge * xp.linalg.trace(gram) / 9 * eye, weighted.T @ shading)


def rotate(light: Float[Any, "*batch 9 channels"], rotation: Float[Any, "3 3"]) -> Float[Any, "*batch 9 channels"]:
    """Turn the environment by `rotation`: shading of R @ n under the result equals shading of n under `light`.

    The 9 × 9 matrix is solved from basis values at fixed directions. It is exact, as rotations do not mix degrees.
    """
    xp = array_namespace(light)
    points, to_coefficients = _spread_directions()
    turn = to_coefficients @ basis(points @ np.asarray(rotation, dtype=np.float64))
    return xp.asarray(turn, dtype=light.dtype, device=device(light)) @ light


def mirror(light: Float[Any, "*batch 9 channels"]) -> Float[Any, "*batch 9 channels"]:
    """The light of the horizontally mirrored scene: functions that are odd in x (x, xy, xz) change their sign."""
    xp = array_namespace(light)
    sign = xp.asarray([1.0, 1, 1, -1, -1, 1, 1, -1, 1], dtype=light.dtype, device=device(light))
    return light * sign[:, None]


def directions(height: int, width: int) -> Float[np.ndarray, "height width 3"]:
    """Unit direction of each pixel of a latitude-longitude environment map.

    Convention: row 0 is up (+y). The middle column is in front of the camera (-z), the outer columns are behind the
    camera (+z), the left half is at image left (-x).
    """
    theta = pi * (np.arange(height) + 0.5) / height
    phi = 2 * pi * (np.arange(width) + 0.5) / width
    sin_theta, cos_theta = np.sin(theta)[:, None], np.cos(theta)[:, None]
    return np.stack(np.broadcast_arrays(-sin_theta * np.sin(phi), cos_theta, sin_theta * np.cos(phi)), axis=-1)


def solid_angle(height: int, width: int) -> Float[np.ndarray, "height 1"]:
    """Exact solid angle [sr] of each texel of a row of a latitude-longitude map; see `directions`."""
    edges = np.cos(pi * np.arange(height + 1) / height)
    return ((edges[:-1] - edges[1:]) * 2 * pi / width)[:, None]


def project_environment(environment: Float[np.ndarray, "height width channels"]) -> Float[np.ndarray, "9 channels"]:
    """SH coefficients of a latitude-longitude map of linear radiance, L_i = ∫ radiance(ω) Y_i(ω) dω.

    The layout is that of `directions`; each row weighs by its exact solid angle.
    """
    height, width = environment.shape[:2]
    values = basis(directions(height, width)) * solid_angle(height, width)[..., None]
    return np.einsum("hwi,hwc->ic", values, environment.astype(np.float64)).astype(environment.dtype)


def main_direction(light: Float[np.ndarray, "9 3"]) -> Float[np.ndarray, "3"]:
    """Unit direction (camera frame) that most light comes from: the first-order part of the luminance's SH."""
    y, z, x = luminance(light.astype(np.float64))[1:4]
    direction = np.array([x, y, z])
    return direction / max(float(np.linalg.norm(direction)), 1e-12)


def from_sfsnet(light: Float[Any, "9 3"]) -> Float[Any, "9 3"]:
    """SfSNet's coefficients (a 27-vector reshaped to 3 × 9 and transposed) in our layout.

    SfSNet shades gamma-encoded images with attenuation (pi, 2pi/3, pi/4) in the frame x down, y right, z to the
    viewer and the order `[1, z, x, y, 3z²-1, xz, yz, x²-y², xy]` (Sengupta et al., CVPR 2018, released code).
    """
    return rotate(pi * light[_SFSNET_ORDER], _SFSNET_TO_CAMERA)


def to_sfsnet(light: Float[Any, "9 3"]) -> Float[Any, "9 3"]:
    """The inverse of `from_sfsnet`."""
    return rotate(light, _SFSNET_TO_CAMERA.T)[np.argsort(_SFSNET_ORDER).tolist()] / pi


def from_dpr(light: Float[Any, " 9"]) -> Float[Any, "9 3"]:
    """DPR's nine coefficients of one (luminance) channel in our layout, the same in R, G and B.

    DPR's frame is X right, Y away from the viewer, Z up; its order is ours; its attenuation is not divided by pi
    (Zhou et al., "Deep Single-Image Portrait Relighting", ICCV 2019, released code).
    """
    xp = array_namespace(light)
    return rotate(pi * xp.stack([light] * 3, axis=-1), _DPR_TO_CAMERA)


def to_dpr(light: Float[Any, "9 3"]) -> Float[Any, " 9"]:
    """The inverse of `from_dpr`; a coloured light becomes its mean over the channels."""
    xp = array_namespace(light)
    return xp.mean(rotate(light, _DPR_TO_CAMERA.T), axis=-1) / pi


@cache
def _spread_directions(count: int = 64) -> tuple[Float[np.ndarray, "count 3"], Float[np.ndarray, "9 count"]]:
    """Directions spread evenly over the sphere (Fibonacci lattice), and the matrix from values to coefficients."""
    k = np.arange(count) + 0.5
    z, phi = 1 - 2 * k / count, k * pi * (3 - sqrt(5))
    radius = np.sqrt(1 - z * z)
    points = np.stack([radius * np.cos(phi), radius * np.sin(phi), z], axis=-1)
    return points, np.linalg.pinv(basis(points))

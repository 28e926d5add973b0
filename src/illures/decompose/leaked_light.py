"""Remove light that is left in albedo.

The network's illumination has the right form more often than the right strength. Two facts of faces tell the strength,
whatever the light:

- The colour of skin does not depend on how brightly it is lit. Light that scatters below the skin, and the curves of
  cameras, make shadows redder; where the network did not see that, the rims of shadows are orange in albedo.
- Both sides of a face have about the same albedo. What differs smoothly between them is light from one side.

Both are fitted robustly, a few coefficients a face, so spots, make-up and scars on one side stay. Smooth functions of
the normal carry the result from the skin that the mesh covers to ears, neck and hair.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from illures.faces import atlas
from illures.math.color import brightest_channel, darkest_channel
from illures.math.quotient import LEAST_ALBEDO, illumination_of
from illures.types import Region

_TEXELS = 64  # side of the atlas in which both sides are compared
_FACING = 0.2  # least cosine to the viewer of a texel that counts
_SURE = 0.8  # least probability of skin
_SEEN = (0.004, 0.95)  # linear values of the photo with known colour
_LEAST_TEXELS = 100
_LOG_SHADOW = (-2.5, 1.5)  # as in training (`train.camera`): beyond these the colour changes no more
# Bounds of the exponents of red and of blue over green in the illumination, beside the median photo's -0.16 and 0.10.
_EXPONENT = {0: (-0.3, 0.15), 2: (-0.15, 0.3)}
_LARGEST = 0.2  # log difference of the middle to one side
_TAKEN = 0.8  # of what was found: part of it is the person's own
_RIDGE = 0.005  # of the mean square of a regressor of variance 1
_ROUNDS = 8


def without_leaked_light(
    image: Float[np.ndarray, "size size 3"],
    albedo: Float[np.ndarray, "size size 3"],
    normal: Float[np.ndarray, "size size 3"],
    regions: Float[np.ndarray, "size size classes"],
    landmarks: Float[np.ndarray, "478 3"],
) -> Float[np.ndarray, "size size 3"]:
    """Albedo without colour that follows the brightness of light, and without light from one side.

    Args:
        image: linear.
        albedo: linear, in [0, 1].
        normal: unit vectors, camera frame.
        regions: probabilities of the classes of `types.Region`.
        landmarks: of this crop [px].
    """
    light = np.log(illumination_of(image, albedo)[..., 1])
    sides = _odd(normal, atlas.head_rotation(landmarks))
    known = (
        (regions[..., Region.SKIN] > _SURE)
        & (darkest_channel(image) > _SEEN[0])
        & (brightest_channel(image) < _SEEN[1])
    )
    places = atlas.positions(landmarks[:, :2], _TEXELS)
    layers = np.concatenate([known[..., None], light[..., None], sides, np.log(np.maximum(albedo, LEAST_ALBEDO))], -1)
    texels = atlas.unwrap(layers.astype(np.float32), places)
    usable = (texels[..., 0] > 1 - 1e-3) & atlas.layout(_TEXELS).inside & (atlas.facing(landmarks, _TEXELS) > _FACING)
    if usable.sum() < _LEAST_TEXELS:
        return albedo
    middle = float(np.median(texels[..., 1][usable]))
    brightness = np.clip(light - middle, *_LOG_SHADOW)
    lit, log_albedo = np.clip(texels[..., 1] - middle, *_LOG_SHADOW), texels[..., -3:]

    excess = np.zeros_like(albedo)
    skin = regions[..., [Region.SKIN, Region.LIPS]].sum(axis=-1)
    for channel, bounds in _EXPONENT.items():
        colour = log_albedo[..., channel] - log_albedo[..., 1]
        slope = float(np.clip(_robust(lit[usable][:, None], colour[usable], constant=True)[0], *bounds))
        excess[..., channel] = slope * brightness * skin
        log_albedo[..., channel] -= slope * lit
    excess += _one_sided(log_albedo, texels[..., 2:-3], usable, sides) * (1 - regions[..., Region.BACKGROUND, None])
    return np.clip(albedo * np.exp(-_TAKEN * excess), 0, 1).astype(np.float32)


def _odd(normal: Float[np.ndarray, "size size 3"], head: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "size size 3"]:
    """Second-order functions of the normal in the head's frame that change their sign from left to right."""
    x, y, z = np.moveaxis(normal @ head.astype(np.float32), -1, 0)
    return np.stack([x, x * y, x * z], axis=-1)


def _one_sided(
    log_albedo: Float[np.ndarray, "texels texels 3"],
    texels: Float[np.ndarray, "texels texels functions"],
    usable: Bool[np.ndarray, "texels texels"],
    sides: Float[np.ndarray, "size size functions"],
) -> Float[np.ndarray, "size size 3"]:
    """Half of the log difference of the two sides, as a function of the normal; zero in the middle of the face."""
    both = usable & usable[:, ::-1]
    if both.sum() < _LEAST_TEXELS:
        return np.zeros_like(sides)
    functions = (texels - texels[:, ::-1])[both]
    difference = (log_albedo - log_albedo[:, ::-1])[both]
    found = [sides @ _robust(functions, difference[:, channel]) for channel in range(3)]
    return np.clip(np.stack(found, axis=-1), -_LARGEST, _LARGEST)


def _robust(
    functions: Float[np.ndarray, "points functions"], values: Float[np.ndarray, " points"], constant: bool = False
) -> Float[np.ndarray, " coefficients"]:
    """Least squares with a ridge and Huber weights, which follow the median residual (iteratively reweighted)."""
    ridge = np.full(functions.shape[1], _RIDGE)
    if constant:
        functions, ridge = np.column_stack([functions, np.ones(len(functions))]), np.append(ridge, 0)
    functions, values = functions.astype(np.float64), values.astype(np.float64)
    weights = np.ones(len(values))
    for _ in range(_ROUNDS):
        weighted = (functions * weights[:, None]).T
        found = np.linalg.solve(weighted @ functions + np.diag(ridge * len(values)), weighted @ values)
        residual = np.abs(values - functions @ found)
        weights = np.minimum(1, 1.5 * np.median(residual) / np.maximum(residual, 1e-6) + 1e-6)
    return found.astype(np.float32)

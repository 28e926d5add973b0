"""Beards of some length: shells that stand off the skin where a beard is painted, and hang from the chin."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from illures.math.normals import normalize, vertex_normals
from illures.synth.accessories.primitives import worn_region
from illures.types import Part, Region

SHARE = 0.5  # of people with a painted beard; the others have it short
_LAYERS = ((0.45, 1.0), (0.75, 0.8), (1.0, 0.55))  # distance of each shell, and how much of it is opaque
_ROUNDS = 8  # over which the edge is smoothed, from neighbour to neighbour
_LEAST = 40  # vertices with a beard that are worth a shell
_CHIN = (0.035, 0.03)  # half width of what hangs, and the height below the mouth at which all of it does [m]
_HANGING = np.array([0.0, -0.97, 0.24])  # direction
_TEXTURE = (512, 512)


@dataclass(frozen=True)
class Beard:
    """A beard, wherever the skin has one painted.

    Attributes:
        thick: distance from the skin [m].
        length: how far it hangs below the chin [m]; 0 for a short one.
        albedo: of the strands, in the UV layout of the skin.
        strands: noise of variance 1 along them.
    """

    thick: float
    length: float
    albedo: Float[np.ndarray, "rows columns 3"]
    strands: Float[np.ndarray, "rows columns"]

    def parts(self, skin: Part, landmarks: Float[np.ndarray, "68 3"]) -> tuple[Part, ...]:
        """Shells named "beard", inner ones first; none where no beard is painted.

        Args:
            skin: of the posed head (head coordinates, m).
            landmarks: of the posed head.
        """
        bearded = _bearded(skin, landmarks)
        if bearded.sum() < _LEAST:
            return ()
        weight = _smoothed(bearded.astype(np.float64), skin.triangles)[:, None]
        points, mouth = skin.vertices.astype(np.float64), landmarks[[48, 54]].mean(axis=0)
        below = np.clip((mouth[1] - points[:, 1:2]) / _CHIN[1], 0, 1)
        chin = np.exp(-(((points[:, :1] - mouth[0]) / _CHIN[0]) ** 2)) * below
        reach = weight * (
            self.thick * normalize(vertex_normals(points, skin.triangles)) + self.length * chin * _HANGING
        )
        kept = skin.triangles[(weight[skin.triangles, 0] > 0).any(axis=1)]
        used, triangles = np.unique(kept, return_inverse=True)
        return tuple(
            Part(
                name="beard",
                vertices=(points + far * reach)[used].astype(np.float32),
                triangles=triangles.reshape(-1, 3).astype(np.int32),
                uv=skin.uv[used],
                albedo=self.albedo,
                mask=np.zeros((2, 2), np.float32),
                roughness=0.45,
                specular=0.3,
                opacity=np.clip(0.5 + self.strands + 3 * (dense - 0.5), 0, 1).astype(np.float32),
                region=worn_region("beard"),
            )
            for far, dense in _LAYERS
        )


def random_beard(rng: np.random.Generator, hair: Float[np.ndarray, "3"]) -> Beard:
    """A beard of the colour of this hair (log albedo), up to 10 cm long.

    Args:
        rng: of the person.
        hair: log albedo.
    """
    long = rng.random() < 0.6
    coarse = rng.standard_normal((_TEXTURE[0] // 32, _TEXTURE[1] // 2), dtype=np.float32)
    strands = cv2.resize(coarse, _TEXTURE[::-1], interpolation=cv2.INTER_CUBIC)
    strands = strands / strands.std()
    albedo = np.exp(hair + 0.25 * strands[..., None]).clip(0.004, 0.8).astype(np.float32)
    length = float(rng.uniform(0.01, 0.1)) if long else 0.0
    return Beard(float(rng.uniform(0.002, 0.01)), length, albedo, strands)


def _bearded(skin: Part, landmarks: Float[np.ndarray, "68 3"]) -> Bool[np.ndarray, " vertices"]:
    """Mask of the vertices that have a beard painted on them; brows do not count."""
    rows, columns = skin.region.shape
    row = np.clip(((1 - skin.uv[:, 1]) * rows).astype(int), 0, rows - 1)
    column = np.clip((skin.uv[:, 0] * columns).astype(int), 0, columns - 1)
    return (skin.region[row, column] == Region.FACIAL_HAIR) & (skin.vertices[:, 1] < landmarks[33, 1])


def _smoothed(weight: Float[np.ndarray, " vertices"], triangles: np.ndarray) -> Float[np.ndarray, " vertices"]:
    """The weight, falling to 0 at its edge, so that the shells close on the skin."""
    corners, others = triangles[:, [0, 1, 2]].ravel(), triangles[:, [1, 2, 0]].ravel()
    start = weight > 0
    for _ in range(_ROUNDS):
        total = np.bincount(corners, weight[others], len(weight)) + np.bincount(others, weight[corners], len(weight))
        count = np.bincount(corners, minlength=len(weight)) + np.bincount(others, minlength=len(weight))
        weight = 0.5 * weight + 0.5 * total / np.maximum(count, 1)
    inside = np.clip(2 * weight - 1, 0, 1) * start
    return inside * inside * (3 - 2 * inside)

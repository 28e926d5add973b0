"""Head pose, and pose-normalised landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from illures.faces.atlas import canonical_points, head_rotation

SURFACE = 468  # of the 478 points; the last ten are the irises


@dataclass(frozen=True)
class HeadPose:
    """A head relative to one that looks into the camera [deg].

    Attributes:
        yaw_deg: positive when it looks to image right.
        pitch_deg: positive when it looks up.
        roll_deg: positive when its crown leans to image left (counter-clockwise).
    """

    yaw_deg: float
    pitch_deg: float
    roll_deg: float


def head_pose(landmarks: Float[np.ndarray, "478 3"]) -> HeadPose:
    """Angles of `atlas.head_rotation`: R = Ry(yaw) Rx(-pitch) Rz(roll) takes the canonical face to this one."""
    rotation = head_rotation(landmarks)
    forward = rotation[:, 2]
    yaw, pitch = np.arctan2(forward[0], forward[2]), np.arcsin(np.clip(forward[1], -1, 1))
    roll = np.arctan2(rotation[1, 0], rotation[1, 1])
    return HeadPose(*(float(np.rad2deg(angle)) for angle in (yaw, pitch, roll)))


def pose_free(landmarks: Float[np.ndarray, "478 3"]) -> Float[np.ndarray, "468 3"]:
    """The surface points rotated and scaled to the canonical face, minus the points of that face.

    The rest is shape and expression of the person, relative to the root-mean-square radius of the canonical face.
    """
    source = canonical_points()
    points = landmarks[:SURFACE].astype(np.float64) * [1, -1, 1]
    turned = (points - points.mean(0)) @ head_rotation(landmarks)
    scale = (turned * source).sum() / max(float((turned * turned).sum()), 1e-12)
    return np.asarray((scale * turned - source) / np.sqrt((source**2).sum(1).mean()))

"""A textured sphere turned before the camera, known in closed form, with the face mesh drawn on it."""

from importlib.resources import files

import numpy as np

from illures.data.shards import ViewRecord


def rotation(yaw_deg: float, pitch_deg: float = 0.0, roll_deg: float = 0.0) -> np.ndarray:
    """About y, then x, then z, camera frame."""
    a, b, c = np.deg2rad([yaw_deg, pitch_deg, roll_deg])
    yaw = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    pitch = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    roll = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return roll @ pitch @ yaw


def to_landmarks(vertices: np.ndarray, size: int, radius: float) -> np.ndarray:
    """Points of the camera frame as landmarks: pixels, y down; the irises, which no triangle has, in the middle."""
    points = vertices * [1, -1, 1] * radius + [(size - 1) / 2, (size - 1) / 2, 0]
    return np.concatenate([points, np.full((10, 3), (size - 1) / 2)]).astype(np.float32)


def canonical() -> np.ndarray:
    """The face mesh at rest: x right, y up, z to the viewer, within [-1, 1]."""
    with np.load(str(files("illures.faces") / "weights" / "face_mesh.npz")) as mesh:
        points = mesh["positions"].astype(np.float64)
    points = points - (points.max(axis=0) + points.min(axis=0)) / 2
    return points / np.abs(points[:, :2]).max()


class TurnedSphere:
    """One view: its maps and landmarks.

    Args:
        turn: rotation of the sphere.
        size: side of the image [px].
        pattern: number of the texture.
    """

    def __init__(self, turn: np.ndarray, size: int = 128, pattern: int = 0) -> None:
        radius = 0.47 * size
        y, x = np.mgrid[:size, :size].astype(np.float64)
        x, y = (x - (size - 1) / 2) / radius, ((size - 1) / 2 - y) / radius
        inside = 1 - x * x - y * y
        normal = np.stack([x, y, np.sqrt(np.clip(inside, 0, 1))], axis=-1)
        self.mask = inside > 0.02
        self.normal = (normal * self.mask[..., None]).astype(np.float32)
        self.albedo = (texture(normal @ turn, pattern) * self.mask[..., None]).astype(np.float32)
        # The canonical mesh seen from the front, laid on the sphere.
        flat = 0.8 * canonical()[:, :2]
        points = np.concatenate([flat, np.sqrt(1 - (flat**2).sum(1, keepdims=True))], axis=1)
        self.landmarks = to_landmarks(points @ turn.T, size, radius)

    def record(self, identity: int, number: int) -> ViewRecord:
        """As a shard holds it."""
        region = self.mask.astype(np.uint8)  # skin and background
        maps = self.albedo, self.normal, self.mask, region, self.landmarks
        return ViewRecord(*maps, (), (), (), identity, number, number, 0, "sphere")


def texture(place: np.ndarray, pattern: int) -> np.ndarray:
    """Albedo at places of the sphere at rest: smooth waves in three colours."""
    rng = np.random.default_rng(pattern)
    waves = [0.45 + 0.35 * np.sin(place @ rng.normal(0, 5, 3) + rng.uniform(0, 6)) for _ in range(3)]
    return np.stack(waves, axis=-1)

"""People that are pyramids: quick to make and to render, and importable by the processes that tests start."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fake_jobs import wait_for
from illures.faces.contour import INDICES
from illures.types import Head, Part


@dataclass(frozen=True)
class Pyramid:
    """Its nose points toward the viewer; its albedo is grey and tells the identity."""

    identity: int
    tone: float

    def head(self, expression: dict[str, float], occluders: np.random.Generator | None = None) -> Head:
        tip = 0.4 + 0.2 * expression.get("jawOpen", 0)
        vertices = np.array([[-1, -2, -0.5], [1, -2, -0.5], [1, 1, -0.5], [-1, 1, -0.5], [0, -0.5, 10 * tip]]) / 10
        part = Part(
            name="skin",
            vertices=vertices.astype(np.float32),
            triangles=np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]], np.int32),
            uv=np.zeros((5, 2), np.float32),
            albedo=np.full((2, 2, 3), self.tone, np.float32),
            mask=np.ones((2, 2), np.float32),
        )
        points = np.zeros((478, 3), np.float32)
        points[INDICES[36:42]], points[INDICES[42:48]], points[INDICES[48:60]] = (
            (-0.04, 0, 0),
            (0.04, 0, 0),
            (0, -0.08, 0),
        )
        return Head((part,), points)


def pyramids(recipe):
    """A source of people."""
    return lambda identity: Pyramid(identity, 0.3 + 0.2 * (identity % 2))


@dataclass(frozen=True)
class Killer:
    """A source of people whose process is killed, once, at the second person."""

    mark: Path

    def __call__(self, recipe):
        def person(identity: int) -> Pyramid:
            if identity == 1 and not self.mark.exists():
                self.mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return pyramids(recipe)(identity)

        return person


@dataclass(frozen=True)
class Waiting:
    """A source of people that are made once `until` files started-* are in the folder; each process adds one.

    What never comes is an error.
    """

    folder: Path
    until: int

    def __call__(self, recipe):
        def person(identity: int) -> Pyramid:
            (self.folder / f"started-{os.getpid()}").touch()
            wait_for(lambda: len(list(self.folder.glob("started-*"))) >= self.until)
            return pyramids(recipe)(identity)

        return person

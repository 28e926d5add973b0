"""One white for the people of a shot: the colour of the light on each face over that on the first.

One light is on all of them. Where their estimates differ, skin was taken for light, or light for skin. A new light is
given these colours, so that white changes nobody's hue. The ratio belongs to a person: it stays when others leave.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from illures.decompose.decomposition import Decomposition
from illures.relighting.exposure import own_tint
from illures.video.memory import FaceMemory

# How far back the mean of a ratio reaches [s].
BALANCE_S = 2.0


def compare(memories: Sequence[FaceMemory], faces: Sequence[Decomposition], step_s: float) -> None:
    """Update the balance of each face of a frame against the one that was there first.

    Args:
        memories: of the faces; `balance` is updated.
        faces: of this frame, in the same order.
        step_s: since the last comparison [s].
    """
    known = [k for k, memory in enumerate(memories) if np.isfinite(memory.balance).all()]
    first = min(known or range(len(memories)), key=lambda k: memories[k].track, default=None)
    if first is None:
        return
    if not known:
        memories[first].balance = np.zeros(3)
    if len(faces) == 1:
        return
    tints = [np.log(np.maximum(own_tint(face), 1e-3)) for face in faces]
    for k, memory in enumerate(memories):
        if k == first:
            continue
        found = tints[k] - tints[first] + memories[first].balance
        share = min(1.0, step_s / BALANCE_S) if k in known else 1.0
        memory.balance = found if share == 1 else memory.balance + share * (found - memory.balance)

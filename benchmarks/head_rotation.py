"""How well the head's rotation repeats over changes of the photo: python benchmarks/head_rotation.py FOLDER [STEP].

Every STEP-th photo with one face, against its mirror image, against itself turned by 15 degrees, and at half the size.
What is known of the change is taken off; the angle that is left is the error.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from illures.faces import find_faces
from illures.faces.atlas import head_rotation
from illures.io.photos import read_photo
from record import record

TURN_DEG = 15
_MIRROR = np.diag([-1.0, 1, 1])


def main() -> None:
    """Measure and record."""
    step = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    errors: dict[str, list[float]] = defaultdict(list)
    for path in sorted(Path(sys.argv[1]).iterdir())[::step]:
        photo = read_photo(path)
        photo = photo if photo.dtype == np.uint8 else (photo >> 8).astype(np.uint8)
        before = rotation(photo)
        if before is not None:
            for name, after in changed(photo):
                errors[name].append(float(np.rad2deg(Rotation.from_matrix(after @ before.T).magnitude())))
    figures = {
        name: {
            "photos": len(found),
            "mean_deg": round(np.mean(found), 2),
            "p95_deg": round(np.percentile(found, 95), 2),
        }
        for name, found in errors.items()
    }
    print(figures)
    record("head-rotation", figures)


def changed(photo: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The rotation found in each changed photo, without the change."""
    height, width = photo.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), TURN_DEG, 1)
    back = Rotation.from_euler("Z", -TURN_DEG, degrees=True).as_matrix()
    mirrored = rotation(np.ascontiguousarray(photo[:, ::-1]))
    turned = rotation(cv2.warpAffine(photo, matrix, (width, height), borderMode=cv2.BORDER_REFLECT))
    halved = rotation(cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    if mirrored is not None:
        yield "mirrored", _MIRROR @ mirrored @ _MIRROR
    if turned is not None:
        yield f"turned by {TURN_DEG} degrees", back @ turned
    if halved is not None:
        yield "half the size", halved


def rotation(photo: np.ndarray) -> np.ndarray | None:
    """Of the one face; None where there is another number of faces."""
    faces = find_faces(photo)
    return head_rotation(faces[0].landmarks) if len(faces) == 1 else None


if __name__ == "__main__":
    main()

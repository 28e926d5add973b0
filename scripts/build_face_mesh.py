"""Pack triangles, canonical positions and UVs of MediaPipe's face mesh into an npz of a few kilobytes.

    python scripts/build_face_mesh.py face_landmarker.task src/illures/faces/weights/face_mesh.npz

The source is `geometry_pipeline_metadata_landmarks.binarypb` inside the .task bundle (Apache-2.0), a protobuf
message `GeometryPipelineMetadata` whose field 2 is a `Mesh3d`: 3 = vertex buffer (x, y, z, u, v), 4 = indices.
"""

from __future__ import annotations

import struct
import sys
import zipfile
from pathlib import Path

import numpy as np

MEMBER = "geometry_pipeline_metadata_landmarks.binarypb"


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Value and the position after it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data: bytes) -> list[tuple[int, int | float | bytes]]:
    """(field number, value) of a protobuf message: the wire types used here are 0, 2 and 5."""
    found: list[tuple[int, int | float | bytes]] = []
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        if key & 7 == 0:
            value, at = read_varint(data, at)
            found.append((key >> 3, value))
        elif key & 7 == 2:
            length, at = read_varint(data, at)
            found.append((key >> 3, data[at : at + length]))
            at += length
        elif key & 7 == 5:
            found.append((key >> 3, struct.unpack("<f", data[at : at + 4])[0]))
            at += 4
        else:
            raise ValueError(f"protobuf wire type {key & 7} is not expected in {MEMBER}")
    return found


def main(task: Path, target: Path) -> None:
    """Read the .task bundle, write the npz."""
    metadata = zipfile.ZipFile(task).read(MEMBER)
    mesh = next(v for number, v in fields(metadata) if number == 1 and isinstance(v, bytes))
    content = fields(mesh)
    vertices = np.array([v for number, v in content if number == 3], np.float32).reshape(-1, 5)
    triangles = np.array([v for number, v in content if number == 4], np.uint16).reshape(-1, 3)
    np.savez_compressed(target, triangles=triangles, positions=vertices[:, :3], uv=vertices[:, 3:])
    print(f"{target}: {len(vertices)} vertices, {len(triangles)} triangles")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

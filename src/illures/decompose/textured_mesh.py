"""A face as a textured mesh for 3D programs: glTF (.glb) and Wavefront OBJ, from the landmark mesh and its maps.

Convention: the glTF frame, y up, z toward the viewer, in metres, scaled to the usual 63 mm between the pupils. The mesh
is the landmark mesh, without finer geometry. Albedo is the base colour; the normal texture is in tangent space, y up,
as in glTF. Texture coordinates are those of the crop (0, 0 at its upper left corner).
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

import illures
from illures.decompose.decomposition import Decomposition
from illures.errors import InputError
from illures.faces import to_crop
from illures.faces.atlas import interpolated
from illures.faces.mesh import triangles
from illures.io.files import write_text, write_whole
from illures.io.png import png
from illures.math.color import linear_to_srgb
from illures.math.normals import normalize, vertex_normals

SUFFIXES = (".glb", ".obj")
PUPILS_M = 0.063
_IRISES = (468, 473)  # centres of MediaPipe's irises
_SURFACE = 468  # vertices of the mesh; the irises follow
_FLOAT, _UINT, _VERTICES, _INDICES = 5126, 5125, 34962, 34963


@dataclass(frozen=True)
class FaceMesh:
    """Vertices, triangles and textures.

    Attributes:
        positions: [m], centred.
        normals, tangents: unit vectors.
        uv: 0, 0 is the textures' upper left corner.
        faces: counter-clockwise from outside.
        albedo: sRGB.
        normal: tangent space, y up, (n + 1) / 2.
    """

    positions: Float[np.ndarray, "468 3"]
    normals: Float[np.ndarray, "468 3"]
    tangents: Float[np.ndarray, "468 3"]
    uv: Float[np.ndarray, "468 2"]
    faces: Int[np.ndarray, "faces 3"]
    albedo: UInt8[np.ndarray, "size size 3"]
    normal: UInt8[np.ndarray, "size size 3"]


def face_mesh(face: Decomposition) -> FaceMesh:
    """The mesh of a face; its textures have the resolution of the face's maps (`photo_resolution` for the photo's)."""
    points, size = to_crop(face.crop.face.landmarks, face.crop).astype(np.float64), face.crop.size
    vertices = points * [1, -1, 1]
    scale = PUPILS_M / float(np.linalg.norm(vertices[_IRISES[0]] - vertices[_IRISES[1]]))
    positions = (vertices - vertices[:_SURFACE].mean(0))[:_SURFACE] * scale
    normals = normalize(vertex_normals(positions, triangles()))
    # The texture's u runs along x, so the tangent is x, made orthogonal to the normal.
    tangents = normalize(np.array([1.0, 0, 0]) - normals * normals[:, :1])
    frames = np.concatenate([normals, tangents], axis=1)
    laid, _ = interpolated(np.concatenate([frames, np.zeros((len(points) - _SURFACE, 6))]), points[:, :2], size)
    normal, tangent = normalize(laid[..., :3]), laid[..., 3:]
    tangent = normalize(tangent - normal * (tangent * normal).sum(-1, keepdims=True))
    axes = np.stack([tangent, np.cross(normal, tangent), normal], axis=-2)
    local = np.einsum("hwij,hwj->hwi", axes, face.normal.astype(np.float64))
    return FaceMesh(
        positions=positions,
        normals=normals,
        tangents=tangents,
        uv=(points[:_SURFACE, :2] + 0.5) / size,
        faces=triangles(),
        albedo=_codes(linear_to_srgb(np.clip(face.albedo, 0, 1))),
        normal=_codes((local + 1) / 2),
    )


def write_mesh(path: Path, face: Decomposition) -> None:
    """Write a face as .glb, or as .obj with NAME.mtl, NAME-albedo.png and NAME-normal.png beside it.

    Raises:
        InputError: another suffix, or a file that can't be written.
    """
    mesh, suffix = face_mesh(face), path.suffix.lower()
    if suffix == ".glb":
        write_whole(path, _glb(mesh))
    elif suffix == ".obj":
        _write_obj(path, mesh)
    else:
        raise InputError(f"{path}: can't write a mesh as {suffix or 'a file with no suffix'}; use glb or obj")


# The constant part of each file: one face of one material, whose textures are the buffer views after those of the mesh.
_SCENE: dict[str, Any] = {
    "scene": 0,
    "scenes": [{"nodes": [0]}],
    "nodes": [{"mesh": 0, "name": "face"}],
    "meshes": [
        {
            "primitives": [
                {"attributes": {"POSITION": 0, "NORMAL": 1, "TANGENT": 2, "TEXCOORD_0": 3}, "indices": 4, "material": 0}
            ]
        }
    ],
    "materials": [
        {
            "name": "face",
            "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, "metallicFactor": 0, "roughnessFactor": 0.6},
            "normalTexture": {"index": 1},
            "doubleSided": True,
        }
    ],
    "textures": [{"source": 0}, {"source": 1}],
    "images": [{"bufferView": v, "mimeType": "image/png", "name": n} for v, n in ((5, "albedo"), (6, "normal"))],
}


def _glb(mesh: FaceMesh) -> bytes:
    """Binary glTF 2.0, everything in one buffer."""
    tangents = np.concatenate([mesh.tangents, np.ones((len(mesh.tangents), 1))], axis=1)
    arrays = [mesh.positions, mesh.normals, tangents, mesh.uv]
    blobs = [np.ascontiguousarray(a, np.float32).tobytes() for a in arrays]
    blobs += [mesh.faces.astype(np.uint32).tobytes(), png(mesh.albedo, colour=True), png(mesh.normal, colour=False)]
    buffer, views = b"", []
    for number, blob in enumerate(blobs):
        view = {"buffer": 0, "byteOffset": len(buffer), "byteLength": len(blob)}
        views.append(view if number > 4 else view | {"target": _INDICES if number == 4 else _VERTICES})
        buffer += blob + b"\0" * (-len(blob) % 4)
    kinds = ["VEC3", "VEC3", "VEC4", "VEC2"]
    accessors: list[dict[str, Any]] = [
        {"bufferView": i, "componentType": _FLOAT, "count": len(a), "type": k}
        for i, (a, k) in enumerate(zip(arrays, kinds, strict=True))
    ]
    low, high = (np.float32(f(mesh.positions, axis=0)).tolist() for f in (np.min, np.max))
    accessors[0] |= {"min": low, "max": high}
    accessors.append({"bufferView": 4, "componentType": _UINT, "count": mesh.faces.size, "type": "SCALAR"})
    content = _SCENE | {
        "asset": {"version": "2.0", "generator": f"illures {illures.__version__}"},
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(buffer)}],
    }
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(buffer), b"BIN\0") + buffer
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _write_obj(path: Path, mesh: FaceMesh) -> None:
    """OBJ has v up, glTF down; MTL names the normal texture as `norm` (the PBR extension)."""
    stem = path.stem
    lines = [f"# illures {illures.__version__}: metres, y up", f"mtllib {stem}.mtl", "usemtl face"]
    uv = mesh.uv * [1, -1] + [0, 1]
    for kind, rows in (("v", mesh.positions), ("vt", uv), ("vn", mesh.normals)):
        lines += [f"{kind} " + " ".join(f"{value:.7g}" for value in row) for row in rows]
    lines += ["f " + " ".join(f"{i}/{i}/{i}" for i in face) for face in mesh.faces + 1]
    about = f"newmtl face\nKd 1 1 1\nmap_Kd {stem}-albedo.png\nnorm {stem}-normal.png\n"
    write_whole(path.with_name(f"{stem}-albedo.png"), png(mesh.albedo, colour=True))
    write_whole(path.with_name(f"{stem}-normal.png"), png(mesh.normal, colour=False))
    write_text(path.with_name(f"{stem}.mtl"), about)
    write_text(path, "\n".join(lines) + "\n")


def _codes(values: np.ndarray) -> UInt8[np.ndarray, "size size 3"]:
    return np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)

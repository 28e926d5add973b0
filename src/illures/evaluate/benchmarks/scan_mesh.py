"""Textured head scans from files: Wavefront OBJ with its MTL and texture, and binary glTF 2.0 (GLB).

Read: positions, triangles (polygons are fanned), texture coordinates, the base colour's texture or constant. Not read:
normals (they follow from the surface), other maps, skins, animations, compressed meshes.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from illures.errors import InputError
from illures.io.container import MAX_PIXELS
from illures.io.decoding import decoding, open_image, parse_json
from illures.io.photos import as_linear, read_photo, to_photo

_GREY = 0.5  # default albedo of a material
# NumPy type, and the value that means 1 for normalised integers.
_GLTF_TYPES = {5121: ("<u1", 255), 5123: ("<u2", 65535), 5125: ("<u4", 1), 5126: ("<f4", 1)}
_GLTF_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


@dataclass(frozen=True)
class Piece:
    """One material of a scan.

    Attributes:
        vertices: in the file's frame and units.
        triangles: counter-clockwise seen from outside.
        uv: one per vertex, v up.
        albedo: texture, linear, row 0 is v = 1.
    """

    vertices: Float[np.ndarray, "vertices 3"]
    triangles: Int[np.ndarray, "triangles 3"]
    uv: Float[np.ndarray, "vertices 2"]
    albedo: Float[np.ndarray, "rows columns 3"]


def read_scan(path: Path) -> list[Piece]:
    """The pieces of an .obj or .glb file.

    Raises:
        InputError: the file, its material or its texture is missing or can't be read.
    """
    readers = {".obj": _read_obj, ".glb": _read_glb}
    if path.suffix.lower() not in readers:
        raise InputError(f"{path}: must be an .obj or .glb file")
    with decoding(path, f"a scan, {path.suffix[1:]}"):
        pieces = readers[path.suffix.lower()](path)
    if not sum(len(piece.triangles) for piece in pieces):
        raise InputError(f"{path}: holds no triangles")
    return pieces


def _read_obj(path: Path) -> list[Piece]:
    positions: list[list[float]] = []
    texture: list[list[float]] = []
    materials: dict[str, np.ndarray] = {}
    corners: dict[str, list[tuple[int, int]]] = {}
    material = ""
    with path.open(errors="replace") as lines:
        for line in lines:
            word, _, rest = line.strip().partition(" ")
            if word == "v":
                positions.append([float(x) for x in rest.split()[:3]])
            elif word == "vt":
                texture.append([float(x) for x in rest.split()[:2]])
            elif word == "f":
                around = [_corner(field, len(positions), len(texture)) for field in rest.split()]
                for k in range(1, len(around) - 1):
                    corners.setdefault(material, []).extend((around[0], around[k], around[k + 1]))
            elif word == "usemtl":
                material = rest.strip()
            elif word == "mtllib":
                materials |= _read_mtl(path.parent / rest.strip())
    place, uv = np.array(positions, np.float64), np.array([*texture, [0.0, 0.0]], np.float64)
    return [_obj_piece(place, uv, used, materials.get(name, _constant(_GREY))) for name, used in corners.items()]


def _corner(field: str, positions: int, texture: int) -> tuple[int, int]:
    """Position and texture coordinate of `7`, `7/3` or `7/3/9`; negative numbers count from the end; -1 for none."""
    parts = field.split("/")
    place = int(parts[0])
    uv = int(parts[1]) if len(parts) > 1 and parts[1] else 0
    return place - 1 if place > 0 else positions + place, (uv - 1 if uv > 0 else texture + uv) if uv else -1


def _obj_piece(place: np.ndarray, uv: np.ndarray, used: list[tuple[int, int]], albedo: np.ndarray) -> Piece:
    """Vertices are doubled where one position has several texture coordinates."""
    unique, index = np.unique(np.array(used), axis=0, return_inverse=True)
    if unique.min() < -1 or unique[:, 0].min() < 0 or unique[:, 0].max() >= len(place) or unique[:, 1].max() >= len(uv):
        raise ValueError("a face names a vertex that is not there")
    triangles = index.reshape(-1, 3).astype(np.int32)
    return Piece(place[unique[:, 0]].astype(np.float32), triangles, uv[unique[:, 1]].astype(np.float32), albedo)


def _read_mtl(path: Path) -> dict[str, np.ndarray]:
    """Albedo of each material: `map_Kd` if it has one (sRGB), else the constant `Kd`."""
    if not path.is_file():
        raise InputError(f"{path}: no such material file")
    found: dict[str, np.ndarray] = {}
    name = ""
    for line in path.read_text(errors="replace").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "newmtl":
            name = rest.strip()
            found[name] = _constant(_GREY)
        elif word == "Kd" and found[name].size == 3:
            found[name] = np.array([float(x) for x in rest.split()[:3]], np.float32).reshape(1, 1, 3)
        elif word == "map_Kd":
            # Options such as "-s 1 1 1" may come first; the file's name may hold blanks.
            file = path.parent / (rest.strip() if not rest.startswith("-") else rest.split()[-1]).replace("\\", "/")
            found[name] = as_linear(read_photo(file))
    return found


def _read_glb(path: Path) -> list[Piece]:
    document, binary = _glb_chunks(path.read_bytes())
    scene = document.get("scenes", [{"nodes": range(len(document["nodes"]))}])[document.get("scene", 0)]
    pieces: list[Piece] = []
    pending = [(node, np.eye(4)) for node in scene["nodes"]]
    while pending:
        index, above = pending.pop()
        node = document["nodes"][index]
        here = above @ _transform(node)
        pending += [(child, here) for child in node.get("children", ())]
        for primitive in document["meshes"][node["mesh"]]["primitives"] if "mesh" in node else ():
            if primitive.get("mode", 4) == 4:
                pieces.append(_glb_piece(document, binary, primitive, here))
    return pieces


def _glb_chunks(data: bytes) -> tuple[dict[str, Any], bytes]:
    magic, version, _ = struct.unpack_from("<4sII", data)
    if magic != b"glTF" or version != 2:
        raise ValueError("not binary glTF 2.0")
    chunks, place = {}, 12
    while place + 8 <= len(data):
        length, kind = struct.unpack_from("<I4s", data, place)
        chunks[kind] = data[place + 8 : place + 8 + length]
        place += 8 + length
    return parse_json(chunks[b"JSON"]), chunks.get(b"BIN\0", b"")


def _glb_piece(document: dict[str, Any], binary: bytes, primitive: dict[str, Any], to_world: np.ndarray) -> Piece:
    names = primitive["attributes"]
    vertices = _accessor(document, binary, names["POSITION"]).astype(np.float64) @ to_world[:3, :3].T + to_world[:3, 3]
    if "TEXCOORD_0" in names:
        uv = _accessor(document, binary, names["TEXCOORD_0"]).astype(np.float32) * [1, -1] + [0, 1]  # glTF's v is down
    else:
        uv = np.zeros((len(vertices), 2))
    order = _accessor(document, binary, primitive["indices"]) if "indices" in primitive else np.arange(len(vertices))
    triangles = order.reshape(-1, 3).astype(np.int32)
    if np.linalg.det(to_world[:3, :3]) < 0:
        triangles = triangles[:, ::-1].copy()
    material = document["materials"][primitive["material"]] if "material" in primitive else {}
    albedo = _glb_albedo(document, binary, material.get("pbrMetallicRoughness", {}))
    return Piece(vertices.astype(np.float32), triangles, uv.astype(np.float32), albedo)


def _glb_albedo(document: dict[str, Any], binary: bytes, material: dict[str, Any]) -> Float[np.ndarray, "r c 3"]:
    factor = np.array(material.get("baseColorFactor", [1, 1, 1, 1])[:3], np.float32)
    if "baseColorTexture" not in material:
        return np.broadcast_to(factor, (1, 1, 3)).astype(np.float32)
    image = document["images"][document["textures"][material["baseColorTexture"]["index"]]["source"]]
    view = document["bufferViews"][image["bufferView"]]
    start = view.get("byteOffset", 0)
    picture = open_image(io.BytesIO(binary[start : start + view["byteLength"]]))
    if picture.width * picture.height > MAX_PIXELS:
        raise ValueError(f"a texture of {picture.width} x {picture.height} pixels")
    picture = picture.convert("RGB")
    return (as_linear(to_photo(picture)) * factor).astype(np.float32)


def _accessor(document: dict[str, Any], binary: bytes, index: int) -> np.ndarray:
    about = document["accessors"][index]
    view = document["bufferViews"][about["bufferView"]]
    kind, width = np.dtype(_GLTF_TYPES[about["componentType"]][0]), _GLTF_WIDTHS[about["type"]]
    start = view.get("byteOffset", 0) + about.get("byteOffset", 0)
    step = view.get("byteStride", kind.itemsize * width)
    strides = (step, kind.itemsize)
    found = np.ndarray((about["count"], width), kind, binary, start, strides)
    return found if width == 1 else found / np.float32(_GLTF_TYPES[about["componentType"]][1])


def _transform(node: dict[str, Any]) -> Float[np.ndarray, "4 4"]:
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = node.get("rotation", (0, 0, 0, 1))
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = turn * np.array(node.get("scale", (1, 1, 1)), np.float64)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix


def _constant(value: float) -> Float[np.ndarray, "1 1 3"]:
    return np.full((1, 1, 3), value, np.float32)

"""Scans: both file formats against each other, and renders of one whose face is said to be found."""

import json
import struct

import numpy as np
import pytest
from PIL import Image

from illures.errors import InputError
from illures.evaluate.benchmark import Estimate, Failure
from illures.evaluate.benchmarks import scan
from illures.evaluate.benchmarks.scan import framed, load
from illures.evaluate.benchmarks.scan_mesh import read_scan
from illures.faces import find_faces
from illures.math.color import srgb_to_linear
from illures.math.normals import angular_error_deg, normalize
from illures.types import Face

PAINT = np.zeros((32, 32, 3), np.uint8)
PAINT[..., 0], PAINT[:16, :, 1], PAINT[16:, :, 2] = 180, 140, 120  # upper half of the image is yellow, lower is pink


def egg(n=41):
    """The front of an egg: vertices [mm], texture coordinates, triangles; x right, y up, z forward."""
    t, s = np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, n))
    x, y = 75 * t * np.sqrt(1 - s**2 / 2), 110 * s * np.sqrt(1 - t**2 / 2)
    z = 80 * np.sqrt(np.clip(1 - (x / 75) ** 2 - (y / 110) ** 2, 0, None))
    vertices, uv = np.stack([x, y, z], -1).reshape(-1, 3), np.stack([(t + 1) / 2, (s + 1) / 2], -1).reshape(-1, 2)
    k = np.arange(n * n).reshape(n, n)
    a, b, c, d = (part.ravel() for part in (k[:-1, :-1], k[:-1, 1:], k[1:, 1:], k[1:, :-1]))
    return vertices, uv, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def write_obj(folder, turn=None):
    vertices, uv, triangles = egg()
    turn = np.eye(3) if turn is None else turn
    lines = ["# a scan", "mtllib egg head.mtl"]
    lines += [f"v {x} {y} {z}" for x, y, z in vertices @ turn.T] + [f"vt {u} {v}" for u, v in uv]
    lines += ["usemtl skin"] + [f"f {a}/{a}/1 {b}/{b}/1 {c}/{c}/1" for a, b, c in triangles + 1]
    (folder / "egg.obj").write_text("\n".join(lines))
    (folder / "egg head.mtl").write_text("newmtl skin\nKd 1 1 1\nmap_Kd -s 1 1 1 paint.png\n")
    Image.fromarray(PAINT).save(folder / "paint.png")
    return folder / "egg.obj"


def write_glb(path):
    """The same, in metres, below a node that is scaled and turned there and back."""
    import io

    vertices, uv, triangles = egg()
    picture = io.BytesIO()
    Image.fromarray(PAINT).save(picture, "PNG")
    blocks = [
        (vertices[:, [2, 1, 0]] * [-1, 1, 1] / 1000).astype("<f4").tobytes(),
        (uv * [1, -1] + [0, 1]).astype("<f4").tobytes(),
        triangles.astype("<u2").tobytes(),
        picture.getvalue(),
    ]
    views, binary = [], b""
    for block in blocks:
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(block)})
        binary += block + bytes(-len(block) % 4)
    count = len(vertices)
    half = np.sqrt(0.5)
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [1]}],
        "nodes": [{"mesh": 0}, {"children": [0], "rotation": [0, half, 0, half], "scale": [1000, 1000, 1000]}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        "textures": [{"source": 0}],
        "images": [{"bufferView": 3, "mimeType": "image/png"}],
        "buffers": [{"byteLength": len(binary)}],
        "bufferViews": views,
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": count, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5126, "count": count, "type": "VEC2"},
            {"bufferView": 2, "componentType": 5123, "count": triangles.size, "type": "SCALAR"},
        ],
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
    return path


def test_obj_and_glb_are_the_same_scan(tmp_path):
    (obj,), (glb,) = read_scan(write_obj(tmp_path)), read_scan(write_glb(tmp_path / "egg.glb"))
    vertices, uv, _ = egg()
    for piece in (obj, glb):
        corners = piece.vertices[piece.triangles]
        front = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2]
        assert (front > -1e-3).all() and front.max() > 1
        order = np.lexsort(np.round(piece.uv, 4).T)
        expected = np.lexsort(np.round(uv, 4).T)
        np.testing.assert_allclose(piece.vertices[order], vertices[expected], atol=0.01)
        np.testing.assert_allclose(piece.albedo, srgb_to_linear(PAINT / 255), atol=1e-5)


def test_negative_numbers_polygons_and_constants_of_obj(tmp_path):
    (tmp_path / "a.mtl").write_text("newmtl m\nKd 0.2 0.4 0.6\n")
    text = "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nusemtl m\nf -4 -3 -2 -1\nusemtl other\nf 1 2 3\n"
    (tmp_path / "a.obj").write_text(text)
    square, triangle = read_scan(tmp_path / "a.obj")
    assert square.triangles.shape == (2, 3) and triangle.triangles.shape == (1, 3)
    np.testing.assert_allclose(square.albedo[0, 0], [0.2, 0.4, 0.6])
    np.testing.assert_allclose(triangle.albedo[0, 0], 0.5)


def test_broken_scans_are_named(tmp_path):
    obj = write_obj(tmp_path)
    (tmp_path / "paint.png").unlink()
    with pytest.raises(InputError, match="paint.png"):
        read_scan(obj)
    (tmp_path / "egg head.mtl").unlink()
    with pytest.raises(InputError, match="egg head.mtl: no such material file"):
        read_scan(obj)
    for name, content, words in (
        ("a.obj", b"v 0 0 0\nf 1 2 3\n", "a.obj: can.t be read as a scan, obj"),
        ("b.obj", b"v 0 0 0\n", "b.obj: holds no triangles"),
        ("c.glb", b"glTF", "c.glb: can.t be read as a scan, glb"),
        ("d.ply", b"ply", "must be an .obj or .glb"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=words):
            read_scan(tmp_path / name)


@pytest.fixture
def face_is_seen(monkeypatch):
    """The finder is shown an egg; it says the landmarks of a real face, scaled onto it."""
    from skimage.data import astronaut

    face = find_faces(astronaut())[0]
    points = face.landmarks - face.landmarks[[33, 263]].mean(axis=0)
    points = points * 90 / np.linalg.norm(points[33, :2] - points[263, :2]) + [256, 236, 0]
    monkeypatch.setattr(scan, "find_faces", lambda image: [Face(points.astype(np.float32), 1.0)])


def test_every_front_is_a_rotation():
    for turn in scan._TURNS.values():
        assert np.linalg.det(turn) == pytest.approx(1) and (turn @ turn.T == np.eye(3)).all()


@pytest.mark.parametrize("front", ["z", "-y"])
def test_a_scan_is_brought_to_our_frame(tmp_path, face_is_seen, front):
    turn = scan._TURNS[front]
    head = framed(read_scan(write_obj(tmp_path, turn.T)), front, "egg")
    (part,) = head.parts
    assert np.ptp(part.vertices[:, 1]) == pytest.approx(0.3, rel=1e-4)
    assert part.vertices[part.vertices[:, 2].argmax(), :2] == pytest.approx([0, 0], abs=0.01)
    # Landmarks lie on the egg: (x / 75)² + (y / 110)² + (z / 80)² = 1 in its own units.
    scale = 220 / 0.3
    x, y, z = (head.landmarks * scale + [0, 0, 40]).T
    inside = (x / 75) ** 2 + (y / 110) ** 2 < 0.7
    assert inside.mean() > 0.8
    on_it = (x / 75) ** 2 + (y / 110) ** 2 + (z / 80) ** 2
    assert np.abs(on_it[inside] - 1).max() < 0.2


def test_renders_have_the_scans_truth(tmp_path, face_is_seen):
    write_obj(tmp_path)
    hdri = tmp_path / "hdri"
    hdri.mkdir()
    sky = np.full((128, 256, 3), 0.4, np.float32)
    sky[20:60, 220:] = 8
    np.save(hdri / "sky.npy", sky)
    benchmark = load(tmp_path, hdri=hdri, lights=1, size=48)
    assert benchmark.groups == ("egg",) and benchmark.size == 3
    items = list(benchmark.items("egg"))
    assert [item.id for item in items] == ["egg/+0/sky", "egg/-25/sky", "egg/+25/sky"]
    item = items[0]
    assert item.truth.mask.mean() > 0.3
    truth = item.truth
    exact = Estimate(truth.normal, truth.albedo, truth.light, truth.residual)
    figures = benchmark.score(item, exact).figures
    zero = ("normal_deg", "albedo_rel", "light_sh_rel", "residual_mae", "shading_rel")
    assert max(figures[name] for name in zero) < 1e-4 and figures["recon_l1"] < 0.01
    # Yellow above, pink below, as the texture has it, and the normals of an egg seen from a metre.
    rows = np.arange(48)[:, None] * np.ones(48)
    green = truth.albedo[..., 1]
    upper, lower = truth.mask & (rows < 12), truth.mask & (rows > 40)
    assert green[upper].mean() > 0.15 and green[lower].mean() < 0.05
    side = items[2].truth.normal[items[2].truth.mask].mean(axis=0) - truth.normal[truth.mask].mean(axis=0)
    assert side[0] > 0.15
    middle = normalize(truth.normal[20:24, 22:26].mean(axis=(0, 1)).astype(np.float64))
    assert angular_error_deg(middle, np.array([0.0, 0, 1])) < 25


def test_a_scan_without_a_face_is_a_failure(tmp_path, monkeypatch):
    write_obj(tmp_path)
    monkeypatch.setattr(scan, "find_faces", lambda image: [])
    hdri = tmp_path / "hdri"
    hdri.mkdir()
    np.save(hdri / "grey.npy", np.ones((128, 256, 3), np.float32))
    (failure,) = load(tmp_path, hdri=hdri).items("egg")
    assert isinstance(failure, Failure) and "egg.obj: no face found" in failure.message
    with pytest.raises(InputError, match="front 'up'"):
        load(tmp_path, hdri=hdri, front="up")
    with pytest.raises(InputError, match="holds no .obj or .glb"):
        load(hdri, hdri=hdri)

"""The face as a mesh, read by trimesh: shape, textures, axes; and the tangent space gives the camera's normals back."""

from pathlib import Path

import numpy as np
import pytest

from clips import ASTRONAUT
from illures import Decomposer
from illures.decompose.textured_mesh import face_mesh, write_mesh
from illures.errors import InputError
from illures.faces import to_crop

trimesh = pytest.importorskip("trimesh")


@pytest.fixture(scope="module")
def face():
    return Decomposer.from_pretrained()(ASTRONAUT)[0]


@pytest.mark.parametrize("suffix", ["glb", "obj"])
def test_trimesh_reads_shape_and_texture(face, tmp_path, suffix):
    path = tmp_path / f"face.{suffix}"
    write_mesh(path, face)
    read = trimesh.load(path, force="mesh", process=False)
    assert len(read.faces) == 898 and read.visual.kind == "texture"
    expected = face_mesh(face).positions
    np.testing.assert_allclose(read.bounds, [expected.min(0), expected.max(0)], rtol=0, atol=1e-6)
    assert 0.1 < np.ptp(expected[:, 1]) < 0.3  # a face is so many metres high
    assert read.face_normals[:, 2].mean() > 0.5  # looks at the viewer
    material = read.visual.material
    picture = (material.to_pbr() if suffix == "obj" else material).baseColorTexture
    size = face.crop.size
    assert picture.size == (size, size)
    # The texture under a vertex is the albedo there; trimesh has v up.
    at = to_crop(face.crop.face.landmarks, face.crop)[:468, :2]
    nose = int(np.argmin(np.abs(read.vertices - expected[4]).sum(1)))
    u, v = read.visual.uv[nose]
    np.testing.assert_allclose([u * size - 0.5, (1 - v) * size - 0.5], at[4], rtol=0, atol=0.01)


def test_the_normal_texture_gives_the_normals_back(face):
    mesh = face_mesh(face)
    at = np.rint(to_crop(face.crop.face.landmarks, face.crop)[:468, :2]).astype(int)
    facing = mesh.normals[:, 2] > 0.5
    x, y = np.clip(at[facing], 0, face.crop.size - 1).T
    local = mesh.normal[y, x] / 127.5 - 1
    normal, tangent = mesh.normals[facing], mesh.tangents[facing]
    axes = np.stack([tangent, np.cross(normal, tangent), normal], axis=-1)
    seen = np.einsum("nij,nj->ni", axes, local)
    cosine = (seen * face.normal[y, x]).sum(-1)
    assert np.rad2deg(np.arccos(np.clip(np.median(cosine), -1, 1))) < 4  # half a pixel beside the vertex


def test_another_suffix_is_named(face, tmp_path):
    with pytest.raises(InputError, match="use glb or obj"):
        write_mesh(Path(tmp_path / "face.fbx"), face)

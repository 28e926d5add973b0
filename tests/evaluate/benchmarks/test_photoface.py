"""The layout of Photoface, with sessions made by shading a public photo."""

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from illures.errors import InputError
from illures.evaluate.benchmark import Estimate, Failure
from illures.evaluate.benchmarks.photoface import load, read_session
from illures.faces import find_faces, mesh_normals
from illures.math.color import srgb_to_linear
from illures.math.normals import angular_error_deg

ZENITH = np.array([40.0, 40, 40, 40])


def write_session(folder, azimuth, sense):
    """A face painted on its own landmark mesh under four flashes; `sense` turns the file's azimuth into ours."""
    folder.mkdir(parents=True)
    photo = astronaut()[:256, 90:346]
    face = find_faces(photo)[0]
    normal = mesh_normals(face.landmarks, 256)
    normal[~normal.any(axis=-1)] = [0, 0, 1]
    paint = 0.05 + 0.9 * srgb_to_linear(photo.mean(axis=-1) / 255)
    for k, (z, a) in enumerate(zip(np.deg2rad(ZENITH), np.deg2rad(sense(azimuth)), strict=True)):
        flash = np.array([np.cos(a) * np.sin(z), np.sin(a) * np.sin(z), np.cos(z)])
        image = np.rint(255 * np.clip(paint * np.clip(normal @ flash, 0, None), 0, 1)).astype(np.uint8)
        cv2.imwrite(str(folder / f"im{k}.bmp"), image)
    rows = "; ".join(f"{z} {a}" for z, a in zip(ZENITH, azimuth, strict=True))
    (folder / "LightSource.m").write_text(f"% zenith azimuth of 4 lights\nLS = [{rows}];\n")
    return normal


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photoface")
    azimuth = np.array([45.0, 135, 225, 315])
    for person in (1001, 1002, 1003):
        write_session(folder / "PhotofaceDB" / str(person) / "2008-03-01_07-57-06", azimuth, lambda a: a)
    return folder


@pytest.mark.parametrize("sense", [lambda a: a, lambda a: -a, lambda a: a + 90, lambda a: 180 - a])
def test_normals_are_right_whichever_way_azimuth_counts(tmp_path, sense):
    normal = write_session(tmp_path / "s", np.array([40.0, 130, 230, 310]), sense)
    session = read_session(tmp_path / "s")
    inside = session.mask
    assert inside.sum() > 2000
    assert angular_error_deg(session.normal[inside].astype(float), normal[inside].astype(float)).mean() < 1.5


def test_people_are_chosen_by_seed_and_truth_scores_zero(root):
    benchmark = load(root, people=2)
    assert benchmark.groups == load(root, people=2).groups and benchmark.size == 8
    assert len({load(root, people=2, seed=k).groups for k in range(8)}) > 1
    scores = []
    for item in benchmark.items(benchmark.groups[0]):
        scores.append(benchmark.score(item, Estimate(item.truth.normal, item.truth.albedo)))
        assert scores[-1].figures["normal_deg"] < 0.01 and scores[-1].figures["albedo_rel"] < 1e-6
        assert item.tags["light_deg"] == 40
    assert len(scores) == 4 and benchmark.summarise(scores)["albedo_drift_rel"] < 1e-6


def test_what_is_missing_or_broken_is_named(root, tmp_path):
    with pytest.raises(InputError, match="holds no <person>/<session>/LightSource.m"):
        load(tmp_path)
    session = tmp_path / "PhotofaceDB" / "1" / "day"
    session.mkdir(parents=True)
    (session / "LightSource.m").write_text("[1 2; 3 4]")
    (failure,) = load(tmp_path).items("1")
    assert isinstance(failure, Failure) and failure.message.endswith("im0.bmp: no such file")
    source = root / "PhotofaceDB" / "1001" / "2008-03-01_07-57-06"
    for k in range(4):
        (session / f"im{k}.bmp").write_bytes((source / f"im{k}.bmp").read_bytes())
    with pytest.raises(InputError, match="holds 4 angles .* must be 8"):
        read_session(session)
    (session / "LightSource.m").write_text("[100 200; 100 20; 120 30; 110 90]")
    with pytest.raises(InputError, match="are not zeniths"):
        read_session(session)
    (session / "LightSource.m").write_text("[40 135; 40 45; 40 225; 40 315]")
    with pytest.raises(InputError, match="degrees off the face's mesh"):
        read_session(session)
    (session / "im2.bmp").write_bytes(b"BM")
    with pytest.raises(InputError, match="im2.bmp: not a readable"):
        read_session(session)

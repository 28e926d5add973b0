"""Methods against laws: what a perfect geometry gives, and what other people's files mean in their own words."""

import cv2
import numpy as np
import pytest

from balls import SIZE, ball, lamp, sphere_mesh
from fake_network import middle_face
from illures.evaluate.methods.dummies import Constant, ConstantAlbedo, Copy, MeanFace, MeanFaces
from illures.evaluate.methods.geometry import explain, fit_light
from illures.evaluate.methods.query import Query, known, spread_normals
from illures.evaluate.methods.raster import normal_map, without_holes
from illures.evaluate.scoring import photo_mask
from illures.math.color import linear_to_srgb, srgb_to_linear
from illures.math.normals import angular_error_deg, normalize, vertex_normals
from illures.render import render, shade
from illures.types import Face

cv2.setNumThreads(1)


def test_relighting_by_a_ratio_is_exact_where_the_equation_is():
    normal, albedo = ball(), np.random.default_rng(1).uniform(0.2, 0.8, (SIZE, SIZE, 3)).astype(np.float32)
    source, target = lamp(0.3, 0.2, 0.9), lamp(-0.3, 0.1, 0.9)
    seen = (shade(normal, source).min(axis=-1) > 0.2) & normal.any(axis=-1)
    relit = explain(linear_to_srgb(render(albedo, normal, source)), normal, source).relight(target)
    true = albedo * np.clip(shade(normal, target), 0, None)
    assert np.allclose(relit[seen], true[seen], atol=1e-4)


def test_the_light_of_a_grey_ball_is_found_in_spite_of_dark_spots():
    normal, light = ball(), lamp(0.5, 0.3, 0.8)
    image = np.clip(0.4 * shade(normal, light), 0, None)
    image[np.random.default_rng(2).uniform(size=(SIZE, SIZE)) < 0.1] = 0
    found = fit_light(image, known(normal))
    assert angular_error_deg(normalize(found[[3, 1, 2]].mean(-1)), normalize(light[[3, 1, 2]].mean(-1))) < 3


def test_albedo_times_shading_is_the_photo(query):
    normal = known(ball())
    estimate = explain(query.photo, normal)
    given = np.isfinite(normal).all(-1) & (shade(np.nan_to_num(normal), estimate.light).min(-1) > 0.2)
    image = estimate.albedo * shade(normal, estimate.light)
    assert np.allclose(image[given], srgb_to_linear(query.photo)[given], atol=1e-4)
    assert np.allclose(estimate.relight(estimate.light)[given], srgb_to_linear(query.photo)[given], atol=1e-4)


def test_a_sphere_is_drawn_with_its_normals():
    vertices, triangles = sphere_mesh(40.0, [47.5, 47.5, 0])
    drawn, true = normal_map(vertices, triangles, SIZE), ball(radius=40 / SIZE)
    inside = (np.abs(drawn).sum(-1) > 0) & (true[..., 2] > 0.3)
    assert inside.sum() > 0.9 * (true[..., 2] > 0.3).sum()
    assert angular_error_deg(drawn[inside].astype(float), true[inside].astype(float)).mean() < 1


def test_the_nearer_surface_hides_the_other_and_backs_are_not_drawn():
    square = np.array([[10, 10, 0], [80, 10, 0], [80, 80, 0], [10, 80, 0]], float)
    tilted = square * [1, 1, 0] + np.array([[0, 0, 5], [0, 0, 25], [0, 0, 25], [0, 0, 5]])
    triangles = np.array([[0, 2, 1], [0, 3, 2]])
    both = normal_map(np.concatenate([square, tilted]), np.concatenate([triangles, triangles + 4]), SIZE)
    assert np.allclose(both[40, 40], normalize(np.array([-20 / 70, 0, 1.0])), atol=1e-4)
    assert not normal_map(square, triangles[:, ::-1], SIZE).any()


def test_gaps_inside_are_filled_and_the_outside_is_not():
    normal = ball()
    torn = normal.copy()
    torn[60:64, 40:56] = 0
    mended = without_holes(torn)
    assert angular_error_deg(mended[60:64, 40:56], normal[60:64, 40:56]).max() < 5
    assert not mended[0, 0].any()


def test_normals_come_back_upright_from_a_turned_crop():
    face = middle_face(200, 200)
    angle = np.deg2rad(25)
    spin = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])  # y down: clockwise as seen
    points = face.landmarks.copy()
    points[:, :2] = (points[:, :2] - 100) @ spin.T + 100
    turned = Face(points.astype(np.float32), 1.0)
    query = Query(np.zeros((200, 200, 3), np.float32), turned, turned)
    # Of the crop's frame, up is the head's up: in the photo it leans to the right by the same angle.
    up = np.broadcast_to(np.float32([0, 1, 0]), (64, 64, 3))
    found = spread_normals(up, query.crop(64))
    assert np.allclose(found[100, 100], [np.sin(angle), np.cos(angle), 0], atol=0.06)


def test_a_wider_crop_shows_more_around_the_same_middle(query):
    tight, wide = query.crop(64), query.crop(64, 2.0)
    middle = np.array([31.5, 31.5, 1])
    from illures.faces import inverse, scale_of

    assert np.allclose(inverse(tight) @ middle, inverse(wide) @ middle, atol=1e-3)
    assert scale_of(wide) == pytest.approx(scale_of(tight) / 2)


def test_dummies_say_what_they_are(query):
    assert (Constant().estimate(query).normal == [0, 0, 1]).all()
    copy = Copy().estimate(query)
    assert np.allclose(linear_to_srgb(copy.albedo), query.photo, atol=1e-5)
    assert (copy.relight(lamp(1, 0, 0.01)) == copy.albedo).all()


def test_the_constant_albedo_is_the_mean_colour_of_the_face(query):
    albedo = ConstantAlbedo().estimate(query).albedo
    assert albedo.shape == query.photo.shape and np.ptp(albedo.reshape(-1, 3), axis=0).max() == 0
    inside = photo_mask(query.photo.shape[:2], query.face)
    assert inside.any() and not inside.all()
    assert np.allclose(albedo[0, 0], srgb_to_linear(query.photo)[inside].mean(axis=0), atol=1e-5)


def test_the_mean_face_leaves_its_subject_out(query):
    right, up = (np.broadcast_to(np.float32(v), (32, 32, 3)) for v in ([0.6, 0, 0.8], [0, 0.6, 0.8]))
    faces = MeanFaces({"a": right, "b": up})
    for group, other in (("a", up), ("b", right)):
        found = faces(group).estimate(query).normal
        assert np.allclose(found, MeanFace(other).estimate(query).normal)


@pytest.fixture(scope="module")
def head():
    pytest.importorskip("scipy")
    from illures.evaluate.methods.morphable import linear_head

    return linear_head(people=12, modes=6)


def test_the_morphable_model_finds_a_pose_and_comes_nearer_to_a_face(head):
    from illures.evaluate.methods.morphable import fit

    yaw = cv2.Rodrigues(np.array([0.1, 0.35, -0.05]))[0]

    def placed(points):
        return (points @ yaw.T * 700 + [96, -96, 0]) * [1, -1, 1]

    same = fit(head, placed(np.concatenate([head.landmarks])).astype(np.float32), 192)
    assert np.abs(same - placed(head.mean)).max() < 0.5  # pixels
    weights = np.zeros(len(head.modes))
    weights[:4] = [2, -1.5, 1, 1]
    person = head.mean + np.einsum("m,mvd->vd", weights, head.modes)
    points = np.einsum("lk,lkd->ld", head.weights, person[head.corners])
    found = fit(head, placed(points).astype(np.float32), 192)
    true, mean = placed(person), placed(head.mean)
    flip = np.array([1.0, -1, 1])
    normals = [normalize(vertex_normals(v * flip, head.triangles)) for v in (found, true, mean)]
    front = normals[1][:, 2] > 0.3
    errors = [angular_error_deg(normals[k][front], normals[1][front]).mean() for k in (0, 2)]
    assert errors[0] < 0.8 * errors[1]

"""Stabilising: steady where nothing changes, no ghosts where something moves, and nothing kept that should go."""

import cv2
import numpy as np
import pytest

from clips import pan, pictures
from illures.decompose.decomposer import Decomposer
from illures.evaluate.metrics import flicker
from illures.faces import atlas, find_faces, to_crop, upright
from illures.faces.track import TrackedFace
from illures.math import sh
from illures.model.predictor import Prediction
from illures.render import render
from illures.types import Face
from illures.video.stabilize import Stabilizer, smooth_points


@pytest.fixture(scope="module")
def face() -> Face:
    return find_faces(pictures(1)[0])[0]


class Nervous:
    """A network whose albedo is the image under an even light, at a strength that trembles."""

    size, info = 128, {}

    def __init__(self, tremble: float = 0.1) -> None:
        self.rng, self.tremble, self.runs = np.random.default_rng(0), tremble, 0

    def __call__(self, images: np.ndarray, guides: np.ndarray, contexts: np.ndarray) -> list:
        from types import SimpleNamespace

        from illures.math.color import srgb_to_linear

        self.runs += len(images)
        light = np.zeros((9, 3), np.float32)
        light[0] = 3.5449  # shading 1
        scale = 1 + self.tremble * self.rng.standard_normal()
        albedo = [np.clip(0.6 * scale * srgb_to_linear(image), 0, 1).astype(np.float32) for image in images]
        normal = [np.where(np.abs(guide).sum(-1, keepdims=True) > 0, guide, np.float32([0, 0, 1])) for guide in guides]
        return [
            SimpleNamespace(albedo=a, normal=n, light=light, residual=0 * a, regions=None)
            for a, n in zip(albedo, normal, strict=True)
        ]


def moved(face: Face, x: float, y: float, zoom: float = 1.0) -> Face:
    """A face of the still picture where `clips.pictures` moves it."""
    return Face((face.landmarks * zoom + [x, y, 0]).astype(np.float32), face.score)


def run(stabilizer: Stabilizer, images: list, faces: list[Face]) -> list:
    return [
        stabilizer(image, [TrackedFace(face, 0)], i / 25)[0]
        for i, (image, face) in enumerate(zip(images, faces, strict=True))
    ]


def flat(made: list, faces: list[Face]) -> np.ndarray:
    """Albedo at the places of the mesh that are well inside the mask."""
    seen = atlas.layout(64).inside.copy()
    flats = []
    for each, face in zip(made, faces, strict=True):
        points = to_crop(face.landmarks, each.crop)
        places = atlas.positions(points, 64)
        seen &= (atlas.facing(points, 64) > 0.5) & (atlas.unwrap(each.mask, places) > 0.99)
        flats.append(atlas.unwrap(each.albedo, places))
    assert seen.sum() > 500
    return np.stack(flats)[:, seen]


def frame_by_frame(images: list, faces: list[Face], network: Nervous) -> list:
    return [Decomposer(network, find_faces=lambda _, f=f: [f])(i)[0] for i, f in zip(images, faces, strict=True)]


@pytest.fixture(scope="module")
def noisy(face: Face) -> tuple[list, float]:
    """Frames with noise, and how much the trembling network flickers if it decomposes each by itself."""
    images, faces = pictures(16, noise=8.0), [face] * 16
    return images, flicker(flat(frame_by_frame(images, faces, Nervous()), faces))


@pytest.mark.parametrize("every", [1, 2, 4])
def test_noise_and_a_trembling_network_flicker_less_than_half(
    face: Face, noisy: tuple[list, float], every: int
) -> None:
    (images, alone), faces = noisy, [face] * 16
    steady = flat(run(Stabilizer(Decomposer(Nervous()), every), images, faces), faces)
    assert flicker(steady) < 0.5 * alone
    brightness = steady.mean(axis=(1, 2))
    assert np.abs(np.diff(brightness)).max() < 0.05 * brightness.mean()  # the metric itself ignores the whole's scale


def test_a_moving_face_leaves_no_ghost(face: Face) -> None:
    images, faces = pictures(12, pan), [moved(face, *pan(i)) for i in range(12)]
    alone = frame_by_frame(images, faces, Nervous(0.0))
    made = run(Stabilizer(Decomposer(Nervous(0.0))), images, faces)
    # In the mesh's own square: the crops differ by the smoothing of the landmarks.
    both = flat([*made, *alone], [*faces, *faces])
    error = np.abs(both[:12] - both[12:]).mean(axis=(1, 2)) / both[12:].mean(axis=(1, 2))
    assert error.max() < 0.04
    # Without following the face the same mean over time would smear it.
    smeared = flat([*made[:1], *alone[1:]], [faces[0]] * 12)
    assert np.abs(smeared[0] - smeared[1:]).mean() > 3 * error.max() * both.mean()


def test_the_sum_is_the_image(face: Face) -> None:
    images = pictures(3, noise=4.0)
    for each in run(Stabilizer(Decomposer(Nervous())), images, [face] * 3):
        total = render(each.albedo, each.normal, each.light, each.residual)
        np.testing.assert_allclose(total, each.image, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(each.normal, axis=-1), 1, atol=1e-4)


def test_dimmer_light_is_light_and_not_skin(face: Face) -> None:
    image = pictures(1)[0]
    dim = np.clip(image * 0.8, 0, 255).astype(np.uint8)
    # The network, which would not know it, is not asked on the last frame.
    made = run(Stabilizer(Decomposer(Nervous(0.0)), every=8), [image] * 7 + [dim], [face] * 8)
    before, after = flat(made[6:], [face] * 2)
    assert np.abs(after - before).mean() < 0.02 * before.mean()
    assert made[7].light[0] == pytest.approx(made[6].light[0] * np.float32(0.62), rel=0.08)  # 0.8 ** 2.2


def test_what_opens_between_runs_of_the_network_is_seen_at_once(face: Face) -> None:
    # A bright bar over the closed mouth, as teeth are, on a frame that the network does not see.
    image = pictures(1)[0]
    teeth = image.copy()
    left, right = (face.landmarks[k, :2] for k in (61, 291))
    x, y = (left + right) / 2
    wide = 0.3 * float(np.linalg.norm(right - left))
    bar = slice(round(y) - 1, round(y) + 2), slice(round(x - wide), round(x + wide))
    teeth[bar] = 230
    made = run(Stabilizer(Decomposer(Nervous(0.0)), every=8), [image] * 5 + [teeth], [face] * 6)
    places = to_crop(np.array([[x, y], [x, y - 0.9 * (right - left)[0]]]), made[-1].crop)
    mouth, cheek = ((round(v), round(u)) for u, v in places)
    before, after = made[4].albedo, made[5].albedo
    truth = made[5].image[mouth] / made[4].image[mouth]  # the light has not changed
    np.testing.assert_allclose(after[mouth] / before[mouth], truth, rtol=0.15)
    np.testing.assert_allclose(after[cheek], before[cheek], rtol=0.03)


def test_the_network_runs_on_every_nth_frame_and_for_each_newcomer(face: Face) -> None:
    network = Nervous()
    run(Stabilizer(Decomposer(network), every=3), pictures(7), [face] * 7)
    assert network.runs == 3
    stabilizer = Stabilizer(Decomposer(network), every=3)
    image = pictures(1)[0]
    for number in range(2):
        both = [TrackedFace(face, 0), TrackedFace(moved(face, 30, 10), 1)]
        stabilizer(image, both[: 1 + number], number / 25)
    assert network.runs == 3 + 2


def test_reset_forgets(face: Face) -> None:
    image = pictures(1)[0]
    other = np.ascontiguousarray(image[..., ::-1])
    stabilizer = Stabilizer(Decomposer(Nervous(0.0)))
    run(stabilizer, [image] * 5, [face] * 5)
    stabilizer.reset()
    fresh = stabilizer(other, [TrackedFace(face, 7)], 1.0)[0]
    alone = Stabilizer(Decomposer(Nervous(0.0)))(other, [TrackedFace(face, 7)], 1.0)[0]
    np.testing.assert_array_equal(fresh.albedo, alone.albedo)


def test_state_taken_back_goes_on_bit_for_bit(face: Face) -> None:
    images, faces = pictures(8, pan), [moved(face, *pan(i)) for i in range(8)]
    whole = run(Stabilizer(Decomposer(Nervous(0.0))), images, faces)
    first, second = Stabilizer(Decomposer(Nervous(0.0))), Stabilizer(Decomposer(Nervous(0.0)))
    run(first, images[:5], faces[:5])
    second.restore(first.state())
    for number in range(5, 8):
        # The tracker begins anew, too, and counts from 0 or from anywhere.
        made = second(images[number], [TrackedFace(faces[number], 40)], number / 25)[0]
        np.testing.assert_array_equal(made.albedo, whole[number].albedo)
        np.testing.assert_array_equal(made.light, whole[number].light)


class Reddish(Nervous):
    """A steady network that makes up colours, as networks do for photos without."""

    def __call__(self, images: np.ndarray, guides: np.ndarray, contexts: np.ndarray) -> list:
        colour = np.float32([1.2, 1, 0.8])
        made = super().__call__(images, guides, contexts)
        return [Prediction(**vars(each) | {"albedo": (each.albedo * colour).clip(0, 1)}) for each in made]


def test_faint_colours_do_not_come_and_go(face: Face) -> None:
    """Colours that tremble about the least that counts: the albedo of a face changes between grey and not but once."""
    grey = pictures(1)[0].mean(axis=-1, keepdims=True).clip(8, 240)
    images = [np.round(grey + np.array([k, 0, 0])).astype(np.uint8) for k in (3, 4, 3, 4, 3, 3, 4, 0, 0, 3, 0)]
    network = Reddish(0.0)

    def coloured(made: list) -> list[bool]:
        return [bool(np.ptp(each.albedo, axis=-1).max() > 1e-3) for each in made]

    alone = coloured(frame_by_frame(images, [face] * len(images), network))
    assert alone == [False, True, False, True, False, False, True, False, False, False, False]
    stabilizer = Stabilizer(Decomposer(network), every=1)
    greys = []
    for number, image in enumerate(images):
        stabilizer(image, [TrackedFace(face, 0)], number / 25)
        greys.append(bool(stabilizer.state()["0.grey"]))
    assert greys == [True] + 6 * [False] + 4 * [True]
    stabilizer.reset()
    stabilizer(images[0], [TrackedFace(face, 0)], 1.0)
    assert stabilizer.state()["0.grey"]


def test_normals_turn_with_the_head(face: Face) -> None:
    # The head turned in the plane: the crop turns with it, normals stay; upright they turn with the head.
    points = face.landmarks.astype(np.float64)
    centre = points.mean(0)
    for degrees in (0, 30):
        a = np.deg2rad(degrees)
        turn = np.array([[np.cos(a), np.sin(a), 0], [-np.sin(a), np.cos(a), 0], [0, 0, 1]])  # y up, counter-clockwise
        flip = np.diag([1.0, -1, 1])
        turned = ((points - centre) @ (flip @ turn.T @ flip).T + centre).astype(np.float32)
        np.testing.assert_allclose(atlas.head_rotation(turned), turn.T @ atlas.head_rotation(face.landmarks), atol=1e-5)


def test_light_is_kept_upright(face: Face) -> None:
    image = pictures(1)[0]
    made = Stabilizer(Decomposer(Nervous(0.0)))(image, [TrackedFace(face, 0)], 0.0)[0]
    back = sh.rotate(sh.rotate(made.light, upright(made.crop)), upright(made.crop).T)
    np.testing.assert_allclose(back, made.light, atol=1e-5)


def test_smoothing_takes_jitter_and_follows_motion(face: Face) -> None:
    rng = np.random.default_rng(1)
    size = np.ptp(face.landmarks[:, 0])
    stabilizer = Stabilizer(Decomposer(Nervous(0.0)))
    image = pictures(1)[0]
    jitter, kept = [], []
    for number in range(30):
        noisy = Face((face.landmarks + 0.001 * size * rng.standard_normal((478, 3))).astype(np.float32), 1.0)
        made = stabilizer(image, [TrackedFace(noisy, 0)], number / 25)[0]
        jitter.append(noisy.landmarks)
        kept.append(made.crop.face.landmarks)
    assert np.std(kept[5:], axis=0).mean() < 0.8 * np.std(jitter[5:], axis=0).mean()
    memory = stabilizer._memories[0]
    ahead = memory.points + np.float32([0.2 * size, 0, 0])
    assert np.abs(smooth_points(memory, ahead, memory.time_s + 0.04) - ahead)[:, 0].mean() < 0.02 * size


def test_atlas_there_and_back(face: Face) -> None:
    image = pictures(1)[0]
    from illures.faces import crop_face, extract

    crop = crop_face(face, image.shape[:2], 128)
    seen = cv2.GaussianBlur(extract(image, crop).astype(np.float32), (0, 0), 1.5)
    points = to_crop(face.landmarks, crop)
    wrap = atlas.wrap(points, 128)
    back = wrap(atlas.unwrap(seen, atlas.positions(points)))
    facing = wrap(atlas.facing(points)) > 0.4
    inside = cv2.erode((wrap.on_mesh & facing).astype(np.uint8), np.ones((5, 5))) > 0
    assert inside.sum() > 3000
    assert np.abs(back - seen)[inside].mean() < 2.5

"""Measure where on the head models the 478 points of the photo detector lie; write an npz of some kilobytes.

    python scripts/build_landmarks.py src/illures/synth/assets/landmarks.npz --ict ict_head.npz

Heads of random people (at rest, smiling, with open mouths; yaw about -25, 0 and 25 degrees) are rendered under soft
light, and the detector runs on each render. The surface that can be seen is sampled every half millimetre or so. Each
point goes to the sample whose projections lie nearest to the detections over all renders (Huber's sum), together with
its mirror image on the other half. A weak pull toward the place that the 68 landmarks of the model foretell (thin-plate
spline from MediaPipe's canonical face) settles what few renders tell. Points of the mesh may lie on skin, those of the
irises on the eyeballs alone; teeth and the inside of the mouth take no part. The target must exist, as the models load
it, but the points of a measured model hang on nothing that it holds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy.spatial import cKDTree

from illures.faces import find_face_in_crop
from illures.faces.contour import INDICES
from illures.math.color import linear_to_srgb
from illures.synth import lighting
from illures.synth.heads.embedding import Embedding, embed, thin_plate
from illures.synth.heads.expressions import Weights
from illures.synth.heads.makehuman import MakeHumanModel
from illures.synth.heads.models import HeadModel, load_model
from illures.synth.heads.person import Anatomy, make_person
from illures.synth.renderer import kernels
from illures.synth.renderer.scene import Jitter, Pose, View, merge, place
from illures.synth.renderer.transport import Transport
from illures.types import Head

SEED = 478
SURFACE = 468  # points of the mesh; then come the irises, 5 points each: middle, image right, top, image left, bottom
OTHER_IRIS = (0, 3, 2, 1, 4)  # the same points seen in a mirror
LATTICE = 5  # samples along an edge of a triangle
REACH, IRIS_REACH = 0.03, 0.014  # how far from the first guess a point may go [m]
COARSE, FINE = 9, 0.003  # every ninth sample is tried first, then all within this distance of the best [m]
HUBER = 0.03  # eye distances: errors beyond this count less
PULL = 20.0  # cost of being away from the first guess [eye distances / m²]: 0.002 at 1 cm
OPEN = {"jawOpen": 0.5, "eyeBlink_L": 0.5, "eyeBlink_R": 0.5}  # parts the lips, moves the lids
LOOKS = ((0, 0), (0.9, 0), (-0.9, 0), (0, 0.4), (0, -0.4))  # (x, y) of directions with z = 1 from which one may look

Average = Callable[[Weights], Float[np.ndarray, "vertices 3"]]


@dataclass(frozen=True)
class Samples:
    """Places on the surface of a model that can be seen.

    Attributes:
        corners: model vertices of the triangle of each.
        weights: barycentric.
        rest: positions on the average head at rest [m].
        iris: lies on an eyeball, not on skin.
        mirror: number of the mirror image of each.
    """

    corners: Int[np.ndarray, "samples 3"]
    weights: Float[np.ndarray, "samples 3"]
    rest: Float[np.ndarray, "samples 3"]
    iris: Bool[np.ndarray, " samples"]
    mirror: Int[np.ndarray, " samples"]


@dataclass(frozen=True)
class Shot:
    """What the detector found on one render.

    Attributes:
        vertices: of the posed model, camera frame [m].
        plane: similarity of image plane (x right, y down) to pixels.
        found: points [px].
        unit: distance of the eyes, as if seen from the front [px].
    """

    vertices: Float[np.ndarray, "vertices 3"]
    plane: Float[np.ndarray, "2 3"]
    found: Float[np.ndarray, "478 2"]
    unit: float


def main() -> None:
    """Measure each model, write the npz."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", type=Path, help="npz to write")
    parser.add_argument("--ict", type=Path, help="npz of the ICT model; without it, its points stay as they are")
    parser.add_argument("--renders", type=int, default=72, help="of each model")
    options = parser.parse_args()
    kernels.start(threads=1)
    models = {"makehuman": "makehuman"} | ({"ict": f"ict={options.ict}"} if options.ict else {})
    with np.load(options.target) as file:
        arrays = dict(file)
    for name, text in models.items():
        embedding, errors = measure(load_model(text), options.renders)
        arrays[f"{name}_vertices"] = embedding.vertices.astype(np.int32)
        arrays[f"{name}_weights"] = embedding.weights.astype(np.float32)
        median, most = np.quantile(errors, [0.5, 0.9])
        print(f"{name}: {len(errors)} renders, median {median:.4f}, 90 % below {most:.4f} eye distances")
    np.savez_compressed(options.target, **arrays)


def measure(model: HeadModel, renders: int) -> tuple[Embedding, Float[np.ndarray, "shots 478"]]:
    """The points of a model, and how far from each detection they project [eye distances]."""
    average: Average = (
        model.average if isinstance(model, MakeHumanModel) else model.shape(np.random.default_rng(0), 0.0)
    )
    samples = seen_samples(model.anatomy, average)
    guess = first_guess(model.anatomy, average({}), samples)
    skin, eyes = (samples.corners[samples.iris == iris] for iris in (False, True))
    rough = embed(guess, average({}), np.unique(np.concatenate([skin, eyes]), axis=0))
    shots = [shot for k in range(renders) if (shot := take(model, rough, k))]
    best = choose(samples, shots, guess)
    embedding = Embedding(samples.corners[best], samples.weights[best])
    errors = np.stack([errors_of(embedding.points(shot.vertices), shot, np.arange(478)) for shot in shots])
    return embedding, errors


def seen_samples(anatomy: Anatomy, average: Average) -> Samples:
    """Samples on skin and eyeballs that are seen from somewhere in front, at rest or with the mouth open."""
    cuts = {piece.material: piece.vertices[piece.triangles] for piece in anatomy.cuts}
    steps = [(i, j, LATTICE - i - j) for i in range(LATTICE + 1) for j in range(LATTICE + 1 - i)]
    triangles = np.concatenate([cuts["skin"], cuts["eyes"]])
    corners = np.repeat(triangles, len(steps), axis=0)
    weights = np.tile(np.array(steps) / LATTICE, (len(triangles), 1))
    iris = np.arange(len(corners)) >= len(cuts["skin"]) * len(steps)
    poses = [average({}), average(OPEN)]
    both = np.concatenate([Embedding(corners, weights).points(pose) for pose in poses], axis=1)
    keyed = np.concatenate([both, iris[:, None]], axis=1)
    _, once = np.unique(np.round(1e5 * keyed).astype(np.int64), axis=0, return_index=True)  # edges are shared
    corners, weights, both, keyed = corners[once], weights[once], both[once], keyed[once]
    everything = np.concatenate(list(cuts.values()))
    seen = seen_from_front(both[:, :3], corners, poses[0], everything)
    seen |= seen_from_front(both[:, 3:], corners, poses[1], everything)
    # Lips that touch at rest part in the open pose, so that mirror images are told apart by both poses together.
    _, mirror = cKDTree(keyed[seen]).query(keyed[seen] * [-1, 1, 1, -1, 1, 1, 1])
    return Samples(corners[seen], weights[seen], both[seen, :3], iris[once][seen], mirror)


def seen_from_front(
    points: Float[np.ndarray, "samples 3"],
    corners: Int[np.ndarray, "samples 3"],
    vertices: Float[np.ndarray, "vertices 3"],
    triangles: Int[np.ndarray, "triangles 3"],
) -> Bool[np.ndarray, " samples"]:
    """Whether at least one of the directions sees each point."""
    _, mi = kernels.device()
    mesh = mi.Mesh("head", vertex_count=len(vertices), face_count=len(triangles))
    parameters = mi.traverse(mesh)
    parameters["vertex_positions"] = mi.Float(vertices.astype(np.float32).ravel())
    parameters["faces"] = mi.UInt32(triangles.astype(np.uint32).ravel())
    parameters.update()
    scene = mi.load_dict({"type": "scene", "mesh": mesh})
    a, b, c = (vertices[corners[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    seen = np.zeros(len(points), bool)
    for x, y in LOOKS:
        direction = np.array([x, y, 1]) / np.sqrt(1 + x * x + y * y)
        origin = (points + 2e-4 * direction + 1e-4 * normal).astype(np.float32)
        ray = mi.Ray3f(mi.Point3f(*(mi.Float(axis) for axis in origin.T.copy())), mi.Vector3f(*map(float, direction)))
        seen |= (normal @ direction > 0.05) & ~np.array(scene.ray_test(ray))
    return seen


def first_guess(
    anatomy: Anatomy, rest: Float[np.ndarray, "vertices 3"], samples: Samples
) -> Float[np.ndarray, "478 3"]:
    """The canonical mesh bent to the 68 landmarks of the average head; irises at the front of the eyeballs."""
    mesh = thin_plate(canonical(), canonical()[INDICES], rest[anatomy.points68])
    eyes = [samples.rest[samples.iris & (samples.rest[:, 0] * side > 0)] for side in (-1, 1)]
    return np.concatenate([mesh, *(np.tile(eye[eye[:, 2].argmax()], (5, 1)) for eye in eyes)])


def canonical() -> Float[np.ndarray, "468 3"]:
    """MediaPipe's canonical face [cm]; exactly symmetric."""
    with np.load(str(files("illures.faces") / "weights" / "face_mesh.npz")) as mesh:
        return mesh["positions"].astype(np.float64)


def twins() -> Int[np.ndarray, "478"]:
    """The point on the other half of the face that answers to each point."""
    _, mesh = cKDTree(canonical()).query(canonical() * [-1, 1, 1])
    irises = [start + np.array(OTHER_IRIS) for start in (SURFACE + 5, SURFACE)]
    return np.concatenate([mesh, *irises])


def take(model: HeadModel, rough: Embedding, k: int) -> Shot | None:
    """Render and detect; None where no face is found."""
    rng = np.random.default_rng([SEED, k])
    shape, weights = model.shape(rng), expression(rng, k)
    head, vertices = make_person(model.anatomy, shape, rng, accessories=0.0).head(weights), shape(weights)
    yaw = rng.uniform(-8, 8) + (0, 25, 0, -25)[k % 4]
    pose = Pose(float(yaw), float(rng.normal(0, 6)), float(rng.normal(0, 3)), float(rng.uniform(0.7, 1.6)))
    landmarks = rough.points(vertices)  # not the head's own: what is measured must not hang on an earlier measurement
    view = place(landmarks.astype(np.float32), pose, 256, Jitter(scale=0.85))
    face = find_face_in_crop(photo(head, view, rng))
    if face is None:
        return None
    back = np.linalg.inv(view.plane[:, :2])
    plane = np.concatenate([back, -back @ view.plane[:, 2:]], axis=1)
    points = landmarks[INDICES]
    eyes = np.linalg.norm(points[36:42].mean(0) - points[42:48].mean(0)) / pose.distance
    posed = vertices @ view.rotation.T + view.translation
    found = face.landmarks[:, :2].astype(np.float64)
    return Shot(posed, plane, found, float(eyes * np.hypot(*plane[0, :2])))


def expression(rng: np.random.Generator, k: int) -> Weights:
    """At rest, jaw open and smiling in turn, with some gaze and lids."""
    left, lids = rng.normal(0, 0.25), rng.uniform(0, 0.2)
    weights = {"eyeLookOut_L": max(left, 0), "eyeLookIn_R": max(left, 0)}
    weights |= {"eyeLookIn_L": max(-left, 0), "eyeLookOut_R": max(-left, 0)}
    weights |= {"eyeBlink_L": lids, "eyeBlink_R": lids}
    if k % 3 == 1:
        weights["jawOpen"] = rng.uniform(0.15, 0.5)
    if k % 3 == 2:
        weights["mouthSmile_L"] = weights["mouthSmile_R"] = rng.uniform(0.3, 0.9)
    return weights


def photo(head: Head, view: View, rng: np.random.Generator) -> UInt8[np.ndarray, "size size 3"]:
    """The head under a soft sky, well exposed, before grey (sRGB)."""
    above, side = rng.uniform(0.4, 1), rng.uniform(-0.25, 0.25)
    rows, columns = np.linspace(1, 0, lighting.HEIGHT), np.sin(np.linspace(0, 2 * np.pi, lighting.WIDTH))
    sky = 0.5 + above * rows[:, None] + side * columns
    transport = Transport(merge(head, view), view, samples=12, depth=2, seed=1)
    image = transport.light(lighting.split(np.repeat(sky[..., None], 3, axis=2).astype(np.float32)), 4)
    guides = transport.guides
    image = image * (0.3 / image[guides.mask].mean()) + 0.15 * (1 - guides.coverage[..., None])
    return np.round(255 * np.clip(linear_to_srgb(image.astype(np.float32)), 0, 1)).astype(np.uint8)


def choose(samples: Samples, shots: list[Shot], guess: Float[np.ndarray, "478 3"]) -> Int[np.ndarray, "478"]:
    """The sample of least cost for each point, together with its twin."""
    best, twin = np.empty(len(guess), np.int64), twins()
    for k in range(len(guess)):
        if twin[k] < k:
            continue  # came with its twin
        of_iris = k >= SURFACE
        reach = IRIS_REACH if of_iris else REACH
        near = np.flatnonzero((samples.iris == of_iris) & (((samples.rest - guess[k]) ** 2).sum(1) < reach**2))
        if twin[k] == k:
            near = near[np.abs(samples.rest[near, 0]) < 3e-4]

        def least(some: Int[np.ndarray, " some"], k: int = k) -> int:
            other = cost(samples, samples.mirror[some], int(twin[k]), shots, guess)
            return int(some[(cost(samples, some, k, shots, guess) + other).argmin()])

        coarse = samples.rest[least(near[::COARSE])]
        best[k] = least(near[((samples.rest[near] - coarse) ** 2).sum(1) < FINE**2])
        best[twin[k]] = samples.mirror[best[k]]
    return best


def cost(
    samples: Samples, some: Int[np.ndarray, " some"], k: int, shots: list[Shot], guess: Float[np.ndarray, "478 3"]
) -> Float[np.ndarray, " some"]:
    """What it costs that point k lies at each of some samples."""
    total = PULL * ((samples.rest[some] - guess[k]) ** 2).sum(1)
    place_ = Embedding(samples.corners[some], samples.weights[some])
    for shot in shots:
        error = errors_of(place_.points(shot.vertices), shot, np.array(k))
        total += np.where(error < HUBER, error**2 / (2 * HUBER), error - HUBER / 2) / len(shots)
    return total


def errors_of(points: Float[np.ndarray, "n 3"], shot: Shot, ids: Int[np.ndarray, "*n"]) -> Float[np.ndarray, " n"]:
    """Distance of projected points (camera frame, m) from the detections of these ids [eye distances]."""
    flat = points[:, :2] * [1, -1] / -points[:, 2:]
    pixels = flat @ shot.plane[:, :2].T + shot.plane[:, 2]
    return np.linalg.norm(pixels - shot.found[ids], axis=1) / shot.unit


if __name__ == "__main__":
    main()

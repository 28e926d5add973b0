"""Compare the mean face of a rendered set with that of people in clips, and print what the means of relief lack.

    python scripts/fit_relief.py SET FRAMES --models makehuman ict=FILE ict=FILE

Normals are laid out in the atlas of the landmarks (`illures.faces.atlas`) in the head's frame and averaged: the true
ones of the renders, and those that the release weights find in frames of `illures videos`. As the network was taught
by renders, it goes but a part of the way from their mean face to that of people: half of it on Extended Yale B (dev).
So the difference is divided by that (`TRUST`). Least squares over 1 mm of each trait (`illures.synth.heads.sculpt`), of
wide bumps and of a nod of the head explain it; eyes, nostrils and the line between the lips are left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float
from rich.progress import track
from scipy.spatial import Delaunay

from illures.data.frames import read_frame_shards
from illures.data.shards import read_views, shard_paths
from illures.decompose.decomposer import Decomposer
from illures.faces import atlas, to_crop
from illures.io.photos import as_float
from illures.math.normals import normalize, vertex_normals
from illures.model import Predictor
from illures.model.averaged import for_photos
from illures.synth.heads.models import HeadModel, load_model
from illures.synth.heads.person import Cut
from illures.synth.heads.sculpt import TRAITS, sampled, trait_height
from illures.synth.skin.displacement import LEFT_EYE, RIGHT_EYE
from illures.synth.skin.uv_painting import around, from_uv
from illures.types import Face

TRUST = 0.5
EVERY = 8  # of the frames
SEEN = 0.4  # share of the people who must show a texel
TURNED_DEG = 25.0  # yaw from which a view is left out
RIDGE = 0.05  # on squared mm
WIDE_CM = 2.5  # radius of the bumps
EYE_CM, NOSTRILS_CM, LIPS_CM = 0.35, (1.6, 0.45), (2.6, 0.35)  # left out around them

Atlas = Float[np.ndarray, "size size 3"]
Heights = Float[np.ndarray, " vertices"]


def main() -> None:
    """Average both, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path, help="of `illures synth`; its models give the shapes")
    parser.add_argument("frames", type=Path, help="of `illures videos`")
    parser.add_argument("--models", nargs="+", required=True, help="as the set was made with")
    options = parser.parse_args()
    models = options.models
    rendered, clips = by_person(of_renders(options.set)), by_person(of_clips(options.frames))
    every, real = mean_face(rendered.values()), mean_face(clips.values())
    print("mm that the means lack".ljust(24), *(name.ljust(6) for name in TRAITS))
    for name in dict.fromkeys(models):
        own = mean_face(laid for person, laid in rendered.items() if models[int(person) % len(models)] == name)
        lacking = fit(load_model(name), own, normalize(every + (real - every) / TRUST))
        print(name[:24].ljust(24), *(f"{mm:+.1f}".ljust(max(6, len(trait))) for trait, mm in lacking.items()))


def of_renders(folder: Path) -> Iterator[tuple[str, Atlas, np.ndarray]]:
    """Person, true normals and weight of each texel."""
    for shard in track(shard_paths(folder)):
        for view in read_views([shard]):
            laid = laid_out(view.normal, view.mask, view.landmarks)
            if laid is not None:
                yield (str(view.identity), *laid)


def of_clips(folder: Path) -> Iterator[tuple[str, Atlas, np.ndarray]]:
    """The same, as the release weights see it."""
    network = for_photos(Predictor.from_pretrained(None))
    for frame in track(list(read_frame_shards(sorted(folder.glob("*.tar"))))[::EVERY]):
        faces = [Face(frame.landmarks, frame.score)]
        found = Decomposer(network, find_faces=partial(_given, faces))(as_float(frame.image))[0]
        laid = laid_out(found.normal, found.mask, to_crop(frame.landmarks, found.crop))
        if laid is not None:
            yield (frame.identity, *laid)


def _given(faces: list[Face], _: np.ndarray) -> list[Face]:
    return faces


def laid_out(normal: np.ndarray, mask: np.ndarray, landmarks: np.ndarray) -> tuple[Atlas, np.ndarray] | None:
    """Normals in the head's frame and weight of each texel; None of a head that is turned aside."""
    turn = atlas.head_rotation(landmarks)
    if abs(np.rad2deg(np.arcsin(np.clip(turn[0, 2], -1, 1)))) > TURNED_DEG:
        return None
    places = atlas.positions(landmarks)[..., :2]
    shown = atlas.unwrap(mask.reshape(normal.shape[:2]).astype(np.float32), places) > 0.95
    weight = np.maximum(atlas.facing(landmarks), 0) * shown
    return atlas.unwrap(normal.astype(np.float32), places) @ turn, weight[..., None]


def by_person(views: Iterator[tuple[str, Atlas, np.ndarray]]) -> dict[str, tuple[Atlas, np.ndarray]]:
    """Sums of the weighted normals and of the weights of each person."""
    people: dict[str, tuple[Atlas, np.ndarray]] = {}
    for person, normal, weight in views:
        total, weights = people.get(person, (0, 0))
        people[person] = total + weight * normal, weights + weight
    return people


def mean_face(people: Iterable[tuple[Atlas, np.ndarray]]) -> Atlas:
    """Mean over people, symmetric; 0 where nothing is known."""
    laid = list(people)
    mean = sum(normal / np.maximum(weight, 1e-6) for normal, weight in laid)
    seen = np.mean([weight > 0 for _, weight in laid], axis=0) > SEEN
    return normalize(mean + mean[:, ::-1] * [-1, 1, 1]) * (seen & seen[:, ::-1])


def unit_normals(vertices: np.ndarray, skin: Cut) -> np.ndarray:
    """Of the vertices of a piece."""
    return normalize(vertex_normals(vertices, skin.triangles))


def fit(model: HeadModel, own: Atlas, wanted: Atlas) -> dict[str, float]:
    """What the mean of each trait lacks [mm], from the mean face of the model's renders to the wanted one."""
    anatomy = model.anatomy
    skin = next(piece for piece in anatomy.cuts if piece.material == "skin")
    head = model.shape(np.random.default_rng(0), 0.0)({}).astype(np.float64)
    vertices, layout = head[skin.vertices], from_uv(skin.uv)
    outward, canvas = around(layout[:, 0]), anatomy.canvas
    texels = atlas.positions(1e3 * anatomy.embedding.points(head) * [1, -1, 1])[..., :2].reshape(-1, 2)
    front = unit_normals(vertices, skin)[:, 2] > 0.05
    front &= vertices[:, 2] > np.median(anatomy.embedding.points(head)[:, 2]) - 0.05  # not the nape
    plane = Delaunay(1e3 * vertices[front, :2] * [1, -1])
    triangle = plane.find_simplex(texels)  # -1 off the face
    corners, affine = plane.simplices[triangle], plane.transform[triangle]
    weights = np.einsum("nij,nj->ni", affine[:, :2], texels - affine[:, 2])
    weights = np.column_stack([weights, 1 - weights.sum(1)])

    def shown(of_vertices: np.ndarray) -> np.ndarray:
        return (of_vertices[front][corners] * weights[..., None]).sum(1).reshape(*own.shape[:2], -1)

    base, place = normalize(shown(unit_normals(vertices, skin))), shown(layout)
    known = (np.linalg.norm(own, axis=-1) > 0.9) & (np.linalg.norm(wanted, axis=-1) > 0.9)
    known &= (triangle >= 0).reshape(known.shape)
    out: list[tuple[Sequence[int], np.ndarray]] = [([31, 33, 35], np.array(NOSTRILS_CM))]
    out += [(range(60, 68), np.array(LIPS_CM))]
    out += [(eye, np.ptp(canvas.layout(eye), axis=0) / 2 + EYE_CM) for eye in (RIGHT_EYE, LEFT_EYE)]
    for ids, reach in out:
        known &= (((place - canvas.layout(ids).mean(0)) / reach) ** 2).sum(-1) > 1

    def change(height: Heights) -> np.ndarray:
        raised = unit_normals(vertices + height[:, None] * outward, skin)
        return (normalize(shown(raised)) - base)[known].ravel()

    columns = [change(sampled(trait_height(canvas, name), canvas, layout)) for name in TRAITS]
    for s in np.arange(0, 7.1, WIDE_CM):
        for y in np.arange(-11, 6.1, WIDE_CM):
            distance = np.hypot(np.abs(layout[:, 0]) - s, layout[:, 1] - y)
            columns.append(change(1e-3 * np.exp(-((distance / WIDE_CM) ** 2))))
    columns.append(0.1 * np.stack([0 * base[..., 0], -base[..., 2], base[..., 1]], -1)[known].ravel())
    matrix = np.stack(columns, axis=1)
    ridge = RIDGE * np.eye(matrix.shape[1])
    solved = np.linalg.solve(matrix.T @ matrix + ridge, matrix.T @ (wanted - own)[known].ravel())
    return dict(zip(TRAITS, solved.tolist(), strict=False))


if __name__ == "__main__":
    main()

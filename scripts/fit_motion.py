"""Fit the ICT head to the landmarks of real clips and pack the statistics of how the faces move.

    ILLURES_DATA=... python scripts/fit_motion.py -o src/illures/synth/assets/motion.npz

Each clip gets one identity, each of its frames a pose and a weight for each face unit. What is kept are quantiles of
each weight and angle and their correlations over all clips (see `illures.synth.heads.motion`): no frame, face or
landmark.
"""

from __future__ import annotations

import argparse
import csv
import os
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float

from illures.faces import find_faces
from illures.faces.contour import INDICES, JAW
from illures.synth.heads.embedding import load_embedding
from illures.synth.heads.expressions import UNITS
from motion_statistics import statistics

FRAMES = 28  # a clip, spread in time
SURE = 0.9  # least probability that a face is there
EYE_BALLS = ((4, 6), (5, 7))  # vertex groups of the model: the subject's left, right
IRISES = (slice(473, 478), slice(468, 473))  # of the dense mesh, likewise
TURN_DEG = {"Out": 15.0, "In": 15.0, "Up": 10.0, "Down": 11.0}  # of MakeHuman's eyes by a full unit
CORNERS = (33, 263)  # outer, of the eyes
DISTANCE = 0.9  # [m] of the camera; the clips do not tell theirs
NOISE = 0.015  # of a landmark in the image [distance of the outer eye corners]
DEPTH = 0.2  # trust in the network's depth against its image points
RIDGE, SPARSE = 0.5, 3.0  # prior of a weight: deviation of a Gaussian, and slope of an exponential
POOR = 0.05  # root mean square residual of a frame that is not used [distance of the outer eye corners]
FRAMES_WORTH = 4.0  # independent frames a clip amounts to: errors on one face repeat from frame to frame


@dataclass
class Model:
    """The ICT head at the 478 landmarks: mean + modes @ identity + weights @ units [m], head frame."""

    mean: Float[np.ndarray, "478 3"]
    identity: Float[np.ndarray, "modes 478 3"]
    units: Float[np.ndarray, "units 478 3"]


@dataclass
class Clip:
    """Landmarks of one clip (x right, y up, z to the viewer; unit: the outer eye corners' distance) and the fit.

    Attributes:
        points: landmarks.
        trust: inverse deviation of each coordinate.
        person: of `clips.tsv`.
        rotation, scale, shift: pose of each frame.
        modes: identity.
        weights: of the units.
    """

    points: Float[np.ndarray, "frames 478 3"]
    trust: Float[np.ndarray, "frames 478 3"]
    person: str
    rotation: Float[np.ndarray, "frames 3 3"]
    scale: Float[np.ndarray, " frames"]
    shift: Float[np.ndarray, "frames 3"]
    modes: Float[np.ndarray, " modes"]
    weights: Float[np.ndarray, "frames units"]


def read_model(path: Path) -> Model:
    """The npz of `illures.synth.heads.ict` at the landmarks; its units of gaze move lids alone, eyes turn here."""
    embedding = load_embedding("ict")
    with np.load(path) as data:
        stacks = [data[key].astype(np.float64) / 100 for key in ("vertices", "identity", "expression")]
        names, group = list(data["expression_names"]), data["vertex_group"]
    vertices, identity, units = stacks
    balls = [vertices[np.isin(group, ball)].mean(0) for ball in EYE_BALLS]
    at = embedding.points
    mean = at(vertices - np.mean(balls, axis=0))
    shifts = np.stack([at(units[names.index(unit)]) for unit in UNITS])
    for side, iris, ball in zip("LR", IRISES, balls, strict=True):
        arm = mean[iris] + np.mean(balls, axis=0) - ball
        outward = 1 if side == "L" else -1
        for way, axis in (("Out", (0, outward, 0)), ("In", (0, -outward, 0)), ("Up", (-1, 0, 0)), ("Down", (1, 0, 0))):
            turn = np.sin(np.deg2rad(TURN_DEG[way])) * np.array(axis)
            shifts[UNITS.index(f"eyeLook{way}_{side}"), iris] = np.cross(turn, arm)
    return Model(mean, np.stack([at(mode) for mode in identity]), shifts)


def find_landmarks(path: Path) -> Float[np.ndarray, "frames 478 3"]:
    """Dense landmarks of the largest face in frames spread over a clip."""
    video = cv2.VideoCapture(str(path))
    count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    wanted = set(np.linspace(0, count - 1, FRAMES).round().astype(int).tolist())
    found = []
    for index in range(count):
        if not video.grab():
            break
        if index in wanted:
            faces = find_faces(cv2.cvtColor(video.retrieve()[1], cv2.COLOR_BGR2RGB))
            found += [face.landmarks for face in faces[:1] if face.score >= SURE]
    return np.array(found, np.float64).reshape(-1, 478, 3)


def start(dense: Float[np.ndarray, "frames 478 3"], person: str, model: Model) -> Clip:
    """Landmarks in units of the eye distance, how far each is trusted, and poses of the mean face at rest."""
    points = (dense - dense[:, 168:169]) * [1.0, -1.0, 1.0]
    points /= np.linalg.norm(points[:, CORNERS[0]] - points[:, CORNERS[1]], axis=1)[:, None, None]
    trust = np.full_like(points, 0.3)
    trust[:, INDICES] = 1.0
    trust[:, JAW] = 0.1  # the mesh's rim lies elsewhere on each face
    trust[:, JAW[6:11]] = 0.4  # the chin moves with the jaw
    for iris, corners in zip(IRISES, ((386, 374, 362, 263), (159, 145, 133, 33)), strict=True):
        above, below, inner, outer = (points[:, corner, :2] for corner in corners)
        gap = np.linalg.norm(above - below, axis=1) / np.linalg.norm(inner - outer, axis=1)
        trust[:, iris] = np.clip(gap / 0.12 - 0.5, 0, 1)[:, None, None]  # closed lids hide the iris
    trust[..., 2] *= DEPTH
    trust[:, IRISES[0], 2] = trust[:, IRISES[1], 2] = 0
    trust /= NOISE

    # Umeyama's similarity, the depth taken at its word.
    source, target = model.mean - model.mean.mean(0), points - points.mean(1, keepdims=True)
    left, spread, right = np.linalg.svd(np.einsum("fpi,pj->fij", target, source))
    flip = np.sign(np.linalg.det(left @ right))[:, None] ** [0, 0, 1]
    rotation, scale = (left * flip[:, None]) @ right, (spread * flip).sum(1) / (source**2).sum()
    shift = points.mean(1) - scale[:, None] * (rotation @ model.mean.mean(0))
    rest = np.zeros(len(model.identity)), np.zeros((len(points), len(UNITS)))
    return Clip(points, trust, person, rotation, scale, shift, *rest)


def project(
    clip: Clip, shifts: Float[np.ndarray, "frames any 478 3"] | Float[np.ndarray, "1 any 478 3"], near: np.ndarray
) -> Float[np.ndarray, "frames any 1434"]:
    """Shifts in the head frame as weighted shifts of the landmarks; `near` is the perspective's enlargement."""
    turned = shifts @ clip.rotation.transpose(0, 2, 1)[:, None]
    return (turned * (clip.scale[:, None, None] * near * clip.trust)[:, None]).reshape(*turned.shape[:2], -1)


def linearise(clip: Clip, model: Model) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted residual, its derivatives by the pose [frames 7 1434], and the enlargement, at the present fit."""
    face = model.mean + np.tensordot(clip.modes, model.identity, 1) + np.tensordot(clip.weights, model.units, 1)
    turned = face @ clip.rotation.transpose(0, 2, 1)
    near = np.concatenate([np.repeat(1 / (1 - turned[..., 2:] / DISTANCE), 2, -1), np.ones_like(turned[..., :1])], -1)
    shown = clip.scale[:, None, None] * turned * near
    residual = ((clip.points - shown - clip.shift[:, None]) * clip.trust).reshape(len(shown), -1)
    spins = [clip.scale[:, None, None] * np.cross(axis, turned) * near for axis in np.eye(3)]
    moves = [np.broadcast_to(axis, shown.shape) for axis in np.eye(3)]
    by_pose = np.stack([*spins, shown, *moves], 1) * clip.trust[:, None]
    return residual, by_pose.reshape(len(shown), 7, -1), near


def move(clip: Clip, step: Float[np.ndarray, "frames 7"]) -> None:
    """Change the poses by a small step: spin [rad], log scale, shift."""
    angle = np.maximum(np.linalg.norm(step[:, :3], axis=1), 1e-12)[:, None, None]
    x, y, z = step[:, :3].T / angle[:, 0, 0]
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    clip.rotation = (np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross) @ clip.rotation
    clip.scale = clip.scale * np.exp(np.clip(step[:, 3], -0.2, 0.2))
    clip.shift = clip.shift + step[:, 4:]


def improve(clip: Clip, model: Model, expressive: bool) -> None:
    """One Gauss-Newton step of identity, then of weights and poses; poses are eliminated from both."""
    frames = len(clip.points)
    residual, by_pose, near = linearise(clip, model)
    basis = np.linalg.qr(by_pose.transpose(0, 2, 1))[0]

    def without_pose(rows: np.ndarray) -> np.ndarray:
        return rows - (rows @ basis) @ basis.transpose(0, 2, 1)

    modes = without_pose(project(clip, model.identity[None], near))
    pull = FRAMES_WORTH / frames * np.einsum("fkm,fm->k", modes, residual) - clip.modes
    normal = FRAMES_WORTH / frames * np.einsum("fkm,flm->kl", modes, modes, optimize=True) + np.eye(len(clip.modes))
    clip.modes = np.clip(clip.modes + np.linalg.solve(normal, pull), -3, 3)
    if expressive:
        residual, by_pose, near = linearise(clip, model)
        units = without_pose(project(clip, model.units[None], near))
        normal = units @ units.transpose(0, 2, 1)
        pull = np.einsum("fum,fm->fu", units, residual) + np.einsum("fuv,fv->fu", normal, clip.weights) - SPARSE
        clip.weights = bounded(normal + np.eye(len(UNITS)) / RIDGE**2, pull, clip.weights)
    residual, by_pose, _ = linearise(clip, model)
    normal = by_pose @ by_pose.transpose(0, 2, 1)
    move(clip, np.linalg.solve(normal, (by_pose @ residual[..., None]))[..., 0])


def bounded(
    normal: Float[np.ndarray, "frames n n"], pull: Float[np.ndarray, "frames n"], first: Float[np.ndarray, "frames n"]
) -> Float[np.ndarray, "frames n"]:
    """The least of x·normal·x / 2 - pull·x with 0 <= x <= 1, by coordinate descent."""
    x = first.copy()
    for _ in range(40):
        for k in range(x.shape[1]):
            ahead = pull[:, k] - np.einsum("fn,fn->f", normal[:, k], x) + normal[:, k, k] * x[:, k]
            x[:, k] = np.clip(ahead / normal[:, k, k], 0, 1)
    return x


def quiet(clip: Clip) -> Float[np.ndarray, " frames"]:
    """Where the lips are together, the mouth no wider than usual for the clip and the eyes open."""
    gap = np.linalg.norm(clip.points[:, 13, :2] - clip.points[:, 14, :2], axis=1)
    width = np.linalg.norm(clip.points[:, 61, :2] - clip.points[:, 291, :2], axis=1)
    eyes = np.linalg.norm(clip.points[:, (159, 386), :2] - clip.points[:, (145, 374), :2], axis=2).min(1)
    return (gap < 0.03) & (width < 0.62) & (eyes >= np.median(eyes))


def settle(clips: list[Clip], model: Model) -> None:
    """Move the model's landmarks to where the detector sees them on faces at rest, on average over people."""
    total, weight = np.zeros_like(model.mean), np.full(model.mean.shape, 1e-9)
    for clip in clips:
        calm = quiet(clip)
        if not calm.any():
            continue
        residual, _, near = linearise(clip, model)
        size = (clip.scale[:, None, None] * near)[calm]
        trust, turn = np.ones((calm.sum(), 478, 3)) * [1, 1, DEPTH], clip.rotation[calm]
        shift = residual[calm].reshape(trust.shape) / np.maximum(clip.trust[calm], 1e-9) / size * trust
        shift[clip.trust[calm] == 0] = 0
        # Depth counts little, so the mean over frames counts each axis by how well it was seen.
        total += np.einsum("fpi,fij->pj", shift * trust, turn) / calm.sum()
        weight += np.einsum("fpi,fij->pj", trust**2, turn**2) / calm.sum()
    people = np.mean([clip.modes for clip in clips], axis=0)
    model.mean += total / weight + np.tensordot(people, model.identity, 1)
    for clip in clips:
        clip.modes = clip.modes - people


def fit(clips: list[Clip], model: Model) -> None:
    """Bias of the landmarks from faces at rest, then everything."""
    calm = [_subset(clip, quiet(clip)) for clip in clips if quiet(clip).any()]
    for _ in range(3):
        for clip in calm:
            for _ in range(3):
                improve(clip, model, expressive=False)
        settle(calm, model)
    for clip in clips:
        for _ in range(8):
            improve(clip, model, expressive=True)


def _subset(clip: Clip, frames: np.ndarray) -> Clip:
    """Some frames of a clip."""
    names = ("points", "trust", "rotation", "scale", "shift", "weights")
    return replace(clip, **{name: getattr(clip, name)[frames] for name in names})


def residuals(clip: Clip, model: Model) -> Float[np.ndarray, " frames"]:
    """Root mean square distance of the inner 51 landmarks in the image [distance of the outer eye corners]."""
    residual, _, _ = linearise(clip, model)
    flat = (residual.reshape(clip.points.shape) / np.maximum(clip.trust, 1e-9))[:, INDICES[17:], :2]
    return np.sqrt((flat**2).sum(-1).mean(-1))


def variables(clip: Clip) -> Float[np.ndarray, "frames variables"]:
    """Weights, and angles [deg] of roll after pitch after yaw."""
    turn = clip.rotation
    yaw, pitch = np.arctan2(-turn[:, 2, 0], turn[:, 2, 2]), np.arcsin(np.clip(turn[:, 2, 1], -1, 1))
    roll = np.arctan2(-turn[:, 0, 1], turn[:, 1, 1])
    return np.concatenate([clip.weights, np.rad2deg(np.stack([yaw, pitch, roll], 1))], 1)


def main() -> None:
    """Read the clips, fit, print what was found, write the statistics."""
    data = Path(os.environ.get("ILLURES_DATA", "data"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clips", type=Path, default=data / "clips", help="folder, with its .tsv beside it")
    parser.add_argument("--ict", type=Path, default=data / "ict_head_60.npz", help="the ICT model")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    model = read_model(options.ict)
    with options.clips.with_suffix(".tsv").open() as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    found = [(find_landmarks(options.clips / row["file"]), row["identity"]) for row in rows]
    clips = [start(points, person, model) for points, person in found if len(points)]
    fit(clips, model)
    moments = [variables(clip)[residuals(clip, model) < POOR] for clip in clips]
    arrays = statistics(moments, [clip.person for clip in clips])
    np.savez_compressed(options.output, **arrays)
    off = np.concatenate([residuals(clip, model) for clip in clips])
    print(f"{options.output}: {arrays['note']}; residual {100 * np.median(off):.2f} % of the eye distance (median)")


if __name__ == "__main__":
    main()

"""Occluders: hands, phones and cups before and beside the face, and sticks that only cast shadows."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float

from illures.synth.accessories.primitives import Primitive, ball, box, curve, joined, moved, occluder, sheet, tube
from illures.synth.skin.procedural import random_tone
from illures.types import Part

Landmarks = Float[np.ndarray, "68 3"]
_CLEAR = 0.004  # objects stay this far before the face [m]
_FINGER = 0.0085  # radius of a finger at its root [m]
_KINDS = {"hand": 0.45, "phone": 0.12, "microphone": 0.1, "cup": 0.13, "stick": 0.2}


def random_occluder(
    rng: np.random.Generator, landmarks: Landmarks, tone: Float[np.ndarray, "3"] | None = None
) -> tuple[Part, ...]:
    """A hand, phone, microphone, cup, or sticks that shade the face from outside the picture.

    Args:
        rng: of the moment.
        landmarks: of the posed head (head coordinates, m).
        tone: log albedo of the person's skin, for hands; None draws one.
    """
    kind = str(rng.choice(list(_KINDS), p=list(_KINDS.values())))
    side = float(rng.choice([-1, 1]))
    if kind == "hand":
        tone = random_tone(rng, rng.uniform()) if tone is None else tone
        return (occluder("occluder", _hand(rng, landmarks, side), np.exp(tone), 0.4, 0.3),)
    primitive = {"phone": _phone, "microphone": _microphone, "cup": _cup, "stick": _sticks}[kind](rng, landmarks, side)
    colour = np.exp(rng.normal(-2.0, 1.0) + rng.normal(0, 0.3, 3)).clip(0.01, 0.85)
    return (occluder("occluder", primitive, colour, float(rng.uniform(0.1, 0.6)), float(rng.uniform(0.1, 0.8))),)


def _hand(rng: np.random.Generator, landmarks: Landmarks, side: float) -> Primitive:
    """Four bent fingers and a thumb before chin, mouth or cheek, the palm below or beside."""
    aim = landmarks[[8, 57, 4 if side < 0 else 12, 31 if side < 0 else 35][rng.integers(4)]].astype(np.float64)
    aim = aim + rng.normal(0, 0.008, 3) * [1, 1, 0]
    # The middle finger's tip is at the origin, fingers point up, their inner side faces -z.
    fingers = []
    for k, length in enumerate((0.066, 0.074, 0.07, 0.055)):
        x = (k - 1.3) * 0.0185 * rng.uniform(0.9, 1.05)
        bend = rng.uniform(0.1, 0.8)
        knots = [[0.0, -0.075, 0.004], [0, -0.075 + 0.5 * length, 0.008 + 0.01 * bend]]
        knots += [[0, -0.075 + 0.8 * length, 0.005], [0, -0.075 + length * (1 - 0.06 * bend), -0.012 * bend]]
        spread = np.array([[0.9], [1.0], [1.05], [1.1]]) * [x, 0, 0]
        radii = np.interp(np.linspace(0, 1, 10), [0, 0.5, 1], [1.1, 1.0, 0.78]) * _FINGER * (0.9 + 0.05 * (k < 3))
        fingers.append(tube(curve(np.array(knots) + spread, 10), radii, sides=10))
    thumb = np.array([[-0.02, -0.13, 0.004], [-0.045, -0.105, 0.0], [-0.05, -0.075, -0.006], [-0.046, -0.05, -0.01]])
    fingers.append(tube(curve(thumb, 10), np.linspace(0.013, 0.009, 10), sides=10))
    palm = ball(np.array([0.003, -0.112, 0.0]), np.array([0.042, 0.052, 0.014]), rows=14)
    arm = np.array([[0.003, -0.14, 0], [0.003, -0.2, -0.01], [0, -0.32, -0.03]])
    wrist = tube(arm, np.array([0.024, 0.026, 0.032]))
    hand = joined([*fingers, palm, wrist])
    hand = Primitive(hand.vertices * [-side, 1, 1], hand.triangles[:, ::-1] if side > 0 else hand.triangles, hand.uv)
    roll = -side * np.deg2rad(rng.uniform(5, 55))
    return _before(moved(hand, _turn(0, 0, roll), aim), landmarks)


def _phone(rng: np.random.Generator, landmarks: Landmarks, side: float) -> Primitive:
    """Held to an ear, or before the lower face."""
    half = np.array([0.037, 0.075, 0.0045])
    if rng.random() < 0.5:
        jaw = landmarks[2 if side < 0 else 14].astype(np.float64)
        turn = _turn(0, side * np.deg2rad(rng.uniform(55, 80)), -side * np.deg2rad(rng.uniform(15, 35)))
        return moved(box(half, 0.004), turn, jaw + [side * 0.03, rng.uniform(-0.01, 0.01), 0.0])
    low = (landmarks[57] + [rng.normal(0, 0.02), -0.05 - rng.uniform(0, 0.05), rng.uniform(0.06, 0.15)]).astype(float)
    return moved(box(half, 0.004), _turn(rng.uniform(-0.5, 0.1), 0, rng.uniform(-0.4, 0.4)), low)


def _microphone(rng: np.random.Generator, landmarks: Landmarks, side: float) -> Primitive:
    """A ball on a handle before the mouth."""
    toward = np.array([side * rng.uniform(0.1, 0.8), -1.0, rng.uniform(0.2, 0.9)])
    toward /= np.linalg.norm(toward)
    head = np.array(landmarks[57], float) + [side * 0.01, -0.02, 0.035]
    handle = head + toward * np.array([[0.015], [0.05], [0.2]])
    primitive = joined([ball(head, 0.024), tube(handle, np.array([0.017, 0.014, 0.011]), sides=14)])
    return _before(primitive, landmarks)


def _cup(rng: np.random.Generator, landmarks: Landmarks, side: float) -> Primitive:
    """A mug or glass at the mouth, tilted for drinking."""
    rim, foot, tall = rng.uniform(0.033, 0.045), rng.uniform(0.028, 0.04), rng.uniform(0.08, 0.12)
    y = np.array([0.0, -0.002, -0.5, -0.97, -1.0]) * tall
    radii = np.array([rim - 0.003, rim, (rim + foot) / 2, foot, 0.8 * foot])
    angle = np.linspace(0, 2 * np.pi, 33)
    wall = np.stack([radii[:, None] * np.sin(angle), np.repeat(y[:, None], 33, 1), radii[:, None] * np.cos(angle)], -1)
    lid = np.stack([wall[0] * [0.02, 1, 0.02], wall[0]])
    loop = np.linspace(-1.3, 1.3, 9)
    grip = np.stack([rim - 0.004 + 0.028 * np.cos(loop), -0.45 * tall + 0.3 * tall * np.sin(loop), 0 * loop], 1)
    primitives = [sheet(wall), sheet(lid), tube(grip * [side, 1, 1], 0.005)]
    lean = -np.deg2rad(rng.uniform(10, 55))
    mouth = np.array(landmarks[62], float) + [rng.normal(0, 0.01), -0.005, 0.04]
    return _before(moved(joined(primitives), _turn(lean, 0, 0), mouth), landmarks)


def _sticks(rng: np.random.Generator, landmarks: Landmarks, side: float) -> Primitive:
    """Bars, twigs or blinds above and beside the crop, which seldom reach the camera's view."""
    middle = np.array(landmarks[27], float)
    up = np.deg2rad(rng.uniform(40, 70))
    across = np.deg2rad(rng.uniform(-50, 50))
    away = np.array([np.sin(across) * np.cos(up), np.sin(up), np.cos(across) * np.cos(up)])
    right = np.cross([0, 1.0, 0], away)
    right /= np.linalg.norm(right)
    above = np.cross(away, right)
    distance, spin = rng.uniform(0.24, 0.4), rng.uniform(0, np.pi)
    along = np.cos(spin) * right + np.sin(spin) * above
    apart = np.cross(away, along)
    primitives = []
    for k in range(rng.integers(1, 6)):
        offset = (rng.uniform(-0.06, 0.06) if k else rng.uniform(-0.02, 0.02)) * apart
        bend = rng.normal(0, 0.01) * apart
        middle_of = middle + distance * away + offset
        path = np.stack([middle_of - 0.12 * along, middle_of + bend, middle_of + 0.12 * along])
        primitives.append(tube(curve(path, 8), rng.uniform(0.002, 0.012)))
    return joined(primitives)


def _before(primitive: Primitive, landmarks: Landmarks) -> Primitive:
    """Shifted forward until it clears the face, as far as its landmarks tell."""
    near = np.hypot(*(primitive.vertices[:, None, :2] - landmarks[None, :, :2]).transpose(2, 0, 1)) < 0.014
    gap = np.where(near, landmarks[None, :, 2] + _CLEAR - primitive.vertices[:, 2:], -np.inf).max()
    shift = max(gap, 0.0) if np.isfinite(gap) else 0.0
    return Primitive(primitive.vertices + [0, 0, shift], primitive.triangles, primitive.uv)


def _turn(pitch: float, yaw: float, roll: float) -> np.ndarray:
    """Roll about z, then pitch about x, then yaw about y."""
    about_x, about_y, about_z = (cv2.Rodrigues(axis)[0] for axis in np.diag([pitch, yaw, roll]))
    return about_y @ about_x @ about_z

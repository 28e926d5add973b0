"""Relief that blend shapes of heads lack: brow ridges, folds, corners of the mouth, chins, and lumps at random.

Linear head models are smooth sums of a few dozen modes, so that a network can guess a face from its landmarks instead
of reading its shading. Here a height is drawn over the layout of `uv_painting` and moves the vertices of the skin
outward from the head's upright axis; landmarks and shadows follow. Finer relief is `skin.displacement`.

The models' average faces have grooves that real ones have not, beside the wings of the nose, past the mouth and under
the lower lip. So the means in `TRAITS` fill them, after scripts/fit_relief.py, which finds what takes the mean normals
of renders to those of the clips that release weights may be trained on (docs/synthetic.md).
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from jaxtyping import Float

from illures.synth.heads.expressions import Weights
from illures.synth.heads.person import Anatomy, Shape, Vertices
from illures.synth.skin.displacement import LEFT_BROW, LEFT_EYE, RIGHT_BROW, RIGHT_EYE
from illures.synth.skin.uv_painting import PX_PER_CM, Canvas, Plane, Points, around, from_uv

# Name: mean and deviation over people [mm].
TRAITS: dict[str, tuple[float, float]] = {
    "ridge": (0.3, 1.3),  # under the brows
    "between": (0.3, 0.8),  # the brows
    "forehead": (0.4, 1.2),  # bulges, or is flat
    "hollow": (-0.8, 1.0),  # between brow and lid: deep-set or full
    "trough": (-0.1, 0.6),  # below the eye, from its inner corner
    "bone": (-0.8, 1.6),  # of the cheek
    "flesh": (0.0, 1.8),  # of the cheek: full or hollow
    "jowl": (0.0, 1.2),
    "fold": (-0.9, 1.1),  # a groove from the wing of the nose past the mouth
    "bulge": (-0.5, 1.3),  # of the cheek beside that
    "forward": (0.0, 1.3),  # the mouth stands forward
    "pit": (0.0, 0.7),  # at the corners of the mouth
    "knot": (0.0, 0.6),  # of muscle beside them
    "upper": (0.0, 0.8),  # lip, full or thin
    "lower": (-1.2, 0.9),
    "philtrum": (-0.4, 0.4),  # the groove above the lips
    "crease": (-0.8, 0.9),  # under the lower lip
    "ball": (0.8, 1.6),  # of the chin
    "hump": (0.5, 1.1),  # of the nose
    "breadth": (-0.7, 0.7),  # of its bridge
    "tip": (-0.3, 1.0),
    "wing": (-0.4, 0.7),
    "behind": (-0.8, 0.6),  # the wings: grooves
}
_CLEFT_MM, _CLEFTS = (0.3, 1.5), 0.2  # depth of a cleft in the chin, and the share of people with one

_MM = 1e-3
_LUMPS = ((0.5, 0.25), (1.2, 0.6), (2.8, 1.4))  # grain [cm] and deviation [mm]: slopes of 3 degrees each
_LOPSIDED = 0.4  # of the lumps, relative to what is equal on both sides
_EYE_CM, _EYE = 0.45, 0.85  # lids must stay on the eyeballs: reach beyond the eye's corners, share that is taken off


def sculpted(anatomy: Anatomy, shape: Shape, rng: np.random.Generator, spread: float = 1.0) -> Shape:
    """A shape with relief of its own, the same with every expression.

    Args:
        anatomy: of the model.
        shape: of the person.
        rng: of the person.
        spread: factor on the relief.
    """
    skin = next(piece for piece in anatomy.cuts if piece.material == "skin")
    layout = from_uv(skin.uv)
    height = spread * sampled(relief(anatomy.canvas, rng), anatomy.canvas, layout)
    shift = (height[:, None] * around(layout[:, 0])).astype(np.float32)

    def posed(expression: Weights) -> Vertices:
        vertices = shape(expression).copy()
        vertices[skin.vertices] += shift
        return vertices

    return posed


def relief(canvas: Canvas, rng: np.random.Generator) -> Plane:
    """Height [m] of a random person's relief over the whole canvas; 0 outside the face, little at the lids' edges."""
    lumps = _lumps(canvas, rng)
    traits = {name: rng.normal(*spread) for name, spread in TRAITS.items()}
    return _on_face(canvas, lumps, traits | {"cleft": rng.uniform(*_CLEFT_MM) * (rng.random() < _CLEFTS)})


def trait_height(canvas: Canvas, name: str) -> Plane:
    """Height [m] of 1 mm of one of the `TRAITS`, as in `relief`."""
    return _on_face(canvas, np.zeros_like(canvas.s), dict.fromkeys((*TRAITS, "cleft"), 0.0) | {name: 1.0})


def _on_face(canvas: Canvas, lumps: Plane, mm: Mapping[str, float]) -> Plane:
    part = canvas.window(-9.5, 9.5, -13, 7.5)
    height = lumps[part.at]
    for feature in (_brows, _orbits, _cheeks, _folds, _mouth, _chin, _nose):
        height = height + feature(part, mm)
    height *= part.fade(2)
    for eye in (RIGHT_EYE, LEFT_EYE):
        points = part.layout(eye)
        middle, reach = points.mean(0), np.ptp(points, axis=0) / 2 + _EYE_CM
        height *= 1 - _EYE * np.minimum(2 * part.blob(*middle, *reach), 1)  # flat over the eye and its corners
    whole = np.zeros_like(canvas.s)
    whole[part.at] = height
    return whole * _MM


def _lumps(canvas: Canvas, rng: np.random.Generator) -> Plane:
    """Smooth noise of several grains, mostly the same on both sides."""
    height = np.zeros_like(canvas.s)
    for grain, deviation in _LUMPS:
        px = PX_PER_CM * grain
        both, own = canvas.noise(rng, px), canvas.noise(rng, px)
        height += deviation * ((both + both[:, ::-1]) / np.sqrt(2) + _LOPSIDED * own)
    return height


def _brows(part: Canvas, mm: Mapping[str, float]) -> Plane:
    height = mm["between"] * part.blob(0, part.layout([21, 22])[:, 1].mean(), 0.9, 0.8)
    for brow in (RIGHT_BROW, LEFT_BROW):
        height += mm["ridge"] * _stroke(part, part.layout(brow) - [0, 0.1], 0.6)
    return height + mm["forehead"] * part.blob(0, 5.2, 4, 1.8)


def _orbits(part: Canvas, mm: Mapping[str, float]) -> Plane:
    def side(eye: Points, brow: Points) -> Plane:
        above = 0.5 * (eye[:4] + [0, 0.4]) + 0.5 * brow[[0, 1, 3, 4]]
        below = eye[[3, 4, 5]] - np.array([[0, 0.4], [0, 1.1], [0, 1.4]])
        return mm["hollow"] * _stroke(part, above, 0.4) + mm["trough"] * _stroke(part, below, 0.45)

    return side(part.layout(RIGHT_EYE), part.layout(RIGHT_BROW)) + side(part.layout(LEFT_EYE), part.layout(LEFT_BROW))


def _cheeks(part: Canvas, mm: Mapping[str, float]) -> Plane:
    height = np.zeros_like(part.s)
    for side in (-1, 1):
        height += mm["bone"] * part.blob(4.6 * side, -2.4, 1.8, 1.3)
        height += mm["flesh"] * part.blob(4.3 * side, -5.6, 2.0, 2.0)
        height += mm["jowl"] * part.blob(3.9 * side, -9.0, 1.4, 1.3)
    return height


def _folds(part: Canvas, mm: Mapping[str, float]) -> Plane:
    nose, chin = part.layout([33, 57])
    height = mm["forward"] * part.blob((nose + chin)[0] / 2, (nose + chin)[1] / 2, 2.9, 2.0)
    for wing, corner in zip(part.layout([31, 35]), part.layout([48, 54]), strict=True):
        side = np.sign(corner[0])
        middle = (wing + corner) / 2 + [0.9 * side, 0.3]
        line = np.stack([wing + [0.6 * side, 0.5], middle, corner + [0.9 * side, -0.2]])
        height += mm["bulge"] * _stroke(part, line + [0.8 * side, 0.2], 0.7) - mm["fold"] * _stroke(part, line, 0.3)
    return height


def _mouth(part: Canvas, mm: Mapping[str, float]) -> Plane:
    height = np.zeros_like(part.s)
    for corner in part.layout([48, 54]):
        side = np.sign(corner[0])
        height += mm["knot"] * part.blob(corner[0] + 0.9 * side, corner[1], 0.6, 0.8)
        height -= mm["pit"] * part.blob(corner[0] + 0.15 * side, corner[1], 0.5, 0.45)
    height += mm["upper"] * _stroke(part, part.layout([49, 51, 53]), 0.35)
    height += mm["lower"] * _stroke(part, part.layout([59, 57, 55]), 0.4)
    below_nose, above_lip = part.layout([33, 51])
    return height + _groove(part, np.stack([below_nose, above_lip]), mm["philtrum"], 0.22)


def _chin(part: Canvas, mm: Mapping[str, float]) -> Plane:
    lip, tip = part.layout([57])[0] - [0, 0.8], part.layout([8])[0] + [0, 1.3]
    across = np.array([lip - [1.2, 0.1], lip, lip + [1.2, -0.1]])
    height = mm["ball"] * part.blob(tip[0], tip[1], 1.4, 1.2) - mm["crease"] * _stroke(part, across, 0.45)
    return height + _groove(part, np.stack([tip + [0, 0.6], tip - [0, 0.8]]), mm["cleft"], 0.2)


def _nose(part: Canvas, mm: Mapping[str, float]) -> Plane:
    root, bridge, point, left, right = part.layout([27, 29, 30, 31, 35])
    middle = (root + bridge) / 2
    height = mm["hump"] * part.blob(middle[0], middle[1], 0.5, 0.8)
    height += mm["tip"] * part.blob(point[0], point[1], 0.8, 0.7)
    for base in (left, right):
        side = np.sign(base[0])
        height += mm["breadth"] * _stroke(part, np.stack([root + [0.7 * side, 0], bridge + [0.9 * side, 0]]), 0.4)
        height += mm["wing"] * part.blob(base[0] + 0.4 * side, base[1] + 0.35, 0.45, 0.45)
        height -= mm["behind"] * part.blob(base[0] + 0.8 * side, base[1] + 0.6, 0.3, 0.5)
    return height


def _stroke(part: Canvas, points: Points, radius: float) -> Plane:
    """A tapered line, Gaussian across with this radius [cm]."""
    return part.lines([(points, 1.0)], PX_PER_CM * radius)


def _groove(part: Canvas, points: Points, depth: float, radius: float) -> Plane:
    """A valley between two ridges of half its height."""
    valley = _stroke(part, points, radius)
    return -depth * (valley - 0.5 * cv2.GaussianBlur(valley, (0, 0), 2 * PX_PER_CM * radius))


def sampled(plane: Plane, canvas: Canvas, layout: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " n"]:
    """Values of a plane of the canvas at points (s, y) [cm], linear between texels."""
    x, y = canvas.pixels(layout).astype(np.float32).T
    return np.asarray(cv2.remap(plane, x[:, None], y[:, None], cv2.INTER_LINEAR)[:, 0])

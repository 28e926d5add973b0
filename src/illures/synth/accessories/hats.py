"""Hats: shells over the hair, with brims, painted as knit or cloth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from illures.synth.accessories.hair import BLOCK
from illures.synth.accessories.primitives import Primitive, joined, occluder, sheet
from illures.synth.accessories.shells import AXIS, TEXTURE, Plane, ShellTextures, Skull, layout
from illures.types import Part

_OVERLAP = 0.003  # brims begin this far above the edge [m]
KINDS = {"beanie": 0.27, "cap": 0.3, "wide": 0.15, "hood": 0.28}


@dataclass(frozen=True)
class Hat:
    """One hat.

    Attributes:
        kind: a key of `KINDS`.
        crown: its shell.
        edge: height of the edge in front [cm above the eyes].
        brim: how far the brim reaches [m]; 0 for none.
        pitch: how far the brim slopes down [radian].
        colour: albedo of the brim.
    """

    kind: str
    crown: ShellTextures
    edge: float
    brim: float
    pitch: float
    colour: Float[np.ndarray, "3"]

    def parts(self, skull: Skull) -> tuple[Part, ...]:
        """Crown and brim on a posed head."""
        crown = skull.shell("hat", self.crown)
        if not self.brim:
            return (crown,)
        reach = 65.0 if self.kind == "cap" else 180.0
        return crown, occluder("hat", _brim(crown, self, reach), self.colour, 0.6, 0.1)


def random_hat(rng: np.random.Generator) -> Hat:
    """A beanie, cap, hat with a wide brim, or hood or headscarf."""
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    edge = {"beanie": rng.uniform(3.2, 5.5), "cap": 4.6, "wide": 4.8, "hood": 5.2}[kind] + rng.uniform(-0.4, 0.6)
    brim = {"cap": rng.uniform(0.06, 0.075), "wide": rng.uniform(0.05, 0.1)}.get(kind, 0.0)
    colour = np.exp(rng.normal(-1.8, 0.9) + rng.normal(0, 0.35, 3)).clip(0.01, 0.75)
    return Hat(kind, _crown(kind, edge, colour, rng), edge, brim, rng.uniform(0.05, 0.4), colour)


def under(hat: Hat) -> Plane:
    """How thick hair may be under a hat [m], by block of `hair.BLOCK` texels."""
    limit = np.where(hat.crown.opacity > 0.5, 0.8 * hat.crown.lift, 0.03).astype(np.float32)
    # Hair is pressed down a little before the hat begins.
    return cv2.resize(cv2.erode(limit, np.ones((17, 17))), None, fx=1 / BLOCK, fy=1 / BLOCK)


def _crown(kind: str, edge: float, colour: np.ndarray, rng: np.random.Generator) -> ShellTextures:
    """The crown: where it is, how far it stands off, how it is woven."""
    places = layout()
    back = {"beanie": -2.5, "cap": 0.0, "wide": 1.5, "hood": 0.0}[kind]
    height = edge + (min(edge, 2.0 + back) - edge) * (1 - np.cos(np.deg2rad(places.azimuth))) / 2
    inside = places.y - height
    if kind == "hood":
        # An arch over the face, open downward, narrower toward the neck.
        width = rng.uniform(50, 64)
        arch = 6 * (np.hypot(places.azimuth / width, (places.y + 2.5) / (edge + 2.5)) - 1)
        narrow = width * (1 - 0.45 * np.clip((-places.y - 2.5) / 9, 0, 1) ** 2)
        inside = np.where(places.y > -2.5, arch, 9 * np.deg2rad(places.side - narrow))
    opacity = np.clip(inside / 0.15 + 0.5, 0, 1)
    rows, columns = np.indices(TEXTURE, np.float32)
    weave = _weave(kind, rows, columns, rng)
    thick = {"beanie": 0.009, "cap": 0.012, "wide": 0.013, "hood": 0.013}[kind]
    rib = 1 + 0.25 * (kind == "beanie") * (inside < 3.5)  # a turned-up edge
    albedo = colour * np.exp(0.18 * weave + 0.08 * rng.standard_normal(TEXTURE, dtype=np.float32))[..., None]
    if rng.random() < 0.3:
        stripe = (np.sin(inside * rng.uniform(1.5, 4)) > 0.3)[..., None]
        albedo = np.where(stripe, albedo * np.exp(rng.normal(0, 0.8, 3)), albedo)
    return ShellTextures(
        albedo=np.clip(albedo, 0.005, 0.9).astype(np.float32),
        opacity=opacity.astype(np.float32),
        lift=(thick * rib).astype(np.float32),
        bump=(3e-4 * weave).astype(np.float32),
        hang=0.6 if kind == "hood" else 0.0,
        over_ears=kind in ("beanie", "hood"),
        roughness=0.7,
        specular=0.1,
    )


def _weave(kind: str, rows: np.ndarray, columns: np.ndarray, rng: np.random.Generator) -> Plane:
    """Ribs of knitwear, seams of a cap, or plain cloth, in [-1, 1]."""
    if kind == "beanie":
        return np.sin(columns * rng.uniform(0.6, 1.1)) * (0.75 + 0.25 * np.sin(1.3 * rows))
    if kind == "cap":
        return -np.exp(-(((columns % (TEXTURE[1] / 6)) - 8) ** 2) / 4)
    return 0.3 * np.sin(1.9 * columns) * np.sin(1.9 * rows)


def _brim(crown: Part, hat: Hat, reach_deg: float) -> Primitive:
    """A band from the crown's edge outward, two sheets thick, widest in front."""
    azimuth = np.deg2rad(np.linspace(-reach_deg, reach_deg, 49))
    edge = _edge(crown, azimuth) + [0, _OVERLAP, 0]
    share = np.clip(np.cos(azimuth * 90 / reach_deg), 0, 1) ** 0.4 if reach_deg < 180 else np.ones(49)
    out = np.stack([np.sin(azimuth), np.zeros(49), np.cos(azimuth)], 1)
    if reach_deg < 180:
        out = 0.45 * out + [0, 0, 0.55]  # a peak points forward
    # A peak is an arch: its sides lie lower than its middle.
    droop = 0.4 * (1 - np.cos(azimuth)) if reach_deg < 180 else 0.15 * np.abs(np.sin(azimuth))
    steps = np.linspace(-0.04, 1, 6)[:, None, None]
    length = hat.brim * share[:, None]
    slope = np.stack([np.zeros(49), -np.tan(hat.pitch) - droop, np.zeros(49)], 1)
    top = edge + steps * length * (out + slope)
    lower = top - [0, 0.002, 0]
    return joined([sheet(top), sheet(lower[:, ::-1])])


def _edge(crown: Part, azimuth: np.ndarray) -> np.ndarray:
    """Points along the crown's lower edge, where its paint ends, at some azimuths."""
    painted = crown.opacity > 0.5 if crown.opacity is not None else np.ones(TEXTURE, bool)
    last = 1 - (painted.shape[0] - painted[::-1].argmax(0)) / painted.shape[0]  # v of the lowest painted texel
    points = []
    for u in np.unique(crown.uv[:, 0]):
        column = np.flatnonzero(crown.uv[:, 0] == u)
        column = column[np.argsort(crown.uv[column, 1])]
        end = last[min(int(u * painted.shape[1]), painted.shape[1] - 1)]
        points.append([np.interp(end, crown.uv[column, 1], crown.vertices[column, k]) for k in range(3)])
    edge = np.array(points)
    around = np.arctan2(edge[:, 0], edge[:, 2] + AXIS)
    order = np.argsort(around)
    return np.stack([np.interp(azimuth, around[order], edge[order, k]) for k in range(3)], 1)

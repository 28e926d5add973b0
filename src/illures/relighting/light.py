"""A light for relighting: SH radiance for soft shading, lamps for hard shadows and highlights.

Convention: camera frame (x right, y up, z toward the viewer); azimuth 0 is the viewer's side, positive is image right;
elevation is above the horizon. Strength is shading: at 1, a surface that faces the light shows its albedo.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import pi, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from jaxtyping import Float

from illures.errors import InputError
from illures.io.decoding import decoding, parse_json
from illures.math import sh
from illures.math.color import luminance
from illures.math.normals import normalize
from illures.relighting.lamps import Lamp, dominant_lamp, find_lamps
from illures.relighting.presets import PRESETS

if TYPE_CHECKING:
    from illures.decompose.decomposition import Decomposition

__all__ = ["PRESETS", "Lamp", "Light", "direction_of"]

Layout = Literal["illures", "sfsnet", "dpr"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
_LENGTHS = {"illures": (9, 27), "sfsnet": (27,), "dpr": (9,)}


@dataclass(frozen=True)
class Light:
    """A light.

    Attributes:
        sh: total radiance, lamps included (see `math.sh`).
        lamps: sources that are small enough to cast shadows and highlights; may be empty.
    """

    sh: Float[np.ndarray, "9 3"]
    lamps: tuple[Lamp, ...] = ()

    def _repr_png_(self) -> bytes:
        """Preview for notebooks: a white matte ball under the light."""
        from illures.decompose.contact_sheet import png, probe

        return png(probe(self.sh))

    @property
    def ambient(self) -> Float[np.ndarray, "9 3"]:
        """SH radiance without the lamps."""
        return self.sh - sum((lamp.sh for lamp in self.lamps), np.zeros((9, 3)))

    @classmethod
    def from_direction(
        cls,
        azimuth_deg: float,
        elevation_deg: float,
        *,
        ambient: float = 0.25,
        color: Sequence[float] = (1.0, 1.0, 1.0),
        radius_deg: float = 6.0,
    ) -> Light:
        """One lamp and ambient light; together they shade a surface that faces the lamp with `color`.

        Args:
            azimuth_deg: 0 is the viewer's side, 90 is image right.
            elevation_deg: 90 is straight above.
            ambient: share of ambient light, which comes from all around, in [0, 1].
            color: linear RGB.
            radius_deg: angular radius of the lamp.

        Raises:
            InputError: a value out of its range.
        """
        tint = np.asarray(color, np.float64)
        if tint.shape != (3,) or not np.isfinite(tint).all() or tint.min() < 0:
            raise InputError(f"light colour {tuple(color)}: must be three numbers of at least 0")
        _check("ambient", ambient, 0, 1)
        lamp = Lamp(direction_of(azimuth_deg, elevation_deg), (1 - ambient) * tint, _check("radius", radius_deg, 0, 90))
        return cls(lamp.sh + _graded(ambient * tint, ambient * tint), (lamp,))

    @classmethod
    def from_environment(cls, radiance: Float[np.ndarray, "height width 3"]) -> Light:
        """A latitude-longitude map of linear radiance (layout of `math.sh.directions`); its bright spots are lamps."""
        return cls(sh.project_environment(radiance.astype(np.float64)), find_lamps(radiance))

    @classmethod
    def from_hdri(cls, path: str | os.PathLike[str], rotation_deg: float = 0.0, exposure_stops: float = 0.0) -> Light:
        """An environment map from a file (.hdr, .exr, .npy), scaled to mean luminance 1.

        Args:
            path: a latitude-longitude map, row 0 up; its middle column is in front of the camera.
            rotation_deg: rotates it about the vertical; what is behind the camera moves toward image right.
            exposure_stops: +1 doubles it.

        Raises:
            InputError: the file is not such a map.
        """
        from illures.io.environment_maps import load_hdri, rotated

        angle = np.deg2rad(rotation_deg)
        turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        light = cls.from_environment(rotated(load_hdri(Path(path)), turn).astype(np.float32))
        return light.scaled(2.0**exposure_stops)

    @classmethod
    def from_sh(cls, values: Any, layout: str = "illures") -> Light:
        """Spherical-harmonic coefficients in one of the layouts of docs/conventions.md.

        Args:
            values: illures: 9 x 3, 27 in that order, or 9 for white light; sfsnet: 27 (3 x 9); dpr: 9.
            layout: "illures", "sfsnet" or "dpr".

        Raises:
            InputError: an unknown layout, or values that do not fit it.
        """
        if layout not in LAYOUTS:
            raise InputError(f"layout {layout!r}: must be one of {', '.join(LAYOUTS)}")
        numbers = np.asarray(values, np.float64)
        lengths = _LENGTHS[layout]
        if numbers.size not in lengths or not np.isfinite(numbers).all():
            rule = " or ".join(str(n) for n in lengths)
            raise InputError(f"light: {numbers.size} values; the layout {layout} has {rule}, all finite")
        if layout == "dpr":
            light = sh.from_dpr(numbers.ravel())
        elif layout == "sfsnet":
            light = sh.from_sfsnet(numbers if numbers.shape == (9, 3) else numbers.reshape(3, 9).T)
        else:
            light = numbers.reshape(9, 3) if numbers.size == 27 else np.repeat(numbers.reshape(9, 1), 3, axis=1)
        if luminance(light[0]) <= 0:
            raise InputError(f"light: mean radiance {luminance(light[0]):.3g}; must be above 0")
        return cls(np.asarray(light))

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> Light:
        """Read a light.json of `illures decompose` (its `light_upright`), or the output of `to_dict`.

        Raises:
            InputError: the file is missing, is not JSON, or is not a light.
        """
        with decoding(path, "JSON"):
            content = parse_json(Path(path).read_text(encoding="utf-8"))
        try:
            return _from_content(content)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    @classmethod
    def preset(cls, name: str) -> Light:
        """One of `PRESETS`.

        Raises:
            InputError: no preset has this name.
        """
        if name not in PRESETS:
            raise InputError(f"light {name!r}: no such preset; there are {', '.join(PRESETS)}")
        setup = PRESETS[name]
        lamps = tuple(
            Lamp(direction_of(k.azimuth_deg, k.elevation_deg), k.strength * np.asarray(k.colour), k.radius_deg)
            for k in setup.lamps
        )
        above = setup.above * np.asarray(setup.above_colour)
        below = setup.below * np.asarray(setup.below_colour)
        return cls(sum((lamp.sh for lamp in lamps), _graded(above, below)), lamps)

    @classmethod
    def like(cls, decomposition: Decomposition, keep_colour: bool = False) -> Light:
        """The light of another photo's face, in the upright frame of that photo.

        Args:
            decomposition: the other face.
            keep_colour: use only its directions; the result is white (`relight.matched` applies a face's colour).
        """
        from illures.faces import upright

        light = sh.rotate(decomposition.light.astype(np.float64), upright(decomposition.crop))
        if keep_colour:
            light = np.repeat(luminance(light)[:, None], 3, axis=1)
        return cls(light, dominant_lamp(light))

    def scaled(self, factor: float | Float[np.ndarray, "3"]) -> Light:
        """The same light, `factor` times as strong (one number, or one for each channel)."""
        lamps = tuple(replace(lamp, irradiance=lamp.irradiance * factor) for lamp in self.lamps)
        return Light(self.sh * factor, lamps)

    def rotated(self, rotation: Float[np.ndarray, "3 3"]) -> Light:
        """The light turned by a rotation matrix."""
        lamps = tuple(replace(lamp, direction=rotation @ lamp.direction) for lamp in self.lamps)
        return Light(sh.rotate(self.sh, rotation), lamps)

    def mirrored(self) -> Light:
        """The light mirrored left to right."""
        odd = np.array([1, 1, 1, -1, -1, 1, 1, -1, 1.0])[:, None]  # the basis functions with an odd power of x
        flip = np.array([-1.0, 1, 1])
        return Light(self.sh * odd, tuple(replace(lamp, direction=lamp.direction * flip) for lamp in self.lamps))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON; `from_json` reads them."""
        lamps = [
            {
                "direction": [round(float(v), 6) for v in lamp.direction],
                "irradiance": [round(float(v), 6) for v in lamp.irradiance],
                "radius_deg": round(lamp.radius_deg, 3),
            }
            for lamp in self.lamps
        ]
        return {"sh": np.round(np.asarray(self.sh, np.float64), 6).tolist(), "lamps": lamps}


def direction_of(azimuth_deg: float, elevation_deg: float) -> Float[np.ndarray, "3"]:
    """Unit vector; azimuth 0 is the viewer's side, 90 is image right, elevation 90 is up."""
    azimuth = np.deg2rad(_check("azimuth", azimuth_deg, -360, 360))
    elevation = np.deg2rad(_check("elevation", elevation_deg, -90, 90))
    return np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])


def _graded(above: Float[np.ndarray, "3"], below: Float[np.ndarray, "3"]) -> Float[np.ndarray, "9 3"]:
    """Radiance c + s y, from `below` to `above`: L_0 = c sqrt(4 pi), L_y = s sqrt(4 pi / 3)."""
    light = np.zeros((9, 3))
    light[0] = sqrt(4 * pi) * (above + below) / 2
    light[1] = sqrt(4 * pi / 3) * (above - below) / 2
    return light


def _from_content(content: Any) -> Light:
    keys = content.keys() if isinstance(content, dict) else set()
    name = next((key for key in ("sh", "light_upright", "light") if key in keys), None)
    if name is None:
        raise InputError("not a light: must hold 'sh', or 'light_upright' as illures decompose writes it")
    try:
        coefficients = np.asarray(content[name], np.float64)
        lamps = tuple(_lamp_of(entry) for entry in content.get("lamps", []))
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name!r} or 'lamps' holds something else than numbers in the right places") from None
    if coefficients.shape != (9, 3):
        raise InputError(f"{name!r} has shape {coefficients.shape}; must be 9 x 3")
    return replace(Light.from_sh(coefficients), lamps=lamps)


def _lamp_of(entry: dict[str, Any]) -> Lamp:
    direction, irradiance = (np.asarray(entry[key], np.float64) for key in ("direction", "irradiance"))
    if direction.shape != (3,) or irradiance.shape != (3,) or not np.linalg.norm(direction) > 0:
        raise InputError("a lamp needs a direction and an irradiance of three numbers each")
    if not np.isfinite([*direction, *irradiance]).all() or irradiance.min() < 0:
        raise InputError("a lamp's direction and irradiance must be finite, and its irradiance not negative")
    return Lamp(normalize(direction), irradiance, _check("radius_deg", float(entry["radius_deg"]), 0, 90))


def _check(name: str, value: float, low: float, high: float) -> float:
    if not low <= value <= high:  # NaN fails too
        raise InputError(f"{name} {value:g}: must be from {low:g} to {high:g}")
    return float(value)

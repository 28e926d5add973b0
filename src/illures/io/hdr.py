"""High dynamic range (HLG, PQ) and wide-gamut pictures to sRGB.

Convention: codes are RGB as in the file, integers over their whole range. Transfer functions and primaries are numbered
as in ITU-T H.273. SDR codes are taken as sRGB, as in all clips.

Sources: ITU-R BT.2100-2 (PQ, HLG), BT.2446-1 method A (HDR to SDR; keeps steps within highlights).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from jaxtyping import Float, Num, UInt8, UInt16

from illures.math.color import linear_to_srgb, luminance, srgb_to_linear
from illures.math.colorspace import PRIMARIES, to_linear_srgb

PQ, HLG = 16, 18
SDR_NITS = 100.0  # white of SDR
HLG_PEAK_NITS = 1000.0  # nominal HLG display, with system gamma 1.2
USUAL_PEAK_NITS = 1000.0  # peak of PQ where the file has none
_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
_LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)
_BAND = 64  # rows processed at a time
_STEPS = 4096  # entries of the curve tables


@dataclass(frozen=True)
class Colours:
    """Colour code points of a file.

    Attributes:
        primaries: number of H.273: 1 BT.709, 9 BT.2020, 12 P3, ...
        transfer: likewise: 16 PQ, 18 HLG; all else is taken as sRGB's curve.
        peak_nits: brightest light of a PQ picture [cd/m²]; None if unknown.
    """

    primaries: int
    transfer: int
    peak_nits: float | None = None

    @property
    def is_hdr(self) -> bool:
        """Whether it must be tone-mapped."""
        return self.transfer in (PQ, HLG)

    @property
    def is_srgb(self) -> bool:
        """Whether no conversion is needed."""
        return not self.is_hdr and self.primaries not in PRIMARIES

    @property
    def description(self) -> str:
        """Description for the user."""
        space = PRIMARIES[self.primaries].name if self.primaries in PRIMARIES else "BT.709"
        if self.is_hdr:
            kind = "PQ" if self.transfer == PQ else "HLG"
            return f"HDR ({space}, {kind}); tone-mapped to SDR (BT.2446) and sRGB"
        return f"its colours are of {space}; taken to sRGB"


def pq_to_nits(codes: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """Light of the display [cd/m²] of PQ codes in [0, 1]; BT.2100, table 4."""
    power = np.clip(codes, 0, 1) ** (1 / _M2)
    return np.asarray(10000 * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1))


def hlg_to_scene(codes: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """Light of the scene in [0, 1] of HLG codes; BT.2100, table 5, the inverse OETF."""
    high = (np.exp((np.maximum(codes, 0.5) - _C) / _A) + _B) / 12
    return np.where(codes <= 0.5, np.square(codes) / 3, high)


def tone_curve(luma: Float[np.ndarray, "*any"], peak_nits: float) -> Float[np.ndarray, "*any"]:
    """Luma of an HDR display, in [0, 1] of its peak and to the power 1 / 2.4, as luma of SDR; BT.2446-1, 4.2."""
    wide, narrow = (1 + 32 * (nits / 10000) ** (1 / 2.4) for nits in (peak_nits, SDR_NITS))
    even = np.log1p((wide - 1) * luma) / np.log(wide)
    bent = np.where(
        even <= 0.7399,
        1.0770 * even,
        np.where(even < 0.9909, -1.1510 * even**2 + 2.7811 * even - 0.6302, 0.5 * even + 0.5),
    )
    return np.asarray((narrow**bent - 1) / (narrow - 1))


def to_sdr(
    codes: UInt8[np.ndarray, "height width 3"] | UInt16[np.ndarray, "height width 3"], colours: Colours
) -> Num[np.ndarray, "height width 3"]:
    """Codes of a file as sRGB codes of the same type.

    HDR is converted to display light and tone-mapped. Then linear light is converted to the primaries of sRGB, and
    colours out of gamut are moved toward grey of the same luminance.
    """
    if colours.is_srgb:
        return codes
    matrix = to_linear_srgb(colours.primaries).astype(np.float32)
    top = np.iinfo(codes.dtype).max
    out = np.empty_like(codes)
    for start in range(0, len(codes), _BAND):
        rows = slice(start, start + _BAND)
        linear = cv2.transform(_linear(codes[rows], colours), matrix).reshape(codes[rows].shape)
        out[rows] = np.round(linear_to_srgb(_in_gamut(linear)) * np.float32(top))
    return out


def _linear(codes: Num[np.ndarray, "rows columns 3"], colours: Colours) -> Float[np.ndarray, "rows columns 3"]:
    """Linear light in [0, 1] of SDR with the file's own primaries."""
    levels = _levels(colours.transfer, int(np.iinfo(codes.dtype).max))
    light = levels.take(codes)
    if not colours.is_hdr:
        return light
    peak = HLG_PEAK_NITS
    if colours.transfer == HLG:  # the OOTF: from the scene to the display, by the scene's luminance
        light *= np.maximum(light @ _LUMA, 1e-6)[..., None] ** np.float32(0.2)
    else:
        peak = min(max(colours.peak_nits or USUAL_PEAK_NITS, SDR_NITS), 10000.0)
        light = np.minimum(light * np.float32(10000 / peak), 1)
    return srgb_to_linear(_tone_mapped(np.minimum(light, 1) ** np.float32(1 / 2.4), peak))


def _tone_mapped(display: Float[np.ndarray, "rows columns 3"], peak_nits: float) -> Float[np.ndarray, "rows columns 3"]:
    """Codes of SDR of RGB to the power 1 / 2.4: luma by the curve, chroma with it; BT.2446-1, 4.2."""
    luma = display @ _LUMA
    curve = _curve(peak_nits)
    bent = np.interp(luma, np.linspace(0, 1, len(curve)), curve).astype(np.float32)
    gain = bent / (np.float32(1.1) * np.maximum(luma, 1e-6))
    blue, red = (gain * (display[..., i] - luma) for i in (2, 0))
    bent -= np.maximum(np.float32(0.1 / 1.4746) * red, 0)
    red, blue = bent + red, bent + blue
    green = (bent - _LUMA[0] * red - _LUMA[2] * blue) / _LUMA[1]
    return np.clip(np.stack([red, green, blue], axis=-1), 0, 1)


@cache
def _levels(transfer: int, top: int) -> Float[np.ndarray, " levels"]:
    """Light of each code in [0, 1]: of the display for PQ (1 is 10,000 cd/m²), of the scene for HLG."""
    codes = np.arange(top + 1, dtype=np.float64) / top
    if transfer == PQ:
        return (pq_to_nits(codes) / 10000).astype(np.float32)
    return (hlg_to_scene(codes) if transfer == HLG else srgb_to_linear(codes)).astype(np.float32)


@cache
def _curve(peak_nits: float) -> Float[np.ndarray, " steps"]:
    return tone_curve(np.linspace(0, 1, _STEPS + 1), peak_nits).astype(np.float32)


def _in_gamut(linear: Float[np.ndarray, "rows columns 3"]) -> Float[np.ndarray, "rows columns 3"]:
    """Move colours outside [0, 1] toward grey of their luminance, only as far as needed."""
    grey = np.clip(luminance(linear), 0, 1)[..., None]
    low, high = linear.min(-1, keepdims=True), linear.max(-1, keepdims=True)
    share = np.minimum(
        np.where(low < 0, grey / np.maximum(grey - low, 1e-6), 1),
        np.where(high > 1, (1 - grey) / np.maximum(high - grey, 1e-6), 1),
    )
    return np.clip(grey + share * (linear - grey), 0, 1)

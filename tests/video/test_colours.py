"""Colours of clips: HDR is tone-mapped, and primaries, matrices and ranges are read as the file declares them."""

from __future__ import annotations

import warnings
from pathlib import Path

import av
import colour
import numpy as np
import pytest

from clips import pictures, write_clip, write_coded
from illures.decompose.decomposer import Decomposer
from illures.errors import InputWarning
from illures.io.hdr import HLG, PQ, Colours, hlg_to_scene, pq_to_nits, to_sdr, tone_curve
from illures.math.color import srgb_to_linear
from illures.video.make import make_video
from illures.video.read import open_clip, read_frames

SKIN = np.array([0.18, 0.09, 0.06])  # linear BT.709


def in_hdr(linear_709: np.ndarray, transfer: int) -> np.ndarray:
    """16-bit codes of BT.2020 HLG or PQ for light where 1 is the display's peak; by another library."""
    space = colour.RGB_COLOURSPACES
    wide = colour.RGB_to_RGB(linear_709, space["ITU-R BT.709"], space["ITU-R BT.2020"])
    if transfer == PQ:
        codes = colour.models.eotf_inverse_ST2084(1000 * np.clip(wide, 0, 1))
    else:
        codes = colour.models.eotf_inverse_BT2100_HLG(1000 * np.clip(wide, 0, 1))
    return np.round(np.clip(codes, 0, 1) * 65535).astype(np.uint16)


@pytest.mark.parametrize("transfer", [HLG, PQ])
@pytest.mark.parametrize("suffix", [".mov", ".mkv", ".mp4"])
def test_hdr_clips_are_tone_mapped_and_that_is_said(tmp_path: Path, transfer: int, suffix: str) -> None:
    scene = np.empty((96, 128, 3))
    scene[:], scene[:, 64:] = SKIN, 0.05
    scene[:20] = 1.0
    path = write_coded(tmp_path / f"hdr{suffix}", [in_hdr(scene, transfer)] * 2, transfer=transfer)
    with pytest.warns(InputWarning, match=rf"hdr\{suffix}: HDR \(BT.2020, {'PQ' if transfer == PQ else 'HLG'}\)"):
        open_clip(path)
    image = next(read_frames(path)).image
    skin, grey, white = (srgb_to_linear(image[y, x] / 255.0) for y, x in ((60, 30), (60, 100), (6, 30)))
    np.testing.assert_allclose(white, 1, atol=0.02)
    np.testing.assert_allclose(grey, grey.mean(), atol=0.01)
    # Hue and purity of BT.709 come back; a reading as if the primaries were BT.709's own washes them out.
    want, found = colour.XYZ_to_xy(colour.RGB_to_XYZ(SKIN, "sRGB")), colour.XYZ_to_xy(colour.RGB_to_XYZ(skin, "sRGB"))
    np.testing.assert_allclose(found, want, atol=0.03)
    assert (SKIN.mean() > 0.05) == (skin.mean() > grey.mean())


@pytest.mark.parametrize("transfer", [HLG, PQ])
@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.webm"])
def test_hdr_clips_come_out_as_bt709(tmp_path: Path, transfer: int, name: str) -> None:
    """The file says so, and a player sees the colours that the reader gave."""
    scene = np.empty((96, 128, 3))
    scene[:], scene[:, 64:] = SKIN, 0.05
    clip = write_coded(tmp_path / "hdr.mov", [in_hdr(scene, transfer)] * 2, transfer=transfer)
    with pytest.warns(InputWarning, match="HDR"):
        make_video(clip, tmp_path / name, Decomposer.from_pretrained(size=64), "albedo")
    with av.open(str(tmp_path / name)) as container:
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_range) == (1, 1)
        context = container.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc) == (1, 1) and "10" not in frame.format.name
        seen = frame.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()
    wanted = next(read_frames(clip)).image
    assert np.abs(seen.astype(int) - wanted).mean() < 2 and wanted.std() > 10
    with warnings.catch_warnings():
        warnings.simplefilter("error", InputWarning)
        open_clip(tmp_path / name)


def test_hdr_curves_are_those_of_the_standards() -> None:
    codes = np.linspace(0, 1, 101)
    np.testing.assert_allclose(pq_to_nits(codes), colour.models.eotf_ST2084(codes), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(hlg_to_scene(codes), colour.models.oetf_inverse_BT2100_HLG(codes), atol=1e-6)
    bent = tone_curve(codes, 1000.0)
    assert bent[0] == 0 and bent[-1] == pytest.approx(1, abs=1e-6) and (np.diff(bent) > 0).all()
    assert (np.diff(bent, 2) < 1e-3).all()  # highlights are bent, nothing is pulled up


def test_hdr_says_more_steps_than_8_bits_but_no_bands() -> None:
    ramp = np.repeat(np.arange(0, 65536, 16, dtype=np.uint16)[None, :, None], 3, axis=2)
    out = to_sdr(np.repeat(ramp, 4, axis=0), Colours(9, HLG))[0, :, 1].astype(int)
    assert (np.diff(out) >= 0).all() and np.diff(out).max() < 200 and out[-1] > 65500


def test_peak_of_a_pq_clip_is_read_from_the_file(tmp_path: Path) -> None:
    grey = np.full((64, 64, 3), int(65535 * colour.models.eotf_inverse_ST2084(1000)), np.uint16)
    display = "hdr10=1:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L({},1):max-cll={},100"
    means = []
    for nits in (1000, 4000):
        options = {"x265": display.format(nits * 10000, nits)}
        path = write_coded(tmp_path / f"{nits}.mp4", [grey] * 3, transfer=PQ, options=options)
        means.append(next(read_frames(path)).image.mean())
    assert means[0] > 252 > 240 > means[1]  # white of the one display is no white of the other


def test_p3_is_taken_to_srgb_without_a_tone_curve(tmp_path: Path) -> None:
    space = colour.RGB_COLOURSPACES
    codes = colour.RGB_to_RGB(SKIN, space["sRGB"], space["Display P3"])
    image = np.tile(np.round(255 * colour.models.eotf_inverse_sRGB(codes)).astype(np.uint8), (64, 64, 1))
    path = write_coded(tmp_path / "p3.mov", [image] * 3, matrix=1, primaries=12, transfer=1)
    with pytest.warns(InputWarning, match="Display P3"):
        open_clip(path)
    found = next(read_frames(path)).image.reshape(-1, 3).mean(0) / 255
    np.testing.assert_allclose(srgb_to_linear(found), SKIN, atol=0.01)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 5, 9])
@pytest.mark.parametrize(
    ("codec", "pixels"), [("libx264", "yuv420p"), ("libx264", "yuv422p"), ("libx265", "yuv420p10le")]
)
def test_matrix_and_range_are_as_the_file_says(
    tmp_path: Path, full: bool, matrix: int, codec: str, pixels: str
) -> None:
    want = np.array([190, 70, 40], np.uint8)
    path = write_coded(
        tmp_path / "a.mp4",
        [np.tile(want, (720, 64, 1))],  # high enough to be BT.709 where nothing is said
        codec=codec,
        pixels=pixels,
        matrix=matrix,
        primaries=1,
        transfer=1,
        full=full,
    )
    np.testing.assert_allclose(next(read_frames(path)).image.reshape(-1, 3).mean(0), want, atol=3)


def test_plain_clips_say_nothing(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", pictures(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error", InputWarning)
        open_clip(path)

"""HDR stills, gain maps, alpha and bars over a face: files made here, by other libraries than those that read them."""

from __future__ import annotations

import io
import json
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import colour
import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image

from command_line import run
from illures.decompose.decomposer import Decomposer
from illures.errors import InputWarning
from illures.faces import crop_face, extract, find_faces, painted_over, to_crop
from illures.faces.mesh import mesh_mask
from illures.io.exr import read_exr_linear
from illures.io.exr_layers import read_layers
from illures.io.formats import Format
from illures.io.photos import load_image, open_photo, read_photo, save_image
from illures.math.color import srgb_to_linear
from illures.types import Region

ASTRONAUT = Path(__file__).parents[2] / "src" / "illures" / "assets" / "astronaut.jpg"
SKIN = np.array([0.18, 0.09, 0.06])  # linear BT.709, of the display's peak
PQ, HLG = 16, 18


@pytest.fixture(scope="module")
def decomposer() -> Decomposer:
    return Decomposer.from_pretrained(size=128)


def hdr_codes(transfer: int) -> np.ndarray:
    space = colour.RGB_COLOURSPACES
    wide = 1000 * colour.RGB_to_RGB(SKIN, space["ITU-R BT.709"], space["ITU-R BT.2020"])
    inverse = colour.models.eotf_inverse_ST2084 if transfer == PQ else colour.models.eotf_inverse_BT2100_HLG
    return np.tile(np.round(inverse(wide) * 65535).astype(np.uint16), (64, 96, 1))


def write_heic(path: Path, codes: np.ndarray, transfer: int) -> None:
    made = pillow_heif.from_bytes("RGB;16", codes.shape[1::-1], codes.tobytes())
    made.save(
        path,
        quality=95,
        chroma="444",
        color_primaries=9,
        transfer_characteristics=transfer,
        matrix_coefficients=9,
        full_range_flag=1,
    )


@contextmanager
def same_priority() -> Iterator[None]:
    """Undo what SVT-AV1 does where it may: it gives its caller's thread the highest real-time priority.

    All that this process starts later would inherit it: browsers and pools that spin then starve the machine.
    """
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def write_avif(path: Path, codes: np.ndarray, transfer: int) -> None:
    with same_priority(), av.open(str(path), "w", format="avif") as container:
        stream = container.add_stream("libsvtav1", rate=1, options={"crf": "5"})
        stream.height, stream.width = codes.shape[:2]
        stream.pix_fmt = "yuv420p10le"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 9, 9, transfer, 1
        frame = av.VideoFrame.from_ndarray(codes, format="rgb48le")
        frame = frame.reformat(format="yuv420p10le", dst_colorspace="BT2020", dst_color_range="MPEG")
        frame.pts, frame.time_base = 0, Fraction(1, 1)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_png(path: Path, codes: np.ndarray, transfer: int) -> None:
    """With a cICP chunk after the header."""
    data = cv2.imencode(".png", codes[..., ::-1])[1].tobytes()
    chunk = b"cICP" + bytes([9, transfer, 0, 1])
    at = data.index(b"IHDR") + 4 + 13 + 4
    path.write_bytes(data[:at] + struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[at:])


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("write", [write_heic, write_avif, write_png])
def test_hdr_stills_are_tone_mapped(tmp_path: Path, write, transfer: int) -> None:
    path = tmp_path / f"photo{ {'write_heic': '.heic', 'write_avif': '.avif', 'write_png': '.png'}[write.__name__] }"
    write(path, hdr_codes(transfer), transfer)
    with pytest.warns(InputWarning, match=rf"photo.*HDR \(BT.2020, {'PQ' if transfer == PQ else 'HLG'}\)"):
        photo = read_photo(path)
    assert photo.dtype == np.uint16 and photo.shape == (64, 96, 3)
    found = srgb_to_linear(photo.reshape(-1, 3).mean(0) / 65535)
    xy = [colour.XYZ_to_xy(colour.RGB_to_XYZ(v, "sRGB")) for v in (found, SKIN)]
    np.testing.assert_allclose(xy[0], xy[1], atol=0.03)


def test_the_three_kinds_say_the_same(tmp_path: Path) -> None:
    means = []
    for write, name in ((write_heic, "a.heic"), (write_avif, "a.avif"), (write_png, "a.png")):
        write(tmp_path / name, hdr_codes(PQ), PQ)
        with pytest.warns(InputWarning):
            means.append(load_image(tmp_path / name).reshape(-1, 3).mean(0))
    np.testing.assert_allclose(means, np.tile(means[2], (3, 1)), atol=0.012)


@pytest.mark.parametrize("words", [b'hdrgm:Version="1.0"', b"urn:iso:std:iso:ts:21496:-1\0", b"aux:hdrgainmap"])
def test_a_gain_map_is_said_and_the_base_read(tmp_path: Path, words: bytes) -> None:
    plain = ASTRONAUT.read_bytes()
    body = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + words + b"</x:xmpmeta>"
    segment = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    path = tmp_path / "phone.jpg"
    path.write_bytes(plain[:2] + segment + plain[2:] + plain)  # the second picture follows the first
    with pytest.warns(InputWarning, match="phone.jpg: has a gain map"):
        found = read_photo(path)
    np.testing.assert_array_equal(found, read_photo(ASTRONAUT))


def test_ordinary_photos_say_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", InputWarning)
        read_photo(ASTRONAUT)


# Alpha


def cut_out(path: Path, grey: int = 128) -> np.ndarray:
    """The astronaut with a transparent right half of the picture, soft at the edge; `grey` behind it."""
    photo = read_photo(ASTRONAUT)
    alpha = np.clip((260 - np.arange(photo.shape[1])) / 8, 0, 1)[None].repeat(len(photo), 0)
    codes = np.dstack([np.where(alpha[..., None] > 0, photo, grey), np.round(255 * alpha)]).astype(np.uint8)
    Image.fromarray(codes, "RGBA").save(path)
    return codes[..., 3]


@pytest.mark.parametrize("format", ["png", "png16", "exr", "split"])
def test_maps_keep_the_alpha(tmp_path: Path, format: str) -> None:
    alpha = cut_out(tmp_path / "cut.png")
    options = ["--format", "exr", "--exr-layers", "split"] if format == "split" else ["--format", format]
    assert run("decompose", tmp_path / "cut.png", "-o", tmp_path / "out", "--maps", "all", *options) == 0
    folder = tmp_path / "out" / "cut"
    if format == "exr":
        layers = read_layers(folder / "maps.exr")
        assert (layers["photo"][:, 300:] == 0).all() and (layers["matte"][:, 300:] == 0).all()
        return
    top = {"png": 255, "png16": 65535, "split": 1}[format]
    for name in ("albedo", "normal", "shading", "residual", "reconstruction"):
        path = folder / f"{name}{'.exr' if format == 'split' else '.png'}"
        codes = read_exr_linear(path) if format == "split" else cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert codes.shape == (*alpha.shape, 4)
        np.testing.assert_allclose(codes[..., 3] / top, alpha / 255, atol=2e-3)
    kind = Format("exr" if format == "split" else format)
    total = kind.read(folder, "albedo") * kind.read(folder, "shading") + kind.read(folder, "residual")
    want = srgb_to_linear(load_image(tmp_path / "cut.png"))
    assert np.abs(total - want)[alpha == 255].max() < 0.02
    for name in ("mask", "matte"):
        assert (kind.read(folder, name)[:, 300:] == 0).all()


def test_nothing_is_learnt_from_what_is_behind(tmp_path: Path, decomposer: Decomposer) -> None:
    cut_out(tmp_path / "cut.png")
    opened = open_photo(tmp_path / "cut.png")
    assert opened.alpha is not None
    face = decomposer(opened.photo, alpha=opened.alpha)[0]
    shown = decomposer(opened.photo)[0]
    assert face.mask.sum() < shown.mask.sum()
    see_through = extract(opened.alpha, face.crop) == 0
    assert see_through.mean() > 0.1
    assert (face.mask[see_through] == 0).all() and face.regions is not None
    np.testing.assert_allclose(face.regions[see_through][:, Region.BACKGROUND], 1, atol=1e-5)
    np.testing.assert_allclose(face.regions.sum(-1), 1, atol=1e-4)


@pytest.mark.parametrize("name", ["out.png", "out.tif", "out.webp", "out.exr", "out.jpg"])
def test_relit_photos_keep_it_where_they_can(tmp_path: Path, name: str, capsys) -> None:
    alpha = cut_out(tmp_path / "cut.png")
    assert run("relight", tmp_path / "cut.png", "-o", tmp_path / name, "--light", "60,20") == 0
    found = open_photo(tmp_path / name).alpha
    if name == "out.jpg":
        assert found is None and "has no alpha" in capsys.readouterr().err
        return
    assert found is not None
    np.testing.assert_allclose(found, alpha / 255, atol=3e-3)


def test_alpha_goes_to_a_file_and_back(tmp_path: Path, rng: np.random.Generator) -> None:
    photo, alpha = rng.random((20, 30, 3), np.float32), np.ones((20, 30), np.float32)
    alpha[:, :10] = 0.5
    for name, bits in (("a.png", 8), ("b.png", 16), ("a.tif", 16), ("a.exr", 8)):
        save_image(tmp_path / name, photo, bits, alpha)
        opened = open_photo(tmp_path / name)
        assert opened.alpha is not None
        np.testing.assert_allclose(opened.alpha, alpha, atol=3e-3)
        np.testing.assert_allclose(
            open_photo(tmp_path / name).photo[:, 15:] / (65535 if bits == 16 else 255 if name != "a.exr" else 1),
            photo[:, 15:],
            atol=3e-3,
        )


def test_notes_are_kept_with_the_maps(tmp_path: Path) -> None:
    plain = ASTRONAUT.read_bytes()
    body = b"http://ns.adobe.com/xap/1.0/\0hdrgm:Version"
    segment = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    (tmp_path / "phone.jpg").write_bytes(plain[:2] + segment + plain[2:])
    assert run("decompose", tmp_path / "phone.jpg", "-o", tmp_path / "out", "--crop-only") == 0
    for name in ("photo.json", "face-1/face.json"):
        assert "gain map" in json.loads((tmp_path / "out" / "phone" / name).read_text())["notes"][0]


# What covers a face


def barred(colour_: tuple[int, int, int], quality: int | None, turned_deg: float) -> np.ndarray:
    """The astronaut with a bar over the eyes."""
    photo = read_photo(ASTRONAUT).copy()
    box = cv2.boxPoints(((224.0, 110.0), (80.0, 22.0), turned_deg)).astype(np.int32)
    cv2.fillPoly(photo, [box], colour_)
    if quality is None:
        return photo
    data = io.BytesIO()
    Image.fromarray(photo).save(data, "JPEG", quality=quality)
    return np.asarray(Image.open(data))


@pytest.fixture(scope="module", params=["illures-128", "illures-256"])
def of_both_sizes(request: pytest.FixtureRequest) -> Decomposer:
    return Decomposer.from_pretrained(request.param)


@pytest.mark.parametrize("colour_", [(0, 0, 0), (10, 10, 10), (255, 255, 255), (200, 30, 40)])
@pytest.mark.parametrize(("quality", "turned_deg"), [(None, 0.0), (80, 0.0), (95, 12.0)])
def test_a_bar_is_no_skin(of_both_sizes: Decomposer, colour_, quality, turned_deg: float) -> None:
    decomposer = of_both_sizes
    (face,) = decomposer(barred(colour_, quality, turned_deg))
    # The bar's inside, in the crop.
    corners = cv2.boxPoints(((224.0, 110.0), (72.0, 14.0), turned_deg))
    moved = corners @ face.crop.matrix[:, :2].T + face.crop.matrix[:, 2]
    inside = np.zeros(face.mask.shape, np.uint8)
    cv2.fillPoly(inside, [np.round(moved).astype(np.int32)], 1)
    bar = inside > 0
    assert bar.sum() > 200
    assert face.mask[bar].max() < 0.05
    assert face.normal[bar][:, 2].min() > 0.98
    np.testing.assert_allclose(face.reconstruct(), face.image, atol=1e-4)
    assert np.abs(face.light / face.light[0] - decomposer(ASTRONAUT)[0].light / face.light[0]).max() < 2


def test_a_plain_face_has_no_bar(of_both_sizes: Decomposer) -> None:
    photo = load_image(ASTRONAUT)
    face = of_both_sizes(photo)[0]
    for gain, offset in ((1, 0), (4, 0), (1, -0.4), (8, -2)):  # burnt out and crushed to black, too
        crop = np.clip(gain * extract(photo, face.crop) + offset, 0, 1)
        assert not painted_over(crop, to_crop(face.crop.face.landmarks, face.crop)).any()


def test_a_backdrop_of_the_colour_of_skin_is_no_bar(rng: np.random.Generator) -> None:
    """Flat all round, and the face hardly another colour, but rough: one flood fills both."""
    photo = load_image(ASTRONAUT)
    face = crop_face(find_faces(photo)[0], photo.shape[:2])
    landmarks = to_crop(face.face.landmarks, face)
    crop = np.full((128, 128, 3), 0.5, np.float32)
    inside = mesh_mask(landmarks, 128) > 0
    crop[inside] += rng.uniform(-16 / 255, 16 / 255, (inside.sum(), 3)).astype(np.float32)
    assert not painted_over(crop, landmarks).any()

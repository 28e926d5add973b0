"""Relighting: the face's own light gives the photo back; a perfect network's face under another light is the truth."""

from dataclasses import replace

import numpy as np
import pytest

from command_line import run
from face_scene import crop_at, scene
from illures.errors import InputError
from illures.faces import bounds, extract
from illures.faces.matte import MARGIN
from illures.io.photos import as_float, as_linear, read_photo, save_image
from illures.math.color import luminance
from illures.relighting.composite import PhotoRelighter, relight_photo
from illures.relighting.exposure import exposed
from illures.relighting.light import Lamp, Light, direction_of
from illures.relighting.relight import relight
from illures.relighting.shading import facing_disc, highlight
from illures.render import shade
from illures.types import Region

pytestmark = pytest.mark.usefixtures("decomposed_once")


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(max(np.mean((a.astype(np.float64) - b) ** 2), 1e-12)))


@pytest.mark.parametrize("roll", [0.0, 25.0, -100.0])
def test_its_own_light_gives_the_face_back(roll):
    s = scene(roll_deg=roll)
    own = Light.like(s.face)
    assert psnr(relight(s.face, own, residual="keep"), s.face.image) > 60
    window = s.face.photo_resolution(s.photo)
    assert psnr(relight(window, own, residual="keep"), window.image) > 60


def test_its_own_light_gives_hair_back():
    """Hair is shaded by smoother normals and with less contrast than skin, which must divide out."""
    s = scene()
    regions = np.zeros((*s.face.mask.shape, len(Region)), np.float32)
    regions[: len(regions) // 2, :, Region.HAIR] = regions[len(regions) // 2 :, :, Region.SKIN] = 1
    face, own = replace(s.face, regions=regions), Light.like(s.face)
    assert psnr(relight(face, own, residual="keep"), face.image) > 60
    whole = (as_float(photo) for photo in (relight_photo(s.photo, [face], own, residual="keep"), s.photo))
    assert psnr(*whole) > 55


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_its_own_light_gives_the_photo_back(dtype):
    s = scene(dtype=dtype)
    out = relight_photo(s.photo, [s.face], Light.like(s.face), residual="keep")
    assert out.shape == s.photo.shape and out.dtype == s.photo.dtype
    scale = 1.0 if dtype is np.float32 else np.iinfo(dtype).max
    assert psnr(out / scale, s.photo / scale) > 55


@pytest.mark.parametrize("roll", [0.0, 25.0])
def test_a_perfect_face_under_another_light_is_the_truth(roll):
    s = scene(roll_deg=roll)
    light = np.zeros((9, 3), np.float32)
    light[0], light[3], light[1] = [2.6, 2.2, 1.8], [1.1, 0.7, 0.4], [0.3, 0.4, 0.5]
    window = s.face.photo_resolution(s.photo)
    found = relight(window, Light.from_sh(light), residual="drop")
    truth = extract((s.albedo * shade(s.normal, light)).astype(np.float32), window.crop)
    inner = window.mask > 0.99
    assert psnr(found[inner], truth[inner]) > 32


@pytest.mark.parametrize("residual", ["drop", "keep", "recompute"])
@pytest.mark.parametrize("azimuth", [-60.0, 60.0])
def test_the_brighter_side_follows_the_lamp(azimuth, residual):
    s = scene(roll_deg=30)
    out = as_linear(relight_photo(s.photo, [s.face], Light.from_direction(azimuth, 0), residual=residual))
    left, right = (luminance(out[150:190, x : x + 20]).mean() for x in (135, 275))
    assert (right > 1.4 * left) == (azimuth > 0) and (left > 1.4 * right) == (azimuth < 0)


def test_the_old_shadow_goes_and_a_dark_spot_stays():
    """Light of a fifth goes with the old light; a spot of half the albedo is the skin's own."""
    s = scene(roll_deg=0)
    light, size = s.face.light, s.face.crop.size
    albedo = s.face.albedo.copy()
    albedo[50:60, 70:80] *= 0.5
    local = albedo * shade(s.face.normal, light)
    image = local.copy()
    image[50:60, 40:50] *= 0.2
    face = replace(s.face, image=image, albedo=albedo, residual=image - local)
    found = relight(face, Light.like(face))
    ratio = found / (s.face.albedo * shade(s.face.normal, light))
    rest = np.median(ratio[size // 2 - 5 : size // 2 + 5, size // 2 - 5 : size // 2 + 5])
    assert np.median(ratio[52:58, 42:48]) > 0.85 * rest
    assert 0.47 < np.median(ratio[52:58, 72:78]) / rest < 0.53


def test_pixels_away_from_the_face_stay_to_the_bit():
    s = scene(height=500, width=700, centre=(260.0, 200.0), radius=70)
    out = relight_photo(s.photo, [s.face], Light.preset("neon"))
    x0, y0, x1, y1 = bounds(s.face.crop)
    far = np.ones(s.photo.shape[:2], bool)
    margin = int(MARGIN * (x1 - x0)) + 1
    far[max(y0 - margin, 0) : y1 + margin, max(x0 - margin, 0) : x1 + margin] = False
    assert far.any() and (out[far] == s.photo[far]).all()
    assert (out != s.photo).any()


def test_background_takes_the_gain_of_the_light():
    s = scene()
    twice = Light.like(s.face).scaled(np.array([0.5, 0.25, 0.5]))
    linear = as_linear(relight_photo(s.photo, [s.face], twice, residual="keep", background="match"))
    ratio = linear[5:20, 5:20].mean((0, 1)) / as_linear(s.photo)[5:20, 5:20].mean((0, 1))
    np.testing.assert_allclose(ratio, [0.5, 0.25, 0.5], rtol=0.05)


def test_strength_goes_from_the_photo_to_the_whole_change():
    s = scene()
    light = Light.preset("neon")
    none, half, whole = (
        as_linear(relight_photo(s.photo, [s.face], light, background="match", strength=strength))
        for strength in (0.0, 0.5, 1.0)
    )
    assert (none == as_linear(s.photo)).all()
    np.testing.assert_allclose(half, (none + whole) / 2, rtol=0, atol=0.02)
    with pytest.raises(InputError, match="1.5"):
        relight_photo(s.photo, [s.face], light, strength=1.5)


def test_no_seam():
    """Across the mask's edge the change is as smooth as elsewhere."""
    s = scene(dtype=np.float32)
    flat = np.full_like(s.photo, 0.5)
    face = replace(s.face, image=as_linear(extract(flat, s.face.crop)))
    out = PhotoRelighter(flat, [face])(Light.from_direction(60, 20))
    steps = max(np.abs(np.diff(out, axis=0)).max(), np.abs(np.diff(out, axis=1)).max())
    assert steps < 0.12 and out.min() > 0.02


def test_two_faces_are_both_relit_and_neither_twice():
    s = scene(height=400, width=900, centre=(215.0, 170.0))
    photo = np.concatenate([s.photo[:, :450], s.photo[:, :450]], axis=1)
    crop = s.face.crop
    first = replace(s.face, crop=replace(crop, photo_size=photo.shape[:2]))
    moved = crop_at((665.0, 170.0), 1.15 * 120, 25.0, 128, photo.shape[:2])
    second = replace(s.face, crop=moved)
    out = relight_photo(photo, [first, second], Light.preset("split"))
    inner = slice(120, 220), slice(165, 265)
    np.testing.assert_allclose(out[inner].astype(int), out[:, 450:][inner].astype(int), atol=2)


def test_disc_that_sets_is_the_integral_over_the_disc(rng):
    """Against rays: a surface that tilts away from a lamp of 20 degrees."""
    radius = 20.0
    angles, heights = rng.uniform(0, 2 * np.pi, 20000), rng.uniform(np.cos(np.deg2rad(radius)), 1, 20000)
    rays = np.stack([np.sqrt(1 - heights**2) * np.cos(angles), np.sqrt(1 - heights**2) * np.sin(angles), heights], 1)
    for tilt in (0, 60, 80, 90, 100, 115):
        normal = np.array([np.sin(np.deg2rad(tilt)), 0, np.cos(np.deg2rad(tilt))])
        expected = np.clip(rays @ normal, 0, None).mean()
        assert facing_disc(np.array([normal[2]]), radius)[0] == pytest.approx(expected, abs=0.035)


def test_highlight_lies_where_the_lamp_is_mirrored():
    y, x = np.mgrid[-1:1:101j, -1:1:101j]
    z = np.sqrt(np.clip(1 - x * x - y * y, 0, None))
    normal = np.stack([x, -y, z], -1).astype(np.float32)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lobe = highlight(normal, Lamp(direction_of(40, 20), np.ones(3), 3.0)) * (z > 0.2)
    best = normal[np.unravel_index(np.argmax(lobe), lobe.shape)]
    half = direction_of(40, 20) + [0, 0, 1]
    assert best @ half / np.linalg.norm(half) > 0.98
    assert 0 < lobe.max() < 1


@pytest.fixture
def portrait(tmp_path):
    from importlib.resources import files

    photo = read_photo(str(files("illures") / "assets" / "astronaut.jpg"))
    save_image(tmp_path / "face.png", photo[:260, 90:350])
    return tmp_path / "face.png"


def test_several_lights_in_one_call(portrait, tmp_path):
    out = tmp_path / "out"
    numbers = tmp_path / "dpr.txt"
    numbers.write_text("1 0.1 0.2 0.3 0 0 0 0 0")
    code = run(
        "relight", portrait, "-o", out, "--light", "rembrandt", "split", "-60,10", portrait, numbers,
        "--layout", "dpr", "--format", "png16",
    )  # fmt: skip
    assert code == 0
    names = {path.name for path in (out / "face").iterdir()}
    assert names == {"rembrandt.png", "split.png", "direction-60+10.png", "like-face.png", "dpr.png"}
    relit = read_photo(out / "face" / "split.png")
    assert relit.dtype == np.uint16 and relit.shape == read_photo(portrait).shape
    assert run("relight", portrait, "-o", out, "--light", "split", "--format", "png16", "--skip-existing") == 0


def test_own_light_by_the_command_line(portrait, tmp_path):
    assert run("relight", portrait, "-o", tmp_path, "--light", portrait, "--residual", "keep", "--format", "png") == 0
    again = read_photo(tmp_path / "face" / "like-face.png")
    assert psnr(again / 255, read_photo(portrait) / 255) > 45


def test_no_shadows_is_brighter_where_the_nose_casts_one():
    from clips import ASTRONAUT
    from illures import Decomposer

    photo = read_photo(ASTRONAUT)
    faces = Decomposer.from_pretrained()(photo)
    light = exposed(Light.from_direction(-75, 15, ambient=0.1), faces[0])
    cast, plain = (luminance(as_linear(PhotoRelighter(photo, faces, shadows=s)(light))) for s in (True, False))
    assert (plain - cast).max() > 0.05 and (plain - cast).min() > -0.05


@pytest.mark.parametrize("suffix", ["mp4", "webp"])
def test_orbit_is_a_film(portrait, tmp_path, suffix, monkeypatch):
    from illures.relighting import orbit

    monkeypatch.setattr(orbit, "FRAMES", 6)
    path = tmp_path / f"orbit.{suffix}"
    assert run("relight", portrait, "--orbit", path, "--orbit-size", 96) == 0
    import av

    if suffix == "mp4":
        with av.open(str(path)) as film:
            frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    else:
        from PIL import Image, ImageSequence

        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(Image.open(path))]
    assert len(frames) == 6 and frames[0].shape == (96, 96, 3)
    assert np.abs(frames[0].astype(int) - frames[2]).max() > 20


def bad_inputs(folder) -> dict[str, list]:
    np.save(folder / "square.npy", np.ones((8, 8, 3)))
    save_image(folder / "wall.png", np.full((64, 64, 3), 99, np.uint8))
    (folder / "wrong.json").write_text('{"light": [[1, 2, 3]]}')
    (folder / "short.txt").write_text("1 2 3")
    return {
        "twice as wide as high": ["--light", folder / "square.npy"],
        "no face found": ["--light", folder / "wall.png"],
        "must be 9 x 3": ["--light", folder / "wrong.json"],
        "the layout dpr has 9": ["--light", folder / "short.txt", "--layout", "dpr"],
        "no such preset": ["--light", "nothing"],
        "AZIMUTH,ELEVATION": ["--light", "1,2,3"],
        "did you mean rembrandt": ["--light", "rembrant"],
        "use mp4, gif or webp": ["--orbit", folder / "orbit.avi"],
        "no light": [],
    }


def test_bad_input_is_named_and_nothing_is_written(portrait, tmp_path, capsys):
    for words, options in bad_inputs(tmp_path).items():
        assert run("relight", portrait, "-o", tmp_path / "out", *options) == 2
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1
    assert not list((tmp_path / "out").glob("*"))


def test_the_package_offers_the_verb_and_not_a_module_of_its_name():
    from illures import relight as first
    from illures import relight as second

    assert first is second is relight

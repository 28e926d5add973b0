"""Edits: only what was changed changes, and it is lit as the face is."""

from importlib.resources import files

import numpy as np
import pytest

from face_scene import scene
from illures.cli import main
from illures.decompose.decomposer import Decomposer
from illures.decompose.photo_maps import photo_maps
from illures.editing import retouch
from illures.editing.edit import albedo_change, apply_albedo, apply_normal, evenly_lit, retouched, toned
from illures.errors import InputError
from illures.faces import regions, to_crop
from illures.io.formats import Format
from illures.io.photos import as_linear, read_photo, save_image
from illures.math.color import individual_typology_angle_deg, luminance

pytestmark = pytest.mark.usefixtures("decomposed_once")

PATCH = slice(150, 190), slice(180, 260)


def written(s, name: str, tmp_path, format: str = "png") -> tuple[np.ndarray, object]:
    codes = photo_maps(s.photo, [s.face], Format(format)).take(name)
    return codes.copy(), tmp_path / f"{name}.png"


def saved(path, codes) -> None:
    save_image(path, codes, 16 if codes.dtype == np.uint16 else 8)


@pytest.mark.parametrize("name", ["albedo", "normal"])
@pytest.mark.parametrize("format", ["png", "png16"])
def test_a_map_that_was_not_edited_changes_nothing(tmp_path, name, format):
    s = scene()
    codes, path = written(s, name, tmp_path, format)
    saved(path, codes)
    edit = apply_albedo if name == "albedo" else apply_normal
    np.testing.assert_array_equal(edit(s.photo, [s.face], path), s.photo)


def test_an_edit_is_lit_as_the_face_is(tmp_path):
    """One colour painted over the whole face: what remains is the light."""
    s = scene()
    codes, path = written(s, "albedo", tmp_path)
    codes[PATCH] = 120
    saved(path, codes)
    out = apply_albedo(s.photo, [s.face], path)
    outside = np.ones(s.photo.shape[:2], bool)
    outside[PATCH] = False
    np.testing.assert_array_equal(out[outside], s.photo[outside])
    from face_scene import shading

    lit = luminance(shading(s)[PATCH])
    seen = luminance(as_linear(out[PATCH]))
    # The residual of this scene is a shadow near one end: the rest must follow the shading.
    sunny = s.residual[PATCH][..., 0] > -0.005
    assert np.corrcoef(lit[sunny], seen[sunny])[0, 1] > 0.9


def test_shadow_dims_an_edit_as_it_dimmed_the_skin(rng):
    """Where shadow takes half of the light, a new albedo has half of the light."""
    old, new, shading = rng.uniform(0.2, 0.6, (3, 8, 8, 3)).astype(np.float32)
    image = 0.5 * old * shading
    change = albedo_change(old, new, shading, image - old * shading)
    np.testing.assert_allclose(image + change, 0.5 * new * shading, atol=1e-6)
    highlight = np.full_like(old, 0.3)
    lit = old * shading + highlight + albedo_change(old, new, shading, highlight)
    np.testing.assert_allclose(lit, new * shading + highlight, atol=1e-6)


def test_a_normal_turned_to_the_light_is_brighter(tmp_path):
    s = scene(roll_deg=0)
    codes, path = written(s, "normal", tmp_path, "png16")
    # The light of the scene comes from image left and above.
    tilted = np.array([-0.5, 0.3, 0.8]) / np.linalg.norm([-0.5, 0.3, 0.8])
    codes[PATCH] = np.round((tilted + 1) / 2 * 65535)
    saved(path, codes)
    out = apply_normal(s.photo, [s.face], path)
    right = slice(150, 190), slice(245, 260)
    assert luminance(as_linear(out[right])).mean() > 1.1 * luminance(as_linear(s.photo[right])).mean()
    np.testing.assert_array_equal(out[:100], s.photo[:100])


@pytest.mark.parametrize("edit", [apply_albedo, apply_normal])
def test_a_map_of_another_size_is_named(tmp_path, edit):
    s = scene()
    saved(tmp_path / "small.png", np.zeros((10, 20, 3), np.uint8))
    with pytest.raises(InputError, match=r"small.png: 20 x 10 pixels, but the photo has 420 x 360"):
        edit(s.photo, [s.face], tmp_path / "small.png")
    (tmp_path / "text.png").write_text("no map")
    with pytest.raises(InputError, match="text.png: can't be read"):
        edit(s.photo, [s.face], tmp_path / "text.png")
    with pytest.raises(InputError, match="no such file"):
        edit(s.photo, [s.face], tmp_path / "nothing.png")


@pytest.fixture(scope="module")
def astronaut():
    photo = np.ascontiguousarray(read_photo(str(files("illures") / "assets" / "astronaut.jpg"))[:260, 90:350])
    return photo, Decomposer.from_pretrained()(photo)


def region(photo, faces, part) -> np.ndarray:
    points = faces[0].crop.face.landmarks
    side = max(photo.shape[:2])
    return part(points, side)[: photo.shape[0], : photo.shape[1]]


def test_lipstick_stays_on_the_lips(astronaut):
    photo, faces = astronaut
    out = retouched(photo, faces, [retouch.lipstick(retouch.colour_of("#0000ff"), 0.8)])
    lips = region(photo, faces, regions.lips)
    changed = (out != photo).any(axis=-1)
    assert changed[lips > 0.9].mean() > 0.9 and not changed[lips == 0].any()
    blue = as_linear(out)[lips > 0.9].mean(0)
    assert blue[2] > 2 * blue[0]


def test_shine_only_gets_less(astronaut):
    photo, faces = astronaut
    out = retouched(photo, faces, [retouch.less_shine(1.0)])
    assert (out.astype(int) - photo).max() <= 1
    window = faces[0].photo_resolution(photo)
    brightest = window.residual.mean(-1) > 0.05
    assert brightest.any() and (out < photo).any()


def test_blush_reddens_the_cheeks(astronaut):
    photo, faces = astronaut
    out = as_linear(retouched(photo, faces, [retouch.blush(retouch.colour_of("rose"), 1.0)]))
    cheeks = region(photo, faces, regions.cheeks) > 0.8
    before, after = as_linear(photo)[cheeks].mean(0), out[cheeks].mean(0)
    assert after[0] / after[1] > 1.1 * before[0] / before[1]


@pytest.mark.parametrize("shift", [-30.0, 12.0])
def test_skin_tone_moves_by_the_degrees_asked_for(astronaut, shift):
    photo, faces = astronaut
    gain = retouch.tone_gain(faces[0], shift)
    points = to_crop(faces[0].crop.face.landmarks, faces[0].crop)
    skin = faces[0].mask * (1 - regions.features(points, len(faces[0].mask)))
    mean = (faces[0].albedo * skin[..., None]).sum((0, 1)) / skin.sum()
    ita = individual_typology_angle_deg(np.stack([mean, mean * gain]).astype(np.float64))
    assert ita[1] - ita[0] == pytest.approx(shift, abs=0.5)
    out = toned(photo, faces, shift)
    changed = luminance(as_linear(out)).mean() - luminance(as_linear(photo)).mean()
    assert np.sign(changed) == np.sign(shift)
    np.testing.assert_array_equal(out[:10, -10:], photo[:10, -10:])


def test_even_light_evens_the_two_sides():
    s = scene(roll_deg=0)

    def difference(photo: np.ndarray) -> float:
        left, right = (luminance(as_linear(photo[150:190, x : x + 20])).mean() for x in (130, 280))
        return float(left / right)

    before, half, all_of_it = (difference(evenly_lit(s.photo, [s.face], k)) for k in (0.0, 0.5, 1.0))
    assert before > half > all_of_it > 0.9
    assert before == pytest.approx(difference(s.photo), rel=0.01)


def test_colours_have_names_and_codes():
    np.testing.assert_allclose(retouch.colour_of("#ff0000"), [1, 0, 0])
    np.testing.assert_array_equal(retouch.colour_of("Red"), retouch.colour_of("#b3122a"))
    for wrong in ("reddish", "#12", "#gggggg"):
        with pytest.raises(InputError, match="rrggbb"):
            retouch.colour_of(wrong)


def test_the_round_trip_by_the_command_line(astronaut, tmp_path, capsys):
    photo, _ = astronaut
    save_image(tmp_path / "face.png", photo)

    def run(*arguments) -> int:
        with pytest.raises(SystemExit) as stopped:
            main([str(a) for a in arguments])
        return int(stopped.value.code)

    assert run("decompose", tmp_path / "face.png", "-o", tmp_path / "maps") == 0
    albedo = tmp_path / "maps" / "face" / "albedo.png"
    codes = read_photo(albedo).copy()
    codes[130:140, 60:70] //= 2
    save_image(albedo, codes)
    assert (
        run("edit", tmp_path / "face.png", "--albedo", albedo, "-o", tmp_path / "new.png", "--lipstick", "red:0.5") == 0
    )
    out = read_photo(tmp_path / "new.png")
    assert out.shape == photo.shape and (out[130:140, 60:70] < photo[130:140, 60:70]).mean() > 0.9
    np.testing.assert_array_equal(out[:50], photo[:50])
    for options in (["--lipstick", "colourless"], ["--even-light", 2], ["--skin-tone", 200], []):
        assert run("edit", tmp_path / "face.png", "-o", tmp_path / "bad.png", *options) == 2
    assert not (tmp_path / "bad.png").exists()

"""Both layouts of Extended Yale B, on folders whose truth is made up around a public photo."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from illures.errors import InputError
from illures.evaluate.benchmark import Estimate, load_benchmark
from illures.evaluate.benchmarks.cropped_yale import DISTANCE_PX, OFFSET, measure, natural_light
from illures.evaluate.benchmarks.yaleb import load, subset_of
from illures.math.color import srgb_to_linear
from illures.math.normals import angular_error_deg, normalize
from illures.render import shade

HEIGHT, WIDTH = 192, 168


def face_surface():
    """A grey photo as paint on a paraboloid."""
    photo = cv2.resize(astronaut()[10:240, 120:321].mean(axis=-1).astype(np.uint8), (WIDTH, HEIGHT))
    y, x = np.mgrid[1:-1:192j, -1:1:168j]
    normal = normalize(np.stack([x, y, np.full_like(x, 1.2)], axis=-1))
    return photo, normal, x**2 + y**2 < 0.5


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Two subjects with one face and one truth: 3 flashes (one too far off axis) and 3 natural lights each."""
    root = tmp_path_factory.mktemp("prepared")
    photo, normal, mask = face_surface()
    linear = np.rint(srgb_to_linear(photo / 255) * 255).astype(np.uint8)
    for name in ("yaleB01", "yaleB02"):
        for part in ("yaleb", "yaleb_relit"):
            (root / part).mkdir(exist_ok=True)
        np.savez(
            root / "yaleb" / f"{name}.npz",
            images=np.stack([linear] * 3),
            azimuth=np.array([0, 5, 80]),
            elevation=np.array([0, -10, 0]),
            light_dir=np.array([[0, 0, 1], [0.5, 0, 0.87], [0.98, 0, 0.17]], np.float32),
            used=np.ones(3, bool),
            normals=normal.astype(np.float16),
            albedo=np.full((HEIGHT, WIDTH), 0.5, np.float16),
            mask=mask,
            mask_strict=mask,
        )
        sh9 = np.zeros((3, 9), np.float32)
        sh9[:, 0], sh9[1, 3], sh9[2, 1] = 2, 1, 1
        shades = np.stack([photo, photo // 2, np.maximum(photo, 40)])
        np.savez(root / "yaleb_relit" / f"{name}.npz", images_srgb=shades, sh9=sh9)
    return root


@pytest.fixture(scope="module")
def cropped(tmp_path_factory):
    """One subject of CroppedYale: flashes at the rig's distance, as their definition has it."""
    folder = tmp_path_factory.mktemp("cropped") / "CroppedYale" / "yaleB07"
    folder.mkdir(parents=True)
    photo, normal, _ = face_surface()
    paint = 0.1 + 0.8 * srgb_to_linear(photo / 255)
    for azimuth in (-70, -35, 0, 35, 70):
        for elevation in (-20, 10, 40):
            a, e = np.deg2rad([-azimuth, elevation])  # positive azimuth is at image left
            flash = np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)]) - OFFSET
            lit = paint * np.clip(normal @ (flash / np.linalg.norm(flash)), 0, None) / (flash @ flash)
            name = f"yaleB07_P00A{azimuth:+04d}E{elevation:+03d}.pgm"
            cv2.imwrite(str(folder / name), np.rint(np.clip(lit, 0, 1) * 255).astype(np.uint8))
    (folder / "yaleB07_P00_Ambient.pgm").write_bytes(b"not read")
    return folder.parent.parent


def oracle(item, **changes):
    truth = item.truth
    return replace(Estimate(truth.normal, truth.albedo * 3, truth.light), **changes)


def run(benchmark, estimate):
    return {item.id: benchmark.score(item, estimate(item)) for g in benchmark.groups for item in benchmark.items(g)}


def test_the_truth_scores_zero_and_scale_is_free(prepared):
    benchmark = load_benchmark("yaleb", prepared)
    assert benchmark.groups == ("B01", "B02")
    scores = run(benchmark, oracle)
    assert list(scores)[:3] == ["B01/natural/0", "B01/natural/1", "B01/natural/2"] and len(scores) == 6
    for score in scores.values():
        assert score.figures["normal_deg"] < 0.03 and score.figures["normal_below_20_pct"] == 100
        assert max(score.figures[name] for name in ("albedo_rel", "light_sh_rel", "light_shading_rel")) < 1e-5
        assert score.histogram.sum() == score.pixels and score.figures["coverage_pct"] == 100
    drifts = benchmark.summarise([scores[f"B01/natural/{k}"] for k in range(3)])
    assert drifts["albedo_drift_rel"] < 1e-6 and drifts["normal_drift_deg"] < 0.05


def test_a_wrong_light_scores_what_it_does_to_the_shading(prepared):
    benchmark = load(prepared)
    items = list(benchmark.items("B01"))
    score = benchmark.score(items[1], oracle(items[1], light=items[0].truth.light))
    true = shade(items[1].truth.normal[items[1].truth.mask].astype(float), items[1].truth.light.astype(float))[:, 0]
    assert score.figures["light_shading_rel"] == pytest.approx(np.sqrt(1 - true.mean() ** 2 / np.mean(true**2)))
    assert score.figures["light_sh_rel"] == pytest.approx(np.sqrt(1 - 4 / 5))


def test_a_constant_scores_its_angle_and_shuffled_images_change_nothing(prepared):
    benchmark = load(prepared)
    items = [item for group in benchmark.groups for item in benchmark.items(group)]
    flat = Estimate(np.broadcast_to(np.float32([0, 0, 1]), (HEIGHT, WIDTH, 3)))
    scores = {item.id: benchmark.score(item, flat).figures for item in items}
    true = items[0].truth.normal[items[0].truth.mask]
    expected = angular_error_deg(true, np.broadcast_to(np.array([0.0, 0, 1]), true.shape)).mean()
    assert scores["B01/natural/0"]["normal_deg"] == pytest.approx(expected, abs=1e-3)
    assert {item.id: benchmark.score(item, flat).figures for item in items[::-1]} == scores


def test_swapped_frames_are_caught(prepared):
    """The truth of one photo mirrored, or with y down, or in SfSNet's frame, is far off."""
    benchmark = load(prepared)
    item = next(benchmark.items("B01"))
    normal = item.truth.normal
    for wrong in (normal * [-1, 1, 1], normal * [1, -1, 1], normal[..., [1, 0, 2]], normal[:, ::-1]):
        assert benchmark.score(item, oracle(item, normal=wrong.astype(np.float32))).figures["normal_deg"] > 15


def test_missing_pixels_are_counted_as_the_viewer(prepared):
    benchmark = load(prepared)
    item = next(benchmark.items("B01"))
    normal = item.truth.normal.copy()
    normal[: HEIGHT // 2] = np.nan
    figures = benchmark.score(item, oracle(item, normal=normal)).figures
    upper = item.truth.mask & (np.arange(HEIGHT) < HEIGHT // 2)[:, None]
    share = upper.sum() / item.truth.mask.sum()
    assert figures["coverage_pct"] == pytest.approx(100 * (1 - share))
    viewer = np.broadcast_to(np.array([0.0, 0, 1]), (upper.sum(), 3))
    expected = angular_error_deg(item.truth.normal[upper].astype(float), viewer).mean() * share
    assert figures["normal_deg"] == pytest.approx(expected, abs=0.02)


def test_relighting_is_compared_with_the_real_photos(prepared):
    """Photo 1 is photo 0 at half the code values, photo 2 is 0 with its blacks raised; a scale is fitted."""
    benchmark = load(prepared)
    items = {item.id: item for item in benchmark.items("B01")}
    item = items["B01/natural/0"]
    assert [target.id for target in item.truth.targets] == ["B01/natural/1", "B01/natural/2"]
    photos = {light.tobytes(): p for light, p in ((t.light, t.photo) for t in item.truth.targets)}
    true = Estimate(relight=lambda light: 7 * srgb_to_linear(photos[light.tobytes()]))
    figures = benchmark.score(item, true).figures
    assert figures["relit_psnr_db"] > 60 and figures["relit_ssim"] > 0.9999 and figures["relit_si_mse"] < 1e-8
    copy = Estimate(relight=lambda light: srgb_to_linear(item.photo))
    assert benchmark.score(item, copy).figures["relit_psnr_db"] < 45
    assert "relit_psnr_db" not in benchmark.score(item, Estimate()).figures


def test_flashes_far_off_axis_are_left_out(prepared):
    items = list(load(prepared, lights="flash").items("B02"))
    assert [item.id for item in items] == ["B02/flash/A+000E+00", "B02/flash/A+005E-10"]
    assert items[0].truth.light is None and not items[0].truth.targets
    assert items[1].tags["light_deg"] == pytest.approx(29.9, abs=0.1) and items[1].tags["subset"] == "3"
    assert [subset_of(angle) for angle in (0, 12, 13, 60, 90)] == ["1", "1", "2", "4", "5"]


def test_the_original_photos_are_measured(cropped):
    """Normals come back from the .pgm files; photos in the names' azimuth, which is positive at image left."""
    measured = measure(cropped / "CroppedYale" / "yaleB07")
    _, normal, _ = face_surface()
    inside = measured.mask
    assert 0.15 < inside.mean() < 0.9 and len(measured.images) == 15 and DISTANCE_PX > HEIGHT
    # Made with flashes infinitely far: measured as near ones, which is worth some degrees toward the rim.
    assert angular_error_deg(measured.normal[inside].astype(float), normal[inside]).mean() < 4
    left = load(cropped, lights="flash")
    photo = {item.id: item.photo for item in left.items("B07")}["B07/flash/A+035E+10"]
    assert photo[:, :60].mean() > photo[:, -60:].mean()


def test_natural_light_is_the_sum_of_the_flashes(cropped):
    """A sky that is bright at image right: so is the photo, and A ∘ f(N, L) explains it."""
    measured = measure(cropped / "CroppedYale" / "yaleB07")
    sky = np.full((128, 256, 3), 0.2, np.float32)
    sky[40:90, 150:210] = 6
    photo, light = natural_light(measured, sky)
    inside = measured.mask
    shading = shade(measured.normal[inside].astype(float), np.repeat(light[:, None], 3, axis=1))[:, 0]
    model = measured.albedo[inside] * shading
    assert np.corrcoef(model, photo[inside])[0, 1] > 0.97
    assert np.median(photo[inside] / model) == pytest.approx(1, abs=0.1)
    assert light[3] > 0.3 * light[0]
    assert np.percentile(photo[inside], 95) == pytest.approx(0.6, abs=1e-3)


def test_what_is_missing_or_broken_is_named(prepared, cropped, tmp_path):
    with pytest.raises(InputError, match="holds neither yaleb/"):
        load(tmp_path)
    (tmp_path / "yaleb").mkdir()
    (tmp_path / "yaleb_relit").mkdir()
    (tmp_path / "yaleb" / "yaleB01.npz").write_bytes(b"no zip")
    with pytest.raises(InputError, match="yaleb_relit: lacks yaleB01.npz"):
        load(tmp_path)
    with pytest.raises(InputError, match="yaleB01.npz: can.t be read as"):
        next(load(tmp_path, lights="flash").items("B01"))
    np.savez(tmp_path / "yaleb" / "yaleB01.npz", normals=np.zeros(3))
    with pytest.raises(InputError, match="yaleB01.npz: lacks albedo, mask, images"):
        next(load(tmp_path, lights="flash").items("B01"))
    with pytest.raises(InputError, match="lights 'sun'"):
        load(prepared, lights="sun")
    with pytest.raises(InputError, match="option hdri"):
        load(cropped)
    with pytest.raises(InputError, match="unknown|must be one of"):
        load_benchmark("nothing", prepared)


def test_a_broken_photo_is_named(cropped, tmp_path):
    source = cropped / "CroppedYale" / "yaleB07"
    target = tmp_path / "yaleB07"
    target.mkdir()
    files = sorted(source.glob("*A*E*.pgm"))
    for file in files:
        (target / file.name).write_bytes(file.read_bytes())
    (target / files[3].name).write_bytes(b"P5 no")
    with pytest.raises(InputError, match=f"{files[3].name.replace('+', '.')}: not a readable"):
        next(load(tmp_path, lights="flash").items("B07"))
    for file in files[:8]:
        (target / file.name).unlink()
    with pytest.raises(InputError, match="7 photos"):
        next(load(tmp_path, lights="flash").items("B07"))

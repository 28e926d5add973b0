"""The benchmark's reading and scoring, on a folder of its format whose truth is made up around a public photo."""

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from illures.errors import InputError
from illures.evaluate.methods import Constant, Found, MeanFace
from illures.evaluate.yaleb import load_yaleb, score
from illures.math.color import srgb_to_linear
from illures.math.normals import angular_error_deg, normalize
from illures.render import shade


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two subjects with one face and one truth: 3 flashes (one too far off axis) and 2 natural lights each."""
    root = tmp_path_factory.mktemp("yaleb")
    photo = cv2.resize(astronaut()[10:240, 120:321].mean(axis=-1).astype(np.uint8), (168, 192))
    y, x = np.mgrid[1:-1:192j, -1:1:168j]
    normal = normalize(np.stack([x, y, np.full_like(x, 1.2)], axis=-1))
    mask = x**2 + y**2 < 0.5
    linear = np.rint(srgb_to_linear(photo / 255) * 255).astype(np.uint8)
    for name in ("yaleB01", "yaleB02"):
        for part in ("yaleb", "yaleb_relit"):
            (root / part).mkdir(exist_ok=True)
        np.savez(
            root / "yaleb" / f"{name}.npz",
            images=np.stack([linear] * 3),
            light_dir=np.array([[0, 0, 1], [0.5, 0, 0.87], [0.98, 0, 0.17]], np.float32),
            used=np.ones(3, bool),
            normals=normal.astype(np.float16),
            albedo=np.full((192, 168), 0.5, np.float16),
            mask=mask,
            mask_strict=mask,
        )
        sh9 = np.zeros((2, 9), np.float32)
        sh9[:, 0], sh9[1, 3] = 2, 1
        np.savez(root / "yaleb_relit" / f"{name}.npz", images_srgb=np.stack([photo, photo // 2]), sh9=sh9)
    return root


class Oracle:
    """Knows the truth."""

    def estimate(self, photo, subject):
        albedo = np.repeat(subject.albedo[..., None], 3, axis=-1)
        return Found(subject.normal, albedo * 3, np.repeat(subject.lights[0][:, None], 3, axis=1).astype(np.float32))


def test_flashes_far_off_axis_are_left_out(folder):
    subjects = list(load_yaleb(folder, "flash"))
    assert [len(s.photos) for s in subjects] == [2, 2] and subjects[0].lights is None
    assert subjects[0].name == "B01"


def test_the_truth_scores_zero_and_scale_is_free(folder):
    subjects = list(load_yaleb(folder, "natural"))
    found = score(Oracle(), subjects)
    assert found.photos == 4 and found.normal.mean_deg < 0.01 and found.normal.below_20 == 100
    assert found.albedo < 1e-6 and found.drift < 1e-6
    # Light 0 is right for half of the photos; for the others the error is that of flat against true shading.
    subject = subjects[0]
    light = np.repeat(subject.lights[1][:, None], 3, axis=1)
    true = shade(subject.normal[subject.mask], light).mean(axis=-1)
    expected = np.sqrt(1 - true.mean() ** 2 / np.mean(true**2)) / 2
    assert found.light == pytest.approx(expected, abs=1e-4)


def test_a_constant_scores_its_angle(folder):
    subjects = list(load_yaleb(folder, "natural"))
    true = subjects[0].normal[subjects[0].mask]
    expected = angular_error_deg(true, np.broadcast_to(np.array([0.0, 0, 1]), true.shape)).mean()
    assert score(Constant(), subjects).normal.mean_deg == pytest.approx(expected, abs=1e-3)


def test_the_mean_of_equal_subjects_is_the_subject(folder):
    """Aligned there and back, so only interpolation is lost."""
    subjects = list(load_yaleb(folder, "natural"))
    assert score(MeanFace(subjects), subjects).normal.mean_deg < 2


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no yaleb"):
        list(load_yaleb(tmp_path, "natural"))

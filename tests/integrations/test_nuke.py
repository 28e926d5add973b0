"""The gizmo's expressions, evaluated on the maps of a face, are `illures.render`; Nuke and Natron are not here."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from face_scene import scene
from illures.render import render

GIZMO = Path(__file__).parents[2] / "integrations" / "nuke" / "illures_relight.gizmo"


@pytest.mark.parametrize("keep", [0.0, 1.0])
def test_the_expressions_are_the_equation(keep):
    face = scene().face
    light = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    names = {f"light{k}": SimpleNamespace(**dict(zip("rgb", row, strict=True))) for k, row in enumerate(light)}
    parent = SimpleNamespace(gain=1.0, keep=keep, **names)

    def layer(values, axes):
        return SimpleNamespace(**{axis: values[..., i].astype(np.float64) for i, axis in enumerate(axes)})

    colours = ("red", "green", "blue")
    known = {
        "parent": parent,
        "normal": layer(face.normal, "XYZ"),
        "albedo": layer(face.albedo, colours),
        "residual": layer(face.residual, colours),
        "matte": SimpleNamespace(A=face.mask.astype(np.float64)),
        **{c: face.image[..., i].astype(np.float64) for i, c in enumerate(colours)},
    }
    found = re.findall(r'expr(\d) "(.*)"', GIZMO.read_text())
    assert [number for number, _ in found] == ["0", "1", "2"]
    seen = np.stack([eval(text, {}, known) for _, text in found], axis=-1)
    new = render(face.albedo, face.normal, light, keep * face.residual)
    expected = face.image + face.mask[..., None] * (new - face.image)
    np.testing.assert_allclose(seen, expected, rtol=0, atol=1e-5)


def test_braces_balance_and_every_knob_is_used():
    text = re.sub(r"^#.*$", "", GIZMO.read_text(), flags=re.M)
    assert text.count("{") == text.count("}")
    for knob in [*(f"light{k}" for k in range(9)), "gain", "keep"]:
        assert f"parent.{knob}" in text and re.search(rf"addUserKnob {{\d+ {knob}\b", text)

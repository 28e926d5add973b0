"""The contact sheet of a photo."""

import pytest

from face_scene import scene
from illures.decompose.contact_sheet import contact_sheet


@pytest.mark.parametrize("count", [2, 9, 20])
def test_many_faces_are_a_grid_and_no_tower(count):
    s = scene()
    rows, columns = contact_sheet(s.photo, [s.face] * count, "many").shape[:2]
    assert 0.4 < rows / columns < 1.3

"""Several people in a clip: white is one white for all of them, also when one leaves."""

from dataclasses import replace

import numpy as np

from face_scene import crop_at, scene
from illures.io.photos import as_linear
from illures.math.color import luminance
from illures.relighting.exposure import exposed, tinted
from illures.relighting.light import Light
from illures.types import Face
from illures.video.memory import FaceMemory, empty_memory
from illures.video.render import show_frame
from illures.video.white import BALANCE_S, compare

GREY = np.float32([0.7, 0.95, 1.2])


def two_people():
    """A frame with the same face twice; the second albedo is too grey and its light too red."""
    s = scene(height=400, width=900, centre=(215.0, 170.0), roll_deg=0)
    photo = np.concatenate([s.photo[:, :450], s.photo[:, :450]], axis=1)
    crops = [crop_at((x, 170.0), 1.15 * 120, 0.0, 128, photo.shape[:2]) for x in (215.0, 665.0)]
    first, second = (replace(s.face, crop=crop) for crop in crops)
    return photo, first, replace(second, albedo=second.albedo * GREY, light=second.light / GREY)


def memories(*tracks: int) -> list[FaceMemory]:
    return [empty_memory(Face(np.zeros((478, 3), np.float32), 1.0), track) for track in tracks]


def test_both_keep_their_colour_under_a_new_light():
    photo, first, second = two_people()
    known = memories(3, 4)
    compare(known, [first, second], 0.1)
    light = exposed(tinted(Light.preset("split"), first), first)
    inner = slice(130, 210), slice(175, 255)

    def colours(balances):
        out = as_linear(show_frame(photo, [first, second], "relit", light, balances=balances))
        means = (v[inner].mean((0, 1)) for v in (out, out[:, 450:]))
        return [mean / luminance(mean) for mean in means]

    one, two = colours([np.exp(memory.balance) for memory in known])
    np.testing.assert_allclose(two, one, rtol=0.02)
    one, other = colours(())
    assert np.abs(other / one - 1).max() > 0.1  # it is the comparison that does it


def test_a_balance_stays_when_the_first_person_leaves_and_passes_to_new_ones():
    _, first, second = two_people()
    one, two, three = memories(0, 1, 2)
    compare([one], [first], 0.1)
    compare([one, two], [first, second], 0.1)
    np.testing.assert_array_equal(one.balance, 0)
    kept = two.balance
    assert np.abs(kept).max() > 0.1
    compare([two], [second], 0.1)
    np.testing.assert_array_equal(two.balance, kept)
    compare([three, two], [first, second], 0.1)  # the newcomer looks as the first did
    np.testing.assert_allclose(three.balance, 0, rtol=0, atol=1e-5)


def test_a_balance_follows_slowly():
    _, first, second = two_people()
    one, two = memories(0, 1)
    compare([one, two], [first, second], 0.1)
    start = two.balance
    compare([one, two], [first, first], BALANCE_S / 4)
    end = np.log(np.ones(3))  # alike, but for what their crops see
    np.testing.assert_allclose(two.balance, start + 0.25 * (end - start), rtol=0, atol=0.02)

"""Named lights: set-ups of portrait photography, and times of day. `Light.preset` builds a light from its description.

Convention: azimuth 0 is the viewer's side, positive is image right; elevation is above the horizon; degrees. Strengths
are shading: a lamp of strength 1 shades a surface that faces it with its colour. Colours are linear RGB.
"""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[float, float, float]

WHITE: Colour = (1.0, 1.0, 1.0)
# Luminance 1 each, near the daylight and black-body loci.
DAYLIGHT: Colour = (0.98, 1.0, 1.05)
TUNGSTEN: Colour = (1.38, 0.94, 0.5)
FLAME: Colour = (1.75, 0.83, 0.27)
GOLDEN: Colour = (1.38, 0.93, 0.6)  # about 4000 K, as the sun 10 degrees above the horizon
SKY: Colour = (0.78, 1.0, 1.55)
DUSK: Colour = (0.62, 0.98, 2.1)
MAGENTA: Colour = (2.1, 0.45, 2.2)
CYAN: Colour = (0.25, 1.15, 1.9)


@dataclass(frozen=True)
class Key:
    """One lamp of a set-up: direction, strength, colour and size (angular radius)."""

    azimuth_deg: float
    elevation_deg: float
    strength: float
    colour: Colour = WHITE
    radius_deg: float = 10.0


@dataclass(frozen=True)
class Preset:
    """A set-up: lamps and ambient light.

    Attributes:
        about: one line for the list.
        lamps: key, fill, rim.
        above, below: strength of the ambient light from straight up and straight down; linear in between.
        above_colour, below_colour: its colours.
        follows_pose: described for a face turned to image left; mirrored for one turned to image right.
        stops: change of exposure where the exposure of the photo is kept, as a candle is dim.
    """

    about: str
    lamps: tuple[Key, ...] = ()
    above: float = 0.2
    below: float = 0.2
    above_colour: Colour = WHITE
    below_colour: Colour = WHITE
    follows_pose: bool = False
    stops: float = 0.0


PRESETS: dict[str, Preset] = {
    "butterfly": Preset("key high in front: a small shadow under the nose", (Key(0, 48, 0.95),), 0.16, 0.16),
    "clamshell": Preset(
        "butterfly with a fill from below: beauty light", (Key(0, 40, 0.8, WHITE, 16), Key(0, -38, 0.34, WHITE, 20))
    ),
    "loop": Preset("key 35 degrees aside and high: the nose's shadow loops to the cheek", (Key(35, 36, 0.95),)),
    "rembrandt": Preset(
        "key far aside and high: a lit triangle on the darker cheek",
        (Key(52, 44, 1.1, WHITE, 7),),
        0.1,
        0.08,
        stops=-0.3,
    ),
    "split": Preset(
        "key straight from the side: one half in the dark", (Key(88, 8, 1.15, WHITE, 7),), 0.08, 0.06, stops=-0.5
    ),
    "broad": Preset(
        "key on the side of the face that is turned to the camera", (Key(50, 25, 1.0),), 0.16, 0.16, follows_pose=True
    ),
    "short": Preset(
        "key on the side of the face that is turned away", (Key(-50, 25, 1.0),), 0.12, 0.12, follows_pose=True
    ),
    "rim": Preset(
        "two lamps behind, the front in soft shade",
        (Key(138, 24, 1.6, WHITE, 9), Key(-138, 24, 1.6, WHITE, 9)),
        0.3,
        0.24,
        stops=-0.4,
    ),
    "three-point": Preset(
        "key, fill and a rim light: the interview",
        (Key(40, 32, 0.85), Key(-45, 12, 0.25, WHITE, 20), Key(-140, 35, 0.8)),
        0.12,
        0.12,
    ),
    "flash": Preset("the flash on the camera", (Key(0, 6, 1.05, DAYLIGHT, 2.5),), 0.06, 0.06),
    "ring": Preset("a ring flash: from around the lens, hardly a shadow", (Key(0, 0, 0.95, WHITE, 24),), 0.1, 0.1),
    "softbox": Preset("one large soft box, 45 degrees aside", (Key(45, 28, 0.95, WHITE, 26),), 0.16, 0.14),
    "window": Preset(
        "a large window at the side, the room dim", (Key(68, 12, 1.0, DAYLIGHT, 28),), 0.14, 0.12, WHITE, (1.1, 1, 0.8)
    ),
    "under": Preset("from below: the campfire story", (Key(12, -46, 1.0, TUNGSTEN, 18),), 0.06, 0.1, stops=-0.5),
    "noon": Preset("sun overhead, dark eye sockets", (Key(15, 72, 1.15, WHITE, 1.5),), 0.32, 0.18, SKY, (1.1, 1, 0.85)),
    "overcast": Preset("a white sky, no sun", (), 1.15, 0.38, DAYLIGHT, (1.02, 1.0, 0.94)),
    "golden-hour": Preset(
        "a low warm sun, blue sky for fill", (Key(58, 10, 1.0, GOLDEN, 3),), 0.3, 0.16, SKY, (1.3, 0.95, 0.6)
    ),
    "blue-hour": Preset(
        "after sunset: blue from above", (Key(-40, 30, 0.22, DUSK, 30),), 0.72, 0.3, DUSK, DUSK, stops=-0.7
    ),
    "moonlight": Preset(
        "a hard cold light in the night", (Key(-50, 48, 0.62, DUSK, 2),), 0.07, 0.05, DUSK, DUSK, stops=-1.3
    ),
    "candle": Preset(
        "a flame near and below, warm and dim", (Key(22, -18, 0.8, FLAME, 5),), 0.05, 0.07, FLAME, FLAME, stops=-0.7
    ),
    "neon": Preset(
        "magenta from one side, cyan from the other",
        (Key(72, 8, 0.62, MAGENTA, 14), Key(-72, 8, 0.62, CYAN, 14)),
        0.07,
        0.07,
        (0.9, 0.85, 1.5),
        (0.9, 0.85, 1.5),
        stops=-0.3,
    ),
    "stage": Preset(
        "a warm spot from above, a blue one behind",
        (Key(20, 58, 1.1, TUNGSTEN, 4), Key(-130, 30, 0.9, DUSK, 5)),
        0.05,
        0.05,
        stops=-0.3,
    ),
    "screen": Preset(
        "the glow of a screen below the face", (Key(0, -22, 0.5, SKY, 24),), 0.05, 0.05, SKY, SKY, stops=-0.9
    ),
}

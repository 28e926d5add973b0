"""Accessories of one person, drawn at random: hair, locks, beard, glasses, hats, necklaces and eyelashes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from illures.synth.accessories import beards, locks
from illures.synth.accessories.beards import Beard, random_beard
from illures.synth.accessories.eyelashes import lash_part, lash_texture
from illures.synth.accessories.glasses import Glasses, random_glasses
from illures.synth.accessories.hair import Style, hair_shells, random_style
from illures.synth.accessories.hats import Hat, random_hat, under
from illures.synth.accessories.locks import Lock, random_lock
from illures.synth.accessories.necklaces import Necklace, random_necklace
from illures.synth.accessories.occluders import random_occluder
from illures.synth.accessories.primitives import ball, occluder
from illures.synth.accessories.shells import ShellTextures, Skull
from illures.types import Part

__all__ = ["Accessories", "random_occluder", "random_accessories"]

HAIR_SHARE, GLASSES_SHARE, HAT_SHARE, NECKLACE_SHARE = 0.85, 0.22, 0.12, 0.2  # of people


@dataclass(frozen=True)
class Accessories:
    """The accessories of one person.

    Attributes:
        style: of the hair, or None for none.
        hair: shells of the hair, from the scalp outward.
        glasses, hat: or None.
        lash_length: of the upper lashes [m].
        lash_colour: albedo.
        lashes: opacity of a strip of lashes.
        beard: of those who have one painted on their skin, or None.
        necklace: or None.
        lock: of hair over one side of the face, or None.
    """

    style: Style | None
    hair: tuple[ShellTextures, ...]
    glasses: Glasses | None
    hat: Hat | None
    lash_length: float
    lash_colour: Float[np.ndarray, "3"]
    lashes: Float[np.ndarray, "16 192"]
    beard: Beard | None = None
    necklace: Necklace | None = None
    lock: Lock | None = None

    def parts(self, skin: Part, landmarks: Float[np.ndarray, "68 3"]) -> tuple[Part, ...]:
        """Geometry on a posed head (head coordinates, m).

        Args:
            skin: of the posed head.
            landmarks: of the posed head.

        Returns:
            parts named "hair", "glasses", "lens", "hat", "beard", "necklace" and "lashes", all with mask 0.
        """
        skull = Skull(skin)
        parts = [skull.shell("hair", textures) for textures in self.hair]
        if self.style is not None and self.style.kind == "bun" and self.hat is None:
            parts.append(_bun(skull, self.hair[-1]))
        if self.lock is not None:
            parts += self.lock.parts(skin)
        if self.hat is not None:
            parts += self.hat.parts(skull)
        if self.glasses is not None:
            parts += self.glasses.parts(skull, skin, landmarks)
        if self.beard is not None:
            parts += self.beard.parts(skin, landmarks)
        if self.necklace is not None:
            parts += self.necklace.parts(skin)
        return *parts, lash_part(landmarks, self.lash_length, self.lash_colour, self.lashes)


def random_accessories(rng: np.random.Generator, hair: Float[np.ndarray, "3"], share: float = 1.0) -> Accessories:
    """Sample and paint the accessories of a person.

    Args:
        rng: of the person.
        hair: log albedo of the hair.
        share: chance that anything but lashes may be worn, in [0, 1]; with 0 only lashes remain.
    """
    shares = np.array([HAIR_SHARE, GLASSES_SHARE, HAT_SHARE]) * (rng.random() < share)
    has_hair, has_glasses, has_hat = rng.random(3) < shares
    style, glasses, hat = random_style(rng), random_glasses(rng), random_hat(rng) if has_hat else None
    shells = hair_shells(style, hair, rng, None if hat is None else under(hat)) if has_hair else ()
    lash_length, lashes = float(rng.uniform(0.006, 0.0105)), lash_texture(rng, float(rng.uniform(0.4, 1.0)))
    bearded, adorned = rng.random(2) < np.array([beards.SHARE, NECKLACE_SHARE]) * (rng.random() < share)
    beard, necklace = random_beard(rng, hair) if bearded else None, random_necklace(rng) if adorned else None
    falls = has_hair and not has_hat and rng.random() < locks.SHARE
    return Accessories(
        style=style if has_hair else None,
        hair=shells,
        glasses=glasses if has_glasses else None,
        hat=hat,
        lash_length=lash_length,
        lash_colour=np.exp(np.minimum(hair, -3.0)) * 0.6,
        lashes=lashes,
        beard=beard,
        necklace=necklace,
        lock=random_lock(rng, hair) if falls else None,
    )


def _bun(skull: Skull, textures: ShellTextures) -> Part:
    """A knot at the back of the crown, of the colour of the outermost shell."""
    half = skull.half_width(0.04, np.array([-0.085]))[0]
    knot = ball(np.array([0.0, 0.085, -0.085 - half]), np.array([0.036, 0.033, 0.03]))
    texture = cv2.resize(textures.albedo[:, ::4], (96, 64), interpolation=cv2.INTER_AREA)
    return occluder("hair", knot, texture, textures.roughness, textures.specular)

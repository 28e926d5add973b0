"""Which people are held out of training, for validation and for the benchmark of synthetic people alike."""

from __future__ import annotations

from zlib import crc32


def is_held_out(identity: int, share: float) -> bool:
    """Whether a person is left out.

    That follows from the person's number alone, so that all recipes leave out the same people.

    Args:
        identity: of the person, within a set.
        share: of all people that are left out, in [0, 1].
    """
    return crc32(str(identity).encode()) < share * 2**32

"""Selection of people held out of training, for validation and for the benchmark of synthetic people."""

from __future__ import annotations

from zlib import crc32


def is_held_out(identity: int, share: float) -> bool:
    """Whether a person is left out.

    It depends only on the number of the person, so that all recipes hold out the same people.

    Args:
        identity: of the person, within a set.
        share: of all people that are left out, in [0, 1].
    """
    return crc32(str(identity).encode()) < share * 2**32

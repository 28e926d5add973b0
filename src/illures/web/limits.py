"""What the studio's server accepts and holds."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Limits of one server; each keeps a hostile or a mistaken request from taking the machine.

    Attributes:
        photo_bytes, clip_bytes: of one upload.
        pixels: of one photo, map or frame of a clip.
        at_work: requests that are received or computed at a time; more are turned away.
        held: photos and clips that are kept; the one longest unused goes first.
        held_bytes: of them all.
        idle_s: after this time without use one is forgotten [s].
        work_s: longest that one piece of work may take [s].
        memory_bytes: of the process that decodes and computes, where the system can limit it.
        texture_side: longest side of what the browser gets to work on [px].
    """

    photo_bytes: int = 64 * MEGABYTE
    clip_bytes: int = 256 * MEGABYTE
    pixels: int = 64_000_000
    at_work: int = 8
    held: int = 12
    held_bytes: int = 768 * MEGABYTE
    idle_s: float = 2 * 3600.0
    work_s: float = 90.0
    memory_bytes: int = 8000 * MEGABYTE
    texture_side: int = 2048

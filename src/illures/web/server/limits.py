"""What the server of `illures studio` and `illures serve` accepts and holds."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Limits of one server; each keeps a hostile or a mistaken request from taking the machine.

    Attributes:
        photo_bytes, clip_bytes: of one upload.
        pixels: of one photo, map or frame of a clip.
        batch_bytes: of a ZIP file of photos.
        batch: photos in it.
        answer_bytes: of the answer to a batch.
        at_work: requests that are received or computed at a time; more wait.
        waiting: requests that wait, their bodies not yet read; more are turned away.
        wait_s: longest that one waits [s].
        slowest_bytes_s: a body that comes more slowly than this on the whole is given up [bytes / s].
        grace_s: time that any body has [s].
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
    batch_bytes: int = 256 * MEGABYTE
    batch: int = 32
    answer_bytes: int = 1000 * MEGABYTE
    at_work: int = 8
    waiting: int = 64
    wait_s: float = 120.0
    slowest_bytes_s: float = 50_000.0
    grace_s: float = 10.0
    held: int = 12
    held_bytes: int = 768 * MEGABYTE
    idle_s: float = 2 * 3600.0
    work_s: float = 90.0
    memory_bytes: int = 8000 * MEGABYTE
    texture_side: int = 2048

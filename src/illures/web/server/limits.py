"""Limits of the server of `illures studio` and `illures serve`."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Limits of one server, so that no request can exhaust the machine.

    Attributes:
        photo_bytes, clip_bytes: largest upload of each kind.
        pixels: largest photo, environment map or frame of a clip [px].
        batch_bytes: largest ZIP file of photos, and largest sum of its unpacked files.
        batch: most photos in a ZIP file.
        answer_bytes: largest response to a ZIP file.
        at_work: concurrent requests; further ones wait.
        waiting: most waiting requests, whose bodies are not read yet; further ones are refused.
        wait_s: longest waiting time [s].
        slowest_bytes_s: least mean speed of an upload [bytes/s].
        grace_s: time before the speed of an upload is checked [s].
        held: most photos and clips stored; the least recently used is removed first.
        held_bytes: largest sum of their sizes.
        idle_s: time without use after which one is removed [s].
        work_s: longest time for one call of the worker [s].
        memory_bytes: memory of the worker process, on systems that can limit it.
        texture_side: largest side of the maps sent to the browser [px].
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

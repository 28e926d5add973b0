"""Relighting a 12-megapixel photo: time, memory, and how well a face's own light gives it back.

    python benchmarks/relight.py [PHOTO]

The default photo is scikit-image's astronaut (NASA, public domain), blown up. `illures relight` is timed as a user runs
it, the start of Python and the writing of the JPEG included; a further light, in Python, on a photo that is prepared.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from skimage.data import astronaut

from illures import Decomposer
from illures.faces import upright
from illures.io.photos import read_photo
from illures.math import sh
from illures.relighting.composite import PhotoRelighter
from illures.relighting.light import Light
from processes import measured, write_large
from record import record

LIGHTS = ("rembrandt", "split", "overcast", "golden-hour")


def main() -> None:
    """Measure everything and record it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", nargs="?", type=Path)
    options = parser.parse_args()
    photo = read_photo(options.photo) if options.photo else astronaut()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.jpg"
        large = write_large(path, photo)
        command = ["relight", str(path), "-o", folder, "--light"]
        one_s, one_mb = measured([*command, LIGHTS[0]])
        four_s, four_mb = measured([*command, *LIGHTS])
    figures: dict[str, Any] = {
        "12_megapixels_one_light_s": one_s,
        "12_megapixels_one_light_peak_mb": one_mb,
        "12_megapixels_four_lights_s": four_s,
        "12_megapixels_four_lights_peak_mb": four_mb,
        **_in_python(large),
        "own_light_psnr_db": _own_light(photo),
    }
    print(figures)
    record("relight", figures)


def _in_python(photo: np.ndarray) -> dict[str, float]:
    """Without decoding and encoding."""
    faces = Decomposer.from_pretrained()(photo)
    started = time.perf_counter()
    relighter = PhotoRelighter(photo, faces)
    prepared = time.perf_counter() - started
    times = []
    for name in LIGHTS:
        started = time.perf_counter()
        relighter(Light.preset(name))
        times.append(time.perf_counter() - started)
    return {"12_megapixels_prepare_s": round(prepared, 2), "12_megapixels_further_light_s": _median(times)}


def _own_light(photo: np.ndarray) -> float:
    """PSNR over the face's crop of the photo against itself under its own light, `residual="keep"` [dB]."""
    face = Decomposer.from_pretrained()(photo)[0]
    own = Light(sh.rotate(face.light.astype(np.float64), upright(face.crop)))
    relit = PhotoRelighter(photo, [face], residual="keep")(own)
    error = np.mean((relit.astype(np.float64) - photo) ** 2) / 255**2
    return round(float(-10 * np.log10(max(error, 1e-12))), 1)


def _median(times: list[float]) -> float:
    return round(statistics.median(times), 2)


if __name__ == "__main__":
    main()

"""The size of a picture from its header, before any of its pixels is decoded."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image

from illures.errors import InputError
from illures.io.decoding import _EXR_MAGIC, _begins, decoding, open_image


def header_size(path: Path) -> tuple[int, int]:
    """Width and height from the header of a picture [px]; (0, 0) where they need decoding.

    Raises:
        InputError: the header claims more pixels than pillow takes, or is that of a broken EXR file.
    """
    with decoding(path):
        start = _begins(path, 65536)
    if start[:4] == _EXR_MAGIC:
        from illures.io.exr import exr_size

        return exr_size(path)
    if start[:2] == b"#?":  # Radiance: "-Y 512 +X 1024" ends the header
        found = re.search(rb"\n([+-][XY]) (\d{1,9}) [+-][XY] (\d{1,9})\r?\n", start)
        if not found:
            return 0, 0
        first, second = int(found[2]), int(found[3])
        return (second, first) if found[1][1:] == b"Y" else (first, second)
    try:
        with open_image(path) as image:
            return image.size
    except Image.DecompressionBombError:
        raise InputError(f"{path}: more pixels than any photo has") from None
    except Exception:  # reading the file will report the error
        return 0, 0

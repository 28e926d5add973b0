"""Requests to the studio's server in this process, and what its answers hold."""

from importlib.resources import files

import cv2
import numpy as np

from illures.io.photos import read_photo
from illures.web.server.limits import Limits

LOCAL = "http://127.0.0.1:8000"


LIMITS = Limits(photo_bytes=8_000_000, clip_bytes=8_000_000, pixels=16_000_000, work_s=60)


def order(client, photo, **fields):
    return client.post(f"/api/photos/{photo['id']}/faces/0/file", json=fields)


def decoded(answer) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    codes = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
    return codes[..., ::-1] if codes.ndim == 3 else codes


def own(maps) -> dict:
    return {"sh": maps[0]["light"], "lamps": []}


def original() -> np.ndarray:
    return read_photo(str(files("illures") / "assets" / "astronaut.jpg"))

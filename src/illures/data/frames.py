"""WebDataset tars of video frames: aligned crops of one face, without any ground truth.

A frame is one WebDataset sample `<clip>-<frame>.*` with

- `image.webp`, 8-bit sRGB, lossless;
- `mask.png`, 8-bit, 0 or 255: the face (see `faces.face_mask`);
- `landmarks.npy`, float32 [478, 3], pixels of the crop;
- `json`: clip, frame, time, shot, identity, head pose, and what the frame was measured to be.

The contour, the normals of the landmark mesh and the descriptor follow exactly from these and are made when a frame is
read. Equal frames give equal bytes.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from illures.data.tarfiles import decoded_pixels, encoded_array, encoded_pixels
from illures.faces.pose import HeadPose
from illures.io import webdataset
from illures.io.decoding import decoding, parse_json


@dataclass(frozen=True)
class FrameRecord:
    """One frame of a clip.

    Attributes:
        image: aligned crop, sRGB.
        mask: the face in it.
        landmarks: in its pixels.
        clip: name of the clip, unique in its set.
        frame: number in the clip, from 0.
        time_s: in the clip.
        shot: number of the shot, from 0; hard cuts lie between shots.
        identity: equal for equal people.
        pose: of the head in the picture, so that roll is not that of the crop.
        score: probability of a face, as the landmark network says.
        face_px: longer side of the face in the clip [px].
        sharpness: see `choice.Quality`; relative to the sharp frames of the clip.
        clipped, black: likewise, shares of the face.
        licence: of the clip; "" where that is not known.
    """

    image: UInt8[np.ndarray, "size size 3"]
    mask: Bool[np.ndarray, "size size"]
    landmarks: Float[np.ndarray, "478 3"]
    clip: str
    frame: int
    time_s: float
    shot: int
    identity: str
    pose: HeadPose
    score: float
    face_px: float
    sharpness: float
    clipped: float
    black: float
    licence: str = ""


_ARRAYS = ("image", "mask", "landmarks", "pose")
_DIGITS = {"time_s": 4, "score": 4, "face_px": 1, "sharpness": 3, "clipped": 4, "black": 4}


def tar_bytes(frames: Iterable[FrameRecord]) -> bytes:
    """A tar of frames."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for frame in frames:
            for name, data in _files(frame):
                webdataset.add(tar, f"{frame.clip}-{frame.frame:06d}.{name}", data)
    return memory.getvalue()


def read_frame_shards(paths: Iterable[Path]) -> Iterator[FrameRecord]:
    """The frames of shards, in order.

    Raises:
        InputError: a file is not a shard of video frames.
    """
    for path in paths:
        with decoding(path, "a shard of video frames"), tarfile.open(path, "r:") as tar:
            for _, files in webdataset.grouped(tar):
                yield _record(files)


def _files(frame: FrameRecord) -> Iterator[tuple[str, bytes]]:
    yield "image.webp", encoded_pixels(".webp", frame.image, [cv2.IMWRITE_WEBP_QUALITY, 101])
    yield "mask.png", encoded_pixels(".png", frame.mask.astype(np.uint8) * 255, [])
    yield "landmarks.npy", encoded_array(frame.landmarks.astype(np.float32))
    facts = {name: value for name, value in vars(frame).items() if name not in _ARRAYS}
    facts |= {name: round(facts[name], digits) for name, digits in _DIGITS.items()}
    facts |= {name: round(value, 2) for name, value in asdict(frame.pose).items()}
    yield "json", json.dumps(facts, separators=(",", ":"), ensure_ascii=False).encode()


def _record(files: dict[str, bytes]) -> FrameRecord:
    facts = parse_json(files["json"])
    return FrameRecord(
        image=decoded_pixels(files["image.webp"]),
        mask=decoded_pixels(files["mask.png"]) > 127,
        landmarks=np.load(io.BytesIO(files["landmarks.npy"]), allow_pickle=False),
        pose=HeadPose(*(facts.pop(name) for name in HeadPose.__dataclass_fields__)),
        **facts,
    )

"""Whole files of every kind that is read, small, made from a seed without network."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zlib
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import cv2
import numpy as np
import pillow_heif
from PIL import Image, ImageCms

SIZE = (48, 64)
RECIPE = Path(__file__).parents[2] / "src" / "illures" / "train" / "recipes" / "tiny.toml"


@cache
def picture(top: int = 255) -> np.ndarray:
    """A gradient with noise, RGB."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] / max(SIZE)
    values = np.stack([x, y, 1 - x], axis=-1) * 0.8 + 0.2 * rng.random((*SIZE, 3))
    return np.round(values * top).astype(np.uint8 if top == 255 else np.uint16)


def pillow(kind: str, mode: str = "RGB", **options: object) -> bytes:
    """A file by pillow."""
    data = io.BytesIO()
    Image.fromarray(picture()).convert(mode).save(data, kind, **options)
    return data.getvalue()


def adam7() -> bytes:
    """An interlaced PNG (W3C, 8.2); pillow writes none."""
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = b"".join(b"\0" + row.tobytes() for x, y, dx, dy in passes for row in picture()[y::dy, x::dx])
    head = struct.pack(">IIBBBBB", SIZE[1], SIZE[0], 8, 2, 0, 0, 1)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def twelve_bits() -> bytes:
    """A JPEG whose header says 12 bits."""
    data = bytearray(pillow("JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12
    return bytes(data)


def frames() -> list[Image.Image]:
    """Of an animation."""
    return [Image.fromarray(np.roll(picture(), 4 * k, axis=1)) for k in range(3)]


def animated(kind: str) -> bytes:
    """An animation, or a file of several pictures."""
    data = io.BytesIO()
    first, *others = frames()
    first.save(data, kind, save_all=True, append_images=others)
    return data.getvalue()


def heic() -> bytes:
    """HEVC still."""
    data = io.BytesIO()
    pillow_heif.register_heif_opener()
    Image.fromarray(picture()).save(data, "HEIF")
    return data.getvalue()


def opencv(suffix: str, codes: np.ndarray) -> bytes:
    """A file by OpenCV."""
    return bytes(cv2.imencode(suffix, codes)[1].tobytes())


def tiled_tiff() -> bytes:
    """A TIFF of four tiles (TIFF 6.0, section 15)."""
    tile = np.zeros((4, 32, 32, 3), np.uint8)
    padded = np.pad(picture(), ((0, 16), (0, 0), (0, 0)))
    for k, (y, x) in enumerate(((0, 0), (0, 32), (32, 0), (32, 32))):
        tile[k] = padded[y : y + 32, x : x + 32]
    entries = [(256, 4, 1, SIZE[1]), (257, 4, 1, SIZE[0]), (258, 3, 3, 0), (259, 3, 1, 1), (262, 3, 1, 2)]
    entries += [(277, 3, 1, 3), (322, 4, 1, 32), (323, 4, 1, 32), (324, 4, 4, 0), (325, 4, 4, 0)]
    after = 8 + 2 + 12 * len(entries) + 4
    bits, offsets, counts, start = after, after + 6, after + 22, after + 38
    values = {258: bits, 324: offsets, 325: counts}
    table = b"".join(struct.pack("<HHII", t, k, n, values.get(t, v)) for t, k, n, v in entries)
    body = struct.pack("<3H", 8, 8, 8) + struct.pack("<4I", *(start + 3072 * k for k in range(4)))
    body += struct.pack("<4I", *[3072] * 4) + tile.tobytes()
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + struct.pack("<I", 0) + body


def written(write: Callable[[Path], object], suffix: str) -> bytes:
    """What a function writes to a file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        write(path)
        return path.read_bytes()


def clip(suffix: str, codec: str, pixels: str = "yuv420p", **options: str) -> bytes:
    """Eight frames."""

    def write(path: Path) -> None:
        with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:  # no random numbers in its header
            stream = container.add_stream(codec, rate=25, options=options)
            stream.height, stream.width, stream.pix_fmt = *SIZE, pixels
            for k in range(8):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.roll(picture(), k, axis=0)), format="rgb24")
                frame = frame.reformat(format=pixels)
                frame.pts, frame.time_base = k, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    return written(write, suffix)


def light_map(kind: str) -> bytes:
    """An environment."""
    radiance = picture().astype(np.float32)[:32] / 60
    if kind == ".hdr":
        return opencv(".hdr", radiance)
    if kind == ".npy":
        return written(lambda path: np.save(path, radiance), ".npy")
    from illures.io.photos import write_exr

    return written(lambda path: write_exr(path, radiance), ".exr")


def weights() -> bytes:
    """Whole weights with few tensors; their graph is no network."""
    from illures.model.config import NetworkConfig
    from illures.model.weights import Weights, WeightsInfo, hash_tensors, write_weights

    tensors = {"a.weight": picture()[:4, :4].astype(np.float32)}
    info = WeightsInfo(NetworkConfig(), hash_tensors(tensors), {"batch": 16}, "two spheres", {"score": 0.5})
    data = written(lambda path: write_weights(path, Weights(tensors, bytes(64), info)), ".safetensors")
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:end]), sort_keys=True).encode()  # its order is random
    return struct.pack("<Q", len(header)) + header + data[end:]


def with_exif() -> bytes:
    """A JPEG with metadata of a camera: turned, a place, a comment, and pointers to further tables."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x9286] = 6, "camera", b"ASCII\0\0\0" + b"words " * 8
    exif.get_ifd(0x8825).update({1: "N", 2: (47.0, 22.0, 1.5)})
    exif.get_ifd(0x8769).update({0x9003: "2026:01:01 00:00:00", 0x829A: 0.01})
    return pillow("JPEG", exif=exif, comment=b"a comment", dpi=(300, 300))


def photo_tar() -> bytes:
    """Photos as WebDataset has them; last a name that climbs, which is one like any other."""
    from illures.io.webdataset import add

    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name in ("set/a", "set/b", "../../c"):
            add(tar, f"{name}.jpg", pillow("JPEG"))
            add(tar, f"{name}.json", b'{"id": 1}')
    return data.getvalue()


def linked_tar() -> bytes:
    """The same, then links to files of this machine, and a device."""
    data = io.BytesIO(photo_tar())
    with tarfile.open(fileobj=data, mode="a") as tar:
        for kind, target in ((tarfile.SYMTYPE, "/etc/hostname"), (tarfile.LNKTYPE, "../a.jpg"), (tarfile.CHRTYPE, "")):
            link = tarfile.TarInfo("d.jpg")
            link.type, link.linkname = kind, target
            tar.addfile(link)
    return data.getvalue()


def shard() -> bytes:
    """A tar of one view."""
    from illures.data.context import WIDE_PX
    from illures.data.shards import ViewRecord, write_shard
    from illures.types import Region

    rng = np.random.default_rng(0)
    normal = rng.normal(size=(16, 16, 3))
    view = ViewRecord(
        albedo=rng.random((16, 16, 3), np.float32),
        normal=(normal / np.linalg.norm(normal, axis=-1, keepdims=True)).astype(np.float32),
        mask=rng.random((16, 16)) > 0.5,
        region=rng.integers(0, len(Region), (16, 16), dtype=np.uint8),
        landmarks=rng.normal(8, 4, (478, 3)).astype(np.float32),
        contexts=(rng.random((WIDE_PX, WIDE_PX, 3), np.float32),),
        images=(rng.random((16, 16, 3), np.float32),),
        lights=(rng.normal(size=(9, 3)).astype(np.float32),),
        lightings=(1,),
        identity=1,
        expression=1,
        pose=1,
        seed=1,
        recipe="a",
    )
    return written(lambda path: write_shard(path, [("000000", view)]), ".tar")


def frame_shard() -> bytes:
    """A tar of one frame of a clip."""
    from illures.data.frames import FrameRecord, HeadPose, frame_shard_bytes

    rng = np.random.default_rng(0)
    face = picture()[:16, :16], rng.random((16, 16)) > 0.5, rng.normal(8, 4, (478, 3)).astype(np.float32)
    record = FrameRecord(*face, "clip", 3, 0.12, 0, "person", HeadPose(1, 2, 3), 1.0, 100.0, 1.0, 0.0, 0.0, "CC0")
    return frame_shard_bytes([record])


def light_json() -> bytes:
    """A light."""
    from illures.relighting.light import Light

    return json.dumps(Light.from_direction(30, 20).to_dict()).encode()


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
# Name, which says the decoder by its first word, and what makes the file.
FILES: dict[str, Callable[[], bytes]] = {
    "photo.jpg": lambda: pillow("JPEG"),
    "photo.progressive.jpg": lambda: pillow("JPEG", progressive=True),
    "photo.cmyk.jpg": lambda: pillow("JPEG", "CMYK"),
    "photo.12.jpg": twelve_bits,
    "photo.exif.jpg": with_exif,
    "photo.icc.jpg": lambda: pillow("JPEG", icc_profile=PROFILE),
    "photo.mpo": lambda: animated("MPO"),
    "photo.png": lambda: pillow("PNG"),
    "photo.palette.png": lambda: pillow("PNG", "P"),
    "photo.alpha.png": lambda: pillow("PNG", "RGBA"),
    "photo.16.png": lambda: opencv(".png", picture(65535)),
    "photo.interlaced.png": adam7,
    "photo.apng": lambda: animated("PNG"),
    "photo.webp": lambda: pillow("WEBP"),
    "photo.lossless.webp": lambda: pillow("WEBP", lossless=True),
    "photo.animated.webp": lambda: animated("WEBP"),
    "photo.avif": lambda: pillow("AVIF"),
    "photo.heic": heic,
    "photo.tif": lambda: pillow("TIFF"),
    "photo.lzw.tif": lambda: pillow("TIFF", compression="tiff_lzw"),
    "photo.16.tif": lambda: opencv(".tif", picture(65535)),
    "photo.float.tif": lambda: opencv(".tif", picture().astype(np.float32) / 255),
    "photo.pages.tif": lambda: animated("TIFF"),
    "photo.tiled.tif": tiled_tiff,
    "photo.bmp": lambda: pillow("BMP"),
    "photo.gif": lambda: animated("GIF"),
    "photo.jp2": lambda: pillow("JPEG2000"),
    "photo.ppm": lambda: pillow("PPM"),
    "photo.exr": lambda: light_map(".exr"),
    "map.hdr": lambda: light_map(".hdr"),
    "map.exr": lambda: light_map(".exr"),
    "map.npy": lambda: light_map(".npy"),
    "light.json": light_json,
    "weights.safetensors": weights,
    "recipe.toml": lambda: RECIPE.read_bytes(),
    "shard.tar": shard,
    "frames.tar": frame_shard,
    "photos.tar": photo_tar,
    "photos.links.tar": linked_tar,
    "edited.png": lambda: opencv(".png", picture(65535)),
    "edited.tif": lambda: opencv(".tif", picture()),
    "clip.mp4": lambda: clip(".mp4", "libx264", preset="ultrafast"),
    "clip.mov": lambda: clip(".mov", "prores_ks", "yuva444p10le", profile="4444"),
    "clip.webm": lambda: clip(".webm", "libvpx-vp9", deadline="realtime", **{"cpu-used": "8"}),
    "clip.mkv": lambda: clip(".mkv", "ffv1"),
    "clip.avi": lambda: clip(".avi", "mpeg4"),
    "clip.hevc.mp4": lambda: clip(".mp4", "libx265", "yuv420p10le", **{"x265-params": "log-level=none"}),
    "clip.gif": lambda: animated("GIF"),
    "clip.mpg": lambda: clip(".mpg", "mpeg2video"),
}


@cache
def whole(name: str) -> bytes:
    """An undamaged file."""
    return FILES[name]()

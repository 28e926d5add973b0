"""A memory-mapped cache of samples: what training reads, at tens of thousands of samples a second.

Shards are for publishing; a cache is made from them once. Images keep 8 bits, sRGB-encoded; the residual is not kept,
as it is the image minus albedo times shading.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from illures.data.context import CONTEXT_RANGE, WIDE_PX, rendered_context
from illures.data.mixing import Lit, mixed
from illures.data.repaint import other_backgrounds, repaint
from illures.data.shrink import shrunk
from illures.decoding import parse_json
from illures.errors import InputError
from illures.faces.context import crop_context
from illures.math.color import linear_to_srgb, srgb_to_linear
from illures.math.normals import normalize
from illures.types import Region, Sample

# name: (dtype, channels). Signed bytes hold [-1, 1] in steps of 1/127, 0.45° of a normal.
_MAPS = {
    "image": (np.uint8, 3),
    "albedo": (np.uint8, 3),
    "normal": (np.int8, 3),
    "mask": (np.uint8, 1),
    "region": (np.uint8, 1),
    "guide": (np.int8, 3),
}
_COLUMNS = ("light", "identity", "traced", "view", "surroundings")
_INDEX = "index.json"
UNKNOWN = 255  # as a region
_FORMAT = 4  # since there are regions and surroundings
_LINEAR = srgb_to_linear(torch.arange(256) / 255)  # of each 8-bit code


@dataclass(frozen=True)
class Batch:
    """Samples side by side as torch tensors; `image` and `albedo` linear, the rest as in `Sample`.

    Attributes:
        image: I_g, clipped to [0, 1].
        albedo: A.
        normal: N, unit vectors, zero where there is no surface.
        mask: 1 on the face, 0 elsewhere.
        surface: 1 where a surface is seen, 0 elsewhere: the whole head and what is before it.
        region: numbers of `types.Region`; `UNKNOWN` where the photo does not go.
        guide: normals of the dense face mesh found in the image, zero where there is none.
        context: the photo's thumbnail and the crop's place in it (`faces.context`): linear colours, framed at random.
        light: L.
        traced: 1 if the image has global illumination, 0 if it is A ∘ f(N, L).
        landmarks: of the dense mesh, as in `Sample`.
    """

    image: Float[Tensor, "batch height width 3"]
    albedo: Float[Tensor, "batch height width 3"]
    normal: Float[Tensor, "batch height width 3"]
    mask: Float[Tensor, "batch height width 1"]
    surface: Float[Tensor, "batch height width 1"]
    region: UInt8[Tensor, "batch height width 1"]
    guide: Float[Tensor, "batch height width 3"]
    context: Float[Tensor, "batch 32 32 4"]
    light: Float[Tensor, "batch 9 3"]
    traced: Float[Tensor, " batch"]
    landmarks: Float[Tensor, "batch 478 3"]


Guide = Callable[[Float[np.ndarray, "height width 3"]], Float[np.ndarray, "height width 3"]]


def build_cache(samples: Iterable[Sample], folder: Path, guide: Guide, source: str, size: int | None = None) -> int:
    """Write a cache whole or not at all; return how many samples it holds.

    Args:
        samples: all of one square size.
        folder: made here; an older cache there is replaced.
        guide: takes an sRGB-encoded image to the normals of the dense face mesh in it (zeros where none is found).
        source: what the samples are, kept in the index.
        size: side of the images in the cache [px], to which larger samples are shrunk; None keeps theirs.

    Raises:
        InputError: there are no samples, or they are smaller than `size` or no multiple of it.
    """
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    lights, landmarks, identities, traced, surroundings, views = [], [], [], [], [], _Views()
    files = {name: open(part / f"{name}.raw", "wb") for name in _MAPS}  # noqa: SIM115 (closed below, all together)
    try:
        for sample in samples:
            srgb = np.clip(linear_to_srgb(sample.image), 0, 1).astype(np.float32)
            found = guide(srgb)
            # Without transport the residual is what clipping leaves of the negative lobes of SH, which is on no face.
            traced.append(float(np.abs(sample.residual[sample.mask]).max(initial=0) > 0))
            sample = sample if size is None else shrunk(sample, size)
            _append(files, sample, found)
            surroundings.append(_codes(sample.context))
            lights.append(sample.light)
            landmarks.append(sample.landmarks)
            views.add(sample)
            identities.append(sample.identity)
    finally:
        for file in files.values():
            file.close()
    if not lights:
        raise InputError(f"{source}: holds no samples, at least one is needed")
    np.save(part / "light.npy", np.stack(lights).astype(np.float32))
    np.save(part / "landmarks.npy", np.stack(landmarks).astype(np.float32))
    np.save(part / "view.npy", np.array(views.of_samples, dtype=np.int64))
    np.save(part / "identity.npy", np.array(identities, dtype=np.int64))
    np.save(part / "traced.npy", np.array(traced, dtype=np.float32))
    np.save(part / "surroundings.npy", np.stack(surroundings))
    about = {"format": _FORMAT, "count": len(lights), "size": sample.image.shape[0], "source": source}
    (part / _INDEX).write_text(json.dumps(about))
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(part, folder)
    return len(lights)


class _Views:
    """Numbers the views of a set: samples of equal identity, expression and pose differ by the light alone."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int], int] = {}
        self.of_samples: list[int] = []

    def add(self, sample: Sample) -> None:
        """Note the view of the next sample."""
        key = (sample.identity, sample.expression, sample.pose)
        self.of_samples.append(self._known.setdefault(key, len(self._known)))


def is_current(folder: Path, shards: Sequence[Path]) -> bool:
    """Whether a cache is there, of today's format and newer than the shards that it is made from."""
    index = folder / _INDEX
    if not index.is_file() or index.stat().st_mtime < max(shard.stat().st_mtime for shard in shards):
        return False
    try:
        return parse_json(index.read_text()).get("format") == _FORMAT
    except (ValueError, AttributeError):  # damaged: made anew
        return False


def _append(files: Mapping[str, BinaryIO], sample: Sample, guide: Float[np.ndarray, "height2 width2 3"]) -> None:
    size = sample.image.shape[0]
    values = {
        "image": np.clip(linear_to_srgb(sample.image), 0, 1) * 255,
        "albedo": linear_to_srgb(sample.albedo) * 255,
        "normal": sample.normal * 127,
        "mask": sample.mask[..., None] * 255.0,
        "region": sample.region[..., None],
        "guide": cv2.resize(guide, (size, size), interpolation=cv2.INTER_AREA) * 127,
    }
    for name, (dtype, _) in _MAPS.items():
        np.rint(values[name]).astype(dtype).tofile(files[name])


def _codes(context: Float[np.ndarray, "wide wide 3"] | None) -> UInt8[np.ndarray, "wide wide 3"]:
    """Surroundings in 8 bits as shards keep them; black where there are none."""
    if context is None:
        return np.zeros((WIDE_PX, WIDE_PX, 3), np.uint8)
    return np.rint(linear_to_srgb(np.clip(context / CONTEXT_RANGE, 0, 1)) * 255).astype(np.uint8)


class SampleCache:
    """Random access to the samples of one or several caches of the same size.

    Attributes:
        size: side of the images [px].
        set: number of each sample's cache, in the order of `folders`.
        identity: of each sample, within its set.
        traced: 1 for samples with global illumination, 0 for others.
        view: of each sample, all over the sets; samples of one view differ by their light alone.

    Raises:
        InputError: a folder is not a cache, or the sizes differ.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._parts = [_open_cache(folder) for folder in folders]
        sizes = {part["image"].shape[1] for part in self._parts}
        if len(sizes) != 1:
            raise InputError(f"{', '.join(map(str, folders))}: sizes {sorted(sizes)} differ, one size is needed")
        self.size: int = sizes.pop()
        self._starts = np.cumsum([0] + [len(part["image"]) for part in self._parts])
        self.set = np.repeat(np.arange(len(self._parts)), np.diff(self._starts))
        self.identity = np.concatenate([part["identity"] for part in self._parts])
        self.traced = np.concatenate([part["traced"] for part in self._parts])
        counts = np.cumsum([0] + [int(part["view"].max()) + 1 for part in self._parts])
        self.view = np.concatenate([part["view"] + start for part, start in zip(self._parts, counts, strict=False)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def batch(
        self,
        indices: Sequence[int] | np.ndarray,
        rng: np.random.Generator | None = None,
        repainted: float = 0.0,
        mixing: float = 0.0,
    ) -> Batch:
        """Read the samples at `indices`.

        Args:
            indices: of samples.
            rng: frames a photo round each, and draws what follows; None: always alike.
            repainted: chance that a person gets other colours of skin, hair and clothes, and that of others behind.
            mixing: chance that a traced view gets another of its lights as well.
        """
        raw = {name: self._read(name, indices) for name in [*_MAPS, "light", "traced", "landmarks", "surroundings"]}
        image, albedo, traced = _decoded(raw["image"]), _decoded(raw["albedo"]), raw["traced"]
        rng = np.random.default_rng(0) if rng is None else rng
        surface = (raw["normal"] != 0).any(dim=-1, keepdim=True).float()
        lit = Lit(image, raw["light"], _decoded(raw["surroundings"]) * CONTEXT_RANGE)
        if mixing > 0:
            lit = mixed(lit, self._otherwise_lit(indices, rng), surface, rng, mixing)
        image = lit.image
        if repainted > 0:
            image, albedo = repaint(image, albedo, raw["region"], rng, repainted)
            image = other_backgrounds(image, raw["region"], rng, repainted)
        contexts = [_framed(*values, rng) for values in zip(image, raw["region"], lit.around, traced, strict=True)]
        return Batch(
            image=image,
            albedo=albedo,
            normal=normalize(raw["normal"] / 127),
            mask=raw["mask"] / 255,
            surface=surface,
            region=raw["region"],
            guide=raw["guide"] / 127,
            context=torch.stack(contexts),
            light=lit.light,
            traced=traced,
            landmarks=raw["landmarks"],
        )

    def _otherwise_lit(self, indices: Sequence[int] | np.ndarray, rng: np.random.Generator) -> Lit:
        """The same traced views under another of their lights; under the same where they have no other."""
        others = [self._other_light(int(index), rng) for index in indices]
        image, around = (_decoded(self._read(name, others)) for name in ("image", "surroundings"))
        return Lit(image, self._read("light", others), around * CONTEXT_RANGE)

    def _other_light(self, index: int, rng: np.random.Generator) -> int:
        others = np.flatnonzero((self.view == self.view[index]) & (np.arange(len(self)) != index))
        return int(rng.choice(others)) if len(others) and self.traced[index] > 0 else index

    def _read(self, name: str, indices: Sequence[int] | np.ndarray) -> Tensor:
        rows = []
        for index in indices:
            part = int(np.searchsorted(self._starts, index, side="right")) - 1
            rows.append(self._parts[part][name][index - self._starts[part]])
        return torch.from_numpy(np.stack(rows))


def _framed(
    image: Float[Tensor, "h w 3"],
    region: UInt8[Tensor, "h w 1"],
    around: Float[Tensor, "wide wide 3"],
    traced: Float[Tensor, ""],
    rng: np.random.Generator,
) -> Float[Tensor, "32 32 4"]:
    """A photo round a render; where nothing is known of the surroundings, the photo is the crop."""
    pixels = image.numpy()
    if not traced > 0:
        return torch.from_numpy(crop_context(pixels))
    person = (region[..., 0] != Region.BACKGROUND).float().numpy()
    shown, inside = rendered_context(pixels, person, around.numpy(), rng)
    return torch.from_numpy(np.concatenate([np.clip(shown, 0, 1), inside[..., None]], -1))


def _decoded(codes: UInt8[Tensor, "batch height width 3"]) -> Float[Tensor, "batch height width 3"]:
    """8-bit sRGB to linear by table, five times as fast as by the curve."""
    return _LINEAR.index_select(0, codes.flatten().int()).view(codes.shape)


def _open_cache(folder: Path) -> dict[str, np.ndarray]:
    index = folder / _INDEX
    if not index.is_file():
        raise InputError(f"{folder}: is not a training cache, it has no {_INDEX}")
    about = json.loads(index.read_text())
    if about.get("format") != _FORMAT:
        raise InputError(
            f"{folder}: cache of format {about.get('format')}, {_FORMAT} is needed; `prepare` makes it anew"
        )
    count, size = about["count"], about["size"]
    arrays: dict[str, np.ndarray] = {
        name: np.memmap(folder / f"{name}.raw", dtype=dtype, mode="r", shape=(count, size, size, channels))
        for name, (dtype, channels) in _MAPS.items()
    }
    arrays["landmarks"] = np.load(folder / "landmarks.npy", mmap_mode="r")
    return arrays | {name: np.load(folder / f"{name}.npy") for name in _COLUMNS}

"""A memory-mapped cache of samples: for training, at tens of thousands of samples per second.

Shards are for distribution; a cache is built from them once. Images have 8 bits, sRGB-encoded; the residual is not
stored, as it is the image minus albedo times shading.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from illures.data.caches import Caches
from illures.data.context import CONTEXT_RANGE, rendered_context
from illures.data.mixing import Lit, mixed
from illures.data.repaint import other_backgrounds, repaint, walls
from illures.data.retexture import retexture
from illures.errors import InputError
from illures.faces.context import crop_context
from illures.math.color import srgb_to_linear
from illures.math.normals import normalize
from illures.types import Region

# name: (dtype, channels). Signed bytes hold [-1, 1] in steps of 1/127, 0.45° of a normal.
MAPS = {
    "image": (np.uint8, 3),
    "albedo": (np.uint8, 3),
    "normal": (np.int8, 3),
    "mask": (np.uint8, 1),
    "region": (np.uint8, 1),
    "guide": (np.int8, 3),
}
COLUMNS = ("light", "identity", "traced", "view", "surroundings")
INDEX = "index.json"
_READ = ("light", "traced", "landmarks", "surroundings")  # of the columns, in batches
UNKNOWN = 255  # as a region
FORMAT = 5  # introduced with the normals of `data.nostrils`
_LINEAR = srgb_to_linear(torch.arange(256) / 255)  # of each 8-bit code


@dataclass(frozen=True)
class Batch:
    """A batch of samples as torch tensors; `image` and `albedo` linear, the rest as in `Sample`.

    Attributes:
        image: I_g, clipped to [0, 1].
        albedo: A.
        normal: N, unit vectors, zero where there is no surface.
        mask: 1 on the face, 0 elsewhere.
        surface: 1 on surfaces, 0 elsewhere: the whole head and occluders.
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


class SampleCache:
    """Random access to the samples of one or several caches of the same size.

    Attributes:
        size: side of the images [px].
        set: number of each sample's cache, in the order of `folders`.
        identity: of each sample, within its set.
        traced: 1 for samples with global illumination, 0 for others.
        view: of each sample, all over the sets; samples of one view differ only in light.

    Raises:
        InputError: a folder is not a cache, or the sizes differ.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._caches = caches = Caches(folders, _open_cache)
        self.size = caches.size
        self.set = np.repeat(np.arange(len(caches.parts)), caches.counts)
        self.identity, self.traced = caches.column("identity"), caches.column("traced")
        views = np.cumsum([0] + [int(part["view"].max()) + 1 for part in caches.parts])
        self.view = caches.column("view") + np.repeat(views[:-1], caches.counts)

    def __len__(self) -> int:
        return len(self._caches)

    def batch(
        self,
        indices: Sequence[int] | np.ndarray,
        rng: np.random.Generator | None = None,
        repainted: float = 0.0,
        mixing: float = 0.0,
        walled: float = 0.0,
        retextured: float = 0.0,
    ) -> Batch:
        """Read the samples at `indices`.

        Args:
            indices: of samples.
            rng: for the framing of a photo around each and the changes below; None: deterministic.
            repainted: chance that a person gets other colours of skin, hair and clothes, and of another background.
            mixing: chance that another light of a traced view is added.
            walled: chance of a plain wall behind a person.
            retextured: chance that a person gets other details of skin, brows and eyes.
        """
        raw = {name: self._read(name, indices) for name in [*MAPS, *_READ]}
        image, albedo, traced = _decoded(raw["image"]), _decoded(raw["albedo"]), raw["traced"]
        rng = np.random.default_rng(0) if rng is None else rng
        surface = (raw["normal"] != 0).any(dim=-1, keepdim=True).float()
        lit = Lit(image, raw["light"], _decoded(raw["surroundings"]) * CONTEXT_RANGE)
        if mixing > 0:
            lit = mixed(lit, self._otherwise_lit(indices, rng), surface, rng, mixing)
        image = lit.image
        if retextured > 0:
            image, albedo = retexture(image, albedo, raw["region"], rng, retextured)
        if repainted > 0:
            image, albedo = repaint(image, albedo, raw["region"], rng, repainted)
            image = other_backgrounds(image, raw["region"], rng, repainted)
        around = lit.around
        if walled > 0:
            image, around = walls(image, around, lit.light, raw["region"], rng, walled)
        contexts = [_framed(*values, rng) for values in zip(image, raw["region"], around, traced, strict=True)]
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
        """The same traced views under another of their lights, if they have one."""
        others = [self.other_light(int(index), rng) for index in indices]
        image, around = (_decoded(self._read(name, others)) for name in ("image", "surroundings"))
        return Lit(image, self._read("light", others), around * CONTEXT_RANGE)

    def other_light(self, index: int, rng: np.random.Generator) -> int:
        """A sample of the same traced view under another light; the sample itself if there is none."""
        others = np.flatnonzero((self.view == self.view[index]) & (np.arange(len(self)) != index))
        return int(rng.choice(others)) if len(others) and self.traced[index] > 0 else index

    def raw(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        """The stored data of the samples at `indices`: the maps of `MAPS`, and all columns except identity and view."""
        return {
            name: self._read(name, indices).numpy() for name in [*MAPS, "light", "traced", "landmarks", "surroundings"]
        }

    def _read(self, name: str, indices: Sequence[int] | np.ndarray) -> Tensor:
        return torch.from_numpy(self._caches.rows(name, indices))


def _framed(
    image: Float[Tensor, "h w 3"],
    region: UInt8[Tensor, "h w 1"],
    around: Float[Tensor, "wide wide 3"],
    traced: Float[Tensor, ""],
    rng: np.random.Generator,
) -> Float[Tensor, "32 32 4"]:
    """A photo around a render; without known surroundings, the photo is the crop."""
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
    index = folder / INDEX
    if not index.is_file():
        raise InputError(f"{folder}: is not a training cache, it has no {INDEX}")
    about = json.loads(index.read_text())
    if about.get("format") != FORMAT:
        raise InputError(
            f"{folder}: cache of format {about.get('format')}, {FORMAT} is needed; `prepare` makes it anew"
        )
    count, size = about["count"], about["size"]
    arrays: dict[str, np.ndarray] = {
        name: np.memmap(folder / f"{name}.raw", dtype=dtype, mode="r", shape=(count, size, size, channels))
        for name, (dtype, channels) in MAPS.items()
    }
    arrays["landmarks"] = np.load(folder / "landmarks.npy", mmap_mode="r")
    return arrays | {name: np.load(folder / f"{name}.npy") for name in COLUMNS}

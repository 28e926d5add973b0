"""illures as ComfyUI nodes.

Images are tensors [batch, height, width, channels], float in [0, 1], sRGB-encoded; masks [batch, height, width]. A
batch of more than one image is taken for the frames of a clip, unless `steady` is off: faces are followed, and albedo,
normals and light are held still along them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from illures import Decomposer, Light, save_image
from illures.decompose.decomposition import Decomposition
from illures.decompose.photo_maps import photo_maps
from illures.editing.edit import apply_albedo
from illures.errors import InputError
from illures.faces.track import FaceTracker
from illures.io.formats import Format, Normals, NormalSpace
from illures.relighting import sources
from illures.relighting.composite import PhotoRelighter
from illures.relighting.presets import PRESETS
from illures.video.cuts import CutDetector
from illures.video.render import matte_of, show_frame
from illures.video.stabilize import Stabilizer

CATEGORY = "illures"
LIGHT = "ILLURES_LIGHT"
_RATE = 25.0
_MAPS = ("albedo", "normal", "shading", "residual")
_STEADY = ("BOOLEAN", {"default": True, "tooltip": "hold the faces still from frame to frame of a batch"})
_NORMALS = {
    "normals": (["opengl", "directx"], {"default": "opengl", "tooltip": "y up, or y down"}),
    "normal_space": (["camera", "head"], {"default": "camera", "tooltip": "frame of the normals"}),
}
_EXPOSURE = ("FLOAT", {"default": 0.0, "min": -10.0, "max": 10.0, "step": 0.1, "tooltip": "stops"})


@cache
def decomposer() -> Decomposer:
    """The network of the package, loaded once."""
    return Decomposer.from_pretrained()


def _photos(image: torch.Tensor) -> list[np.ndarray]:
    """A batch as photos of 16 bits; alpha is dropped."""
    values = image[..., :3].detach().cpu().float().clamp(0, 1).numpy()
    return list(np.round(values * 65535).astype(np.uint16))


def _images(photos: list[np.ndarray]) -> torch.Tensor:
    codes = np.stack(photos)
    return torch.from_numpy(np.multiply(codes, 1 / np.iinfo(codes.dtype).max, dtype=np.float32))


def _frames(photos: list[np.ndarray], steady: bool) -> Iterator[tuple[np.ndarray, list[Decomposition]]]:
    """Each photo with its faces; a batch is followed as a clip."""
    if len(photos) == 1 or not steady:
        for photo in photos:
            yield photo, decomposer()(photo)
        return
    tracker, cuts, stabilizer = FaceTracker(), CutDetector(), Stabilizer(decomposer())
    for number, photo in enumerate(photos):
        frame = (photo >> 8).astype(np.uint8)
        if cuts.is_cut(frame):
            tracker.reset()
            stabilizer.reset()
        yield photo, stabilizer(frame, tracker(frame), number / _RATE)


class DecomposeFace:
    """Image to albedo, normals, shading / 2, residual / 2 + 1/2, and the faces' mask."""

    CATEGORY: ClassVar = CATEGORY
    FUNCTION: ClassVar = "run"
    RETURN_TYPES: ClassVar = ("IMAGE", "IMAGE", "IMAGE", "IMAGE", "MASK")
    RETURN_NAMES: ClassVar = (*_MAPS, "mask")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 (ComfyUI's name)
        """What ComfyUI asks each node."""
        return {"required": {"image": ("IMAGE",), "steady": _STEADY}, "optional": _NORMALS}

    def run(
        self, image: torch.Tensor, steady: bool, normals: Normals = "opengl", normal_space: NormalSpace = "camera"
    ) -> tuple[torch.Tensor, ...]:
        """Codes of the maps are those of `illures decompose` (docs/outputs.md)."""
        clip, still = (Format(name, normals=normals, normal_space=normal_space) for name in ("png", "png16"))
        photos = _photos(image)
        made: dict[str, list[np.ndarray]] = {name: [] for name in (*_MAPS, "mask")}
        for photo, faces in _frames(photos, steady):
            if len(photos) > 1 and steady:
                frame = (photo >> 8).astype(np.uint8)
                codes = {name: show_frame(frame, faces, name, codes=clip) for name in _MAPS}
                codes["mask"] = matte_of(frame, faces)
            else:
                maps = photo_maps(photo, faces, still)
                codes = {name: maps.take(name) for name in (*_MAPS, "mask")}
            for name, values in codes.items():
                made[name].append(values)
        return tuple(_images(made[name]) for name in made)


class _LightNode:
    CATEGORY: ClassVar = CATEGORY
    FUNCTION: ClassVar = "run"
    RETURN_TYPES: ClassVar = (LIGHT,)
    RETURN_NAMES: ClassVar = ("light",)


class LightPreset(_LightNode):
    """A named light."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """What ComfyUI asks each node."""
        return {"required": {"preset": (list(PRESETS), {"default": "rembrandt"})}}

    def run(self, preset: str) -> tuple[sources.Source]:
        """The light."""
        return (sources.presets([preset])[0],)


class LightDirection(_LightNode):
    """A lamp at an azimuth (0 is the camera, 90 image right) and an elevation."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """What ComfyUI asks each node."""
        return {
            "required": {
                "azimuth": ("FLOAT", {"default": 45.0, "min": -180.0, "max": 180.0}),
                "elevation": ("FLOAT", {"default": 30.0, "min": -90.0, "max": 90.0}),
                "ambient": ("FLOAT", {"default": 0.2, "min": 0.0, "max": 1.0, "step": 0.05}),
                "radius": ("FLOAT", {"default": 6.0, "min": 0.0, "max": 90.0}),
            }
        }

    def run(self, azimuth: float, elevation: float, ambient: float, radius: float) -> tuple[sources.Source]:
        """The light."""
        return (sources.directions([f"{azimuth},{elevation}"], ambient, radius)[0],)


class LightReference(_LightNode):
    """The light of the largest face of another image."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """What ComfyUI asks each node."""
        return {"required": {"image": ("IMAGE",), "keep_colour": ("BOOLEAN", {"default": False})}}

    def run(self, image: torch.Tensor, keep_colour: bool) -> tuple[sources.Source]:
        """The light; an error where the image shows no face."""
        faces = decomposer()(_photos(image)[0])
        if not faces:
            raise InputError("reference: no face found, so there is no light to take from it")
        return (sources.Source("reference", Light.like(faces[0], keep_colour), white=keep_colour),)


class LightHDRI(_LightNode):
    """An environment map: linear, twice as wide as high, its middle column is what the camera looks at."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """What ComfyUI asks each node."""
        turn = ("FLOAT", {"default": 0.0, "min": -360.0, "max": 360.0})
        return {"required": {"image": ("IMAGE",), "rotation": turn}}

    def run(self, image: torch.Tensor, rotation: float) -> tuple[sources.Source]:
        """The light."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "map.npy"
            np.save(path, image[0, ..., :3].detach().cpu().float().numpy())
            return (sources.maps([path], rotation)[0],)


class RelightFace:
    """The faces of an image under another light."""

    CATEGORY: ClassVar = CATEGORY
    FUNCTION: ClassVar = "run"
    RETURN_TYPES: ClassVar = ("IMAGE", "MASK")
    RETURN_NAMES: ClassVar = ("image", "mask")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """What ComfyUI asks each node."""
        required = {"image": ("IMAGE",), "light": (LIGHT,), "exposure": _EXPOSURE}
        return {"required": required | {"shadows": ("BOOLEAN", {"default": True}), "steady": _STEADY}}

    def run(
        self, image: torch.Tensor, light: sources.Source, exposure: float, shadows: bool, steady: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """An image without a face comes out as it is."""
        photos, made, masks, chosen = _photos(image), [], [], None
        for photo, faces in _frames(photos, steady):
            frame = (photo >> 8).astype(np.uint8)
            masks.append(matte_of(frame, faces))
            if not faces:
                made.append(photo)
            elif len(photos) > 1 and steady:
                chosen = chosen or light.on(faces[0], exposure)  # as strong for all frames as for the first
                made.append(show_frame(frame, faces, "relit", chosen, shadows=shadows).astype(np.uint16) * 257)
            else:
                made.append(PhotoRelighter(photo, faces, shadows=shadows)(light.on(faces[0], exposure)))
        return _images(made), _images(masks)


class EditAlbedo:
    """An image with an albedo that was changed by other nodes, under its own light."""

    CATEGORY: ClassVar = CATEGORY
    FUNCTION: ClassVar = "run"
    RETURN_TYPES: ClassVar = ("IMAGE",)
    RETURN_NAMES: ClassVar = ("image",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """What ComfyUI asks each node."""
        return {"required": {"image": ("IMAGE",), "albedo": ("IMAGE",)}}

    def run(self, image: torch.Tensor, albedo: torch.Tensor) -> tuple[torch.Tensor]:
        """`albedo`: of Decompose Face with `steady` off, changed."""
        made = []
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "albedo.png"
            for photo, edited in zip(_photos(image), _photos(albedo), strict=True):
                save_image(path, edited, 16)
                made.append(apply_albedo(photo, decomposer()(photo), path))
        return (_images(made),)


Node = Callable[..., Any]
_NODES: dict[str, tuple[Node, str]] = {
    "IlluresDecomposeFace": (DecomposeFace, "Decompose Face"),
    "IlluresRelightFace": (RelightFace, "Relight Face"),
    "IlluresEditAlbedo": (EditAlbedo, "Edit Albedo"),
    "IlluresLightPreset": (LightPreset, "Face Light: Preset"),
    "IlluresLightDirection": (LightDirection, "Face Light: Direction"),
    "IlluresLightReference": (LightReference, "Face Light: Reference"),
    "IlluresLightHDRI": (LightHDRI, "Face Light: HDRI"),
}
NODE_CLASS_MAPPINGS = {name: node for name, (node, _) in _NODES.items()}
NODE_DISPLAY_NAME_MAPPINGS = {name: title for name, (_, title) in _NODES.items()}

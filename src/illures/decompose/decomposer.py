"""From a photo to decompositions: detect faces, crop them, run the network."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, overload, runtime_checkable

import numpy as np
from jaxtyping import Float

from illures import faces as _faces
from illures.decompose.decomposition import Decomposition
from illures.decompose.glow import without_glow, without_tinge
from illures.decompose.leaked_light import without_leaked_light
from illures.decompose.light_fit import with_fitted_light
from illures.decompose.smooth_light import with_fine_light, without_broad_shade
from illures.errors import InputError
from illures.io.photos import Opened, Photo, as_float, is_batch, to_opened
from illures.math.color import greyed, is_grey, srgb_to_linear
from illures.math.normals import normalize
from illures.types import Face, FaceCrop, Region

if TYPE_CHECKING:
    from illures.model.predictor import Prediction

# Smallest photo [px a side].
MIN_SIDE = 16
# Crops per run of the network: more is not faster on a CPU, and takes memory.
BATCH = 8


@runtime_checkable
class PredictorLike(Protocol):
    """The interface of a network for `Decomposer`: `illures.model.Predictor`, or a substitute."""

    size: int
    info: Any

    def __call__(
        self,
        images: Float[np.ndarray, "batch size size 3"],
        guides: Float[np.ndarray, "batch size size 3"],
        contexts: Float[np.ndarray, "batch 32 32 4"],
    ) -> list[Prediction]:
        """Maps of each crop; images sRGB-encoded in [0, 1], guides the normals of the face mesh, contexts of photos."""
        ...


class Decomposer:
    """Decomposes every face of a photo. Keeps no state between photos.

    Attributes:
        predictor: the network.
        size: side of the crops [px].
        find_faces: the face detector.
        is_grey: whether a crop has no colours.
    """

    def __init__(
        self,
        predictor: PredictorLike,
        size: int | None = None,
        find_faces: Callable[[Photo], list[Face]] | None = None,
        is_grey: Callable[[Float[np.ndarray, "size size 3"]], bool] = is_grey,
    ) -> None:
        """Create from a network that is already loaded.

        Args:
            predictor: the network.
            size: side of the crops [px]; default: what the network was trained on.
            find_faces: another face detector for sRGB photos; default: `illures.faces.find_faces`.
            is_grey: whether an sRGB crop has no colours, and gets grey maps.

        Raises:
            InputError: the network does not support this size.
        """
        self.predictor = predictor
        self.size = predictor.size if size is None else size
        if self.size % 16 or not 64 <= self.size <= 1024:
            raise InputError(f"size {self.size}: must be a multiple of 16 from 64 to 1024")
        self.find_faces = find_faces or _faces.find_faces
        self.is_grey = is_grey

    @classmethod
    def from_pretrained(
        cls, path: str | os.PathLike[str] | None = None, size: int | None = None, averaged: bool | None = None
    ) -> Decomposer:
        """Load the weights of the package, or of a file; nothing is downloaded.

        Args:
            path: a file, or a name of the package such as "illures-128"; None takes "illures-256".
            size: side of the crops [px]; default: what the network was trained on.
            averaged: whether the network sees each crop four times, framed in two ways and mirrored, and the results
                are averaged, which is more accurate and takes the network's time four times; default: for networks
                with a fine level.

        Raises:
            InputError: the file is missing or is not a weights file.
        """
        from illures.model.averaged import Averaged, for_photos
        from illures.model.predictor import Predictor

        predictor = Predictor.from_pretrained(None if path is None else os.fspath(path))
        if averaged is None:
            return cls(for_photos(predictor), size)
        return cls(Averaged(predictor) if averaged else predictor, size)

    @overload
    def __call__(self, image: Sequence[Any], name: str = ..., alpha: None = ...) -> list[list[Decomposition]]: ...
    @overload
    def __call__(
        self,
        image: str | os.PathLike[str] | np.ndarray | Any,
        name: str = ...,
        alpha: Float[np.ndarray, "height width"] | None = ...,
    ) -> list[Decomposition]: ...
    def __call__(
        self, image: Any, name: str = "image", alpha: Float[np.ndarray, "height width"] | None = None
    ) -> list[Decomposition] | list[list[Decomposition]]:
        """Find and decompose every face, largest first; an empty list where there is none.

        Transparent pixels count as background, outside the mask.

        Args:
            image: a path, a pillow image, an array [height, width] with 1, 3 or 4 channels (uint8, uint16, or float
                sRGB in [0, 1]), or a PyTorch tensor of such values, channels first or last. Several of them (a list, or
                an array or tensor with one more axis in front) give a list for each; their faces go through the network
                together.
            name: used in errors for an image that is not a path.
            alpha: in [0, 1], for one image without an alpha channel.

        Raises:
            InputError: an image can't be read or is too small.
        """
        if is_batch(image):
            return self._each([self._opened(one, f"{name} {k}") for k, one in enumerate(image, 1)])
        opened = self._opened(image, name)
        return self._each([opened if alpha is None else replace(opened, alpha=alpha)])[0]

    @staticmethod
    def _opened(image: Any, name: str) -> Opened:
        name = str(image) if isinstance(image, (str, os.PathLike)) else name
        opened = to_opened(image, name)
        height, width = opened.photo.shape[:2]
        if min(height, width) < MIN_SIDE:
            raise InputError(f"{name}: {width} x {height} pixels; must be at least {MIN_SIDE} a side")
        return opened

    def _each(self, images: list[Opened]) -> list[list[Decomposition]]:
        """The faces of each image; the crops of all images share batches."""
        prepared: list[tuple[int, _Input]] = []
        for k, opened in enumerate(images):
            photo = opened.photo
            found = self.find_faces(photo if photo.dtype == np.uint8 else _eight_bits(photo))
            if found:
                small = np.clip(as_float(_faces.thumbnail(photo)), 0, 1)
                prepared += [(k, self._input(opened, small, face)) for face in found]
        decomposed: list[list[Decomposition]] = [[] for _ in images]
        for first in range(0, len(prepared), BATCH):
            numbers, inputs = zip(*prepared[first : first + BATCH], strict=True)
            for k, face in zip(numbers, self._decompose(inputs), strict=True):
                decomposed[k].append(face)
        return decomposed

    def _input(self, opened: Opened, small: Float[np.ndarray, "32 32 3"], face: Face) -> _Input:
        photo = opened.photo
        crop = _faces.crop_face(face, photo.shape[:2], self.size)
        return _Input(
            image=np.clip(_faces.extract_float(photo, crop), 0, 1),
            landmarks=_faces.to_crop(crop.face.landmarks, crop),
            context=_faces.photo_context(small, photo.shape[:2], crop.matrix, crop.size),
            crop=crop,
            alpha=None if opened.alpha is None else _faces.extract(opened.alpha, crop),
        )

    def _decompose(self, inputs: Sequence[_Input]) -> list[Decomposition]:
        predictions = self.predictor(
            np.stack([one.image for one in inputs]),
            np.stack([_faces.guide_normals(one.landmarks, self.size) for one in inputs]),
            np.stack([one.context for one in inputs]),
        )
        exact = getattr(getattr(self.predictor.info, "config", None), "albedo", "direct") == "quotient"
        return [
            _face(one.image, one.landmarks, prediction, one.crop, one.alpha, exact, self.is_grey(one.image))
            for one, prediction in zip(inputs, predictions, strict=True)
        ]


@dataclass(frozen=True)
class _Input:
    """The inputs of the network for one face, and where the face is."""

    image: Float[np.ndarray, "size size 3"]
    landmarks: Float[np.ndarray, "478 3"]
    context: Float[np.ndarray, "32 32 4"]
    crop: FaceCrop
    alpha: Float[np.ndarray, "size size"] | None


def _face(
    image: Float[np.ndarray, "size size 3"],
    landmarks: Float[np.ndarray, "478 3"],
    prediction: Prediction,
    crop: FaceCrop,
    alpha: Float[np.ndarray, "size size"] | None,
    exact: bool,
    no_colours: bool,
) -> Decomposition:
    """The decomposition of a crop: the network's prediction, with the light fitted to the photo.

    Transparent pixels become background. Areas painted over with one colour become an object. A grey photo has grey
    albedo under grey light. Light that leaked into a quotient is removed.
    """
    linear = srgb_to_linear(image)
    if exact and prediction.regions is not None:
        albedo = without_leaked_light(linear, prediction.albedo, prediction.normal, prediction.regions, landmarks)
        albedo = without_tinge(linear, without_glow(albedo, prediction.regions), prediction.regions)
        albedo = without_broad_shade(albedo, prediction.regions)
        albedo = with_fine_light(linear, albedo, prediction.regions, landmarks)
        prediction = replace(prediction, albedo=albedo)
    if no_colours:
        grey = {name: greyed(getattr(prediction, name)) for name in ("albedo", "light", "residual")}
        prediction = replace(prediction, **grey)
    regions = prediction.regions
    mask = _faces.face_mask(image, landmarks) if regions is None else _faces.skin_mask(regions, landmarks)
    normal, painted = prediction.normal, _faces.painted_over(image, landmarks)
    if painted.any():  # a painted bar is not skin; its normals face the viewer
        mask, regions = _taken_out(mask, regions, painted, Region.OBJECT)
        normal = normalize(normal + painted[..., None] * (np.array([0, 0, 1], np.float32) - normal))
    if alpha is not None:
        mask, regions = _taken_out(mask, regions, np.clip(1 - alpha, 0, 1), Region.BACKGROUND)
    face = with_fitted_light(
        Decomposition(
            image=linear,
            albedo=prediction.albedo,
            normal=normal,
            light=prediction.light,
            residual=prediction.residual,
            mask=mask.astype(np.float32),
            crop=crop,
            regions=regions,
        ),
        exact=exact,
    )
    if not painted.any():
        return face
    colour = np.clip(face.image / np.maximum(face.shading, 1e-3), 0, 1)
    albedo = face.albedo + painted[..., None] * (colour - face.albedo)
    return replace(face, albedo=albedo, residual=face.image - albedo * face.shading)


def _taken_out(
    mask: Float[np.ndarray, "size size"],
    regions: Float[np.ndarray, "size size classes"] | None,
    share: Float[np.ndarray, "size size"],
    region: Region,
) -> tuple[Float[np.ndarray, "size size"], Float[np.ndarray, "size size classes"] | None]:
    """Remove a known share of each pixel from the mask, and assign it to another class."""
    if regions is not None:
        regions = regions * (1 - share[..., None])
        regions[..., region] += share
    return mask * (1 - share), regions


def _eight_bits(photo: Photo) -> Photo:
    """The 8-bit photo for the face detector; floats of a 16-bit photo would take four times the memory."""
    if photo.dtype == np.uint16:
        return (photo >> 8).astype(np.uint8)
    return np.round(np.clip(photo, 0, 1) * 255).astype(np.uint8)

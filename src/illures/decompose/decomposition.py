"""`Decomposition`: albedo, normal, light and residual of one face, the result that all commands share."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from illures.decompose.maps import Maps
from illures.errors import InputError
from illures.io.decoding import read_npz
from illures.io.files import write_whole
from illures.types import Face, FaceCrop, Region

if TYPE_CHECKING:
    from illures.decompose.tensors import FaceTensors

# Increased when the arrays of a saved file change their meaning.
FILE_VERSION = 2


@dataclass(frozen=True)
class Decomposition(Maps):
    """One face: `image = albedo ∘ shading(normal, light) + residual`, linear, in the frame of its crop.

    The crop may be rotated in the plane against the photo; `normal` and `light` are in the frame of the crop. The maps
    of the network reproduce the image approximately, those of `photo_resolution` exactly.

    Attributes:
        image: what the camera saw, in [0, 1].
        albedo: in [0, 1].
        normal: unit vectors, x right, y up, z toward the viewer.
        light: SH coefficients of the radiance of the environment (see `illures.math.sh`).
        residual: signed: cast shadow and occlusion below 0, highlight and bounce light above.
        mask: skin of face, ears and neck with eyes, lips, brows and beard, soft at its edges, in [0, 1].
        crop: where these pixels lie in the photo.
        regions: probabilities of the classes of `types.Region`; None where only the mask is known.
    """

    @property
    def head_rotation(self) -> Float[np.ndarray, "3 3"]:
        """Axes of the head (x to the face's left, y to its crown, z where it looks) as columns, in the maps' frame.

        `normal @ head_rotation` are the normals in the head's own frame.
        """
        from illures.faces import upright
        from illures.faces.atlas import head_axes

        return np.asarray(upright(self.crop).T @ head_axes(self.crop))

    def photo_resolution(self, photo: Any) -> Decomposition:
        """The same face at the photo's own resolution and upright as the photo is.

        The maps cover the smallest square of whole photo pixels around the crop (beyond the photo's edge, its mirror
        image); albedo keeps the photo's detail, and A ∘ f(N, L) + R is the linear photo.

        Args:
            photo: the photo that this came from: path, pillow image, or array as for `Decomposer`.

        Raises:
            InputError: the photo has another size.
        """
        from illures.decompose.full_resolution import at_photo_resolution
        from illures.io.photos import to_photo

        return at_photo_resolution(self, to_photo(photo))

    def to_torch(self, device: Any = None) -> FaceTensors:
        """The maps as PyTorch tensors, channels first.

        Args:
            device: where to put them; default: the CPU.

        Raises:
            InputError: PyTorch is not installed.
        """
        try:
            from illures.decompose.tensors import tensors_of
        except ImportError as error:
            raise InputError("torch: not installed; `pip install torch` for tensors") from error
        return tensors_of(self, device)

    def _repr_png_(self) -> bytes:
        """Preview for notebooks."""
        from illures.decompose.contact_sheet import face_sheet, png

        return png(face_sheet(self))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to one `.npz` file, whole or not at all; NumPy can read it.

        Raises:
            InputError: the file can't be written.
        """
        buffer = io.BytesIO()
        face = self.crop.face
        maps: dict[str, Any] = {name: getattr(self, name) for name in _MAPS}
        if self.regions is not None:
            maps["regions"] = self.regions
        np.savez(
            buffer,
            version=np.int64(FILE_VERSION),
            **maps,
            matrix=self.crop.matrix,
            photo_size=np.array(self.crop.photo_size, np.int64),
            landmarks=face.landmarks,
            score=np.float64(face.score),
        )
        write_whole(Path(path), buffer.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Decomposition:
        """Read what `save` wrote; every array comes back bit for bit.

        Raises:
            InputError: the file is missing, damaged, or not a decomposition.
        """
        return _from_arrays(read_npz(path), path)


_MAPS = ("image", "albedo", "normal", "light", "residual", "mask")


def _from_arrays(arrays: dict[str, np.ndarray], path: str | os.PathLike[str]) -> Decomposition:
    missing = {*_MAPS, "version", "matrix", "photo_size", "landmarks", "score"} - arrays.keys()
    if missing:
        raise InputError(f"{path}: not a saved decomposition, lacks {', '.join(sorted(missing))}")
    if arrays["version"].shape != () or arrays["version"] != FILE_VERSION:
        raise InputError(f"{path}: file version {arrays['version']}; this illures reads {FILE_VERSION}")
    size = len(np.atleast_1d(arrays["image"]))
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("image", "albedo", "normal", "residual"), (size, size, 3))
    shapes |= {
        "score": (),
        "light": (9, 3),
        "mask": (size, size),
        "matrix": (2, 3),
        "photo_size": (2,),
        "landmarks": (478, 3),
    }
    regions = arrays.get("regions")
    if regions is not None:
        shapes["regions"] = (size, size, len(Region))
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise InputError(f"{path}: {name} has shape {arrays[name].shape}; must be {shape}")
        if not np.isfinite(arrays[name]).all():
            raise InputError(f"{path}: {name} holds values that are no numbers")
    height, width = (int(v) for v in arrays["photo_size"])
    face = Face(landmarks=arrays["landmarks"], score=float(arrays["score"]))
    crop = FaceCrop(matrix=arrays["matrix"], size=size, photo_size=(height, width), face=face)
    return Decomposition(**{name: arrays[name] for name in _MAPS}, crop=crop, regions=regions)

"""SfSNet with its authors' weights (Sengupta et al., CVPR 2018), converted from Caffe by the user.

The folder holds `SfSNet.safetensors`, `.npz`, `.pth` or `.onnx`. Tensors are named as in the common PyTorch conversion
(Mannix1994/SfSNet-Pytorch: `conv1.weight`, `n_res1.bnr.running_mean`, …) or as Caffe's layers (`nconv1r.weight`,
`nbn1r.running_mean`, …, means and variances divided by Caffe's scale factor). An ONNX file takes 1 × 3 × 128 × 128
(BGR, [0, 1]) and gives normal, albedo and light in this order.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from illures.evaluate.benchmark import Estimate
from illures.evaluate.methods.folders import find_file, import_torch, load_weights, read_tensors
from illures.evaluate.methods.geometry import explain
from illures.evaluate.methods.query import Query, spread, spread_normals
from illures.faces import upright
from illures.io.onnx_runtime import onnx_runtime
from illures.math import sh
from illures.math.color import srgb_to_linear
from illures.math.normals import normalize

if TYPE_CHECKING:
    import torch

_SIZE = 128
# From an image to normal, albedo and light, as SfSNet gives them.
Run = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


def load(folder: Path) -> SfSNetRival:
    """Read the converted weights.

    Raises:
        InputError: the folder does not hold them.
    """
    path = find_file(folder, "*.safetensors", "*.npz", "*.pth", "*.onnx")
    return SfSNetRival(_run_onnx(path) if path.suffix == ".onnx" else _run_torch(path))


class SfSNetRival:
    """Normals, albedo and light; relights by a ratio of its own shadings.

    Its equation holds for gamma-encoded images: albedo is decoded afterwards, and the light is taken as it is.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def estimate(self, query: Query) -> Estimate:
        """As `Method`."""
        crop = query.crop(_SIZE)
        image = query.pixels(crop)[..., ::-1].transpose(2, 0, 1)[None]
        normal, albedo, light = self._run(np.ascontiguousarray(image, dtype=np.float32))
        turned = sh.rotate(sh.from_sfsnet(light.reshape(3, 9).T.astype(np.float64)), upright(crop))
        linear = srgb_to_linear(np.clip(_rgb(albedo), 0, 1))
        normals = spread_normals(from_sfsnet_frame(normalize(2 * _rgb(normal) - 1)), crop)
        return explain(query.photo, normals, turned.astype(np.float32), spread(linear, crop))


def from_sfsnet_frame(normal: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Vectors of SfSNet's frame (x down, y right, z to the viewer) in the camera's; `sh.from_sfsnet` is for lights."""
    return np.stack([normal[..., 1], -normal[..., 0], normal[..., 2]], axis=-1)


def torch_names(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Caffe's layer names as those of the PyTorch conversion; Caffe's batch norm has no weight and bias."""
    import torch

    found = {}
    for name, value in tensors.items():
        block = re.fullmatch(r"([na])(bn|conv)([1-5])(r?)\.(\w+)", name)
        found["{}_res{}.{}{}.{}".format(*block.group(1, 3, 2, 4, 5)) if block else name] = value
    for name, value in list(found.items()):
        if name.endswith(".running_var"):
            layer = name.removesuffix(".running_var")
            found.setdefault(f"{layer}.weight", torch.ones_like(value))
            found.setdefault(f"{layer}.bias", torch.zeros_like(value))
    return found


def _run_torch(path: Path) -> Run:
    torch = import_torch("sfsnet")
    from illures.evaluate.methods.sfsnet_network import SfSNet

    net = SfSNet()
    load_weights(net, torch_names(read_tensors(path)), path)

    def run(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        with torch.inference_mode():
            normal, albedo, light = (out[0].numpy() for out in net(torch.from_numpy(image)))
        return normal, albedo, light

    return run


def _run_onnx(path: Path) -> Run:
    ort = onnx_runtime()

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        normal, albedo, light = (np.asarray(out)[0] for out in session.run(None, {name: image})[:3])
        return normal, albedo, light

    return run


def _rgb(planes: Float[np.ndarray, "3 size size"]) -> Float[np.ndarray, "size size 3"]:
    return np.ascontiguousarray(planes.transpose(1, 2, 0)[..., ::-1])

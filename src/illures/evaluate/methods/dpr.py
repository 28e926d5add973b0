"""DPR, a portrait relighting network (Zhou et al., "Deep Single-Image Portrait Relighting", ICCV 2019).

The folder is their repository, or holds `trained_model_03.t7` (512 px) of its `trained_model/`: a PyTorch state dict.
DPR relights and estimates the light; it has no normals and no albedo.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from jaxtyping import Float

from illures.evaluate.benchmark import Estimate
from illures.evaluate.methods.folders import find_file, import_torch, load_weights, read_tensors
from illures.evaluate.methods.query import FFHQ_WIDER, Query, spread
from illures.faces import upright
from illures.math import sh
from illures.math.color import srgb_to_linear

if TYPE_CHECKING:
    import torch

_SIZE = 512
# First coefficient of their example lights (1.084) times the 0.7 that their demo scales them with: what it was tuned
# for.
_STRENGTH = 1.084 * 0.7


def load(folder: Path) -> DprRival:
    """Read the weights.

    Raises:
        InputError: the folder does not hold them.
    """
    path = find_file(folder, "trained_model_03.t7", "trained_model/trained_model_03.t7")
    return DprRival(read_tensors(path), path)


class DprRival:
    """Works on the lightness of CIE Lab; colours stay."""

    def __init__(self, tensors: dict[str, torch.Tensor], path: Path) -> None:
        self._torch = import_torch("dpr")
        from illures.evaluate.methods.dpr_network import Hourglass

        self._network = Hourglass()
        load_weights(self._network, tensors, path)

    def estimate(self, query: Query) -> Estimate:
        """As `Method`; framed as FFHQ and CelebA-HQ portraits are."""
        crop = query.crop(_SIZE, FFHQ_WIDER)
        lab = cv2.cvtColor(query.pixels(crop).astype(np.float32), cv2.COLOR_RGB2Lab)
        _, light = self._run(lab, to_dpr_strength(np.eye(1, 9)[0]))
        turn = upright(crop)

        def relight(target: np.ndarray) -> np.ndarray:
            lightness, _ = self._run(lab, to_dpr_strength(sh.to_dpr(sh.rotate(target.astype(np.float64), turn.T))))
            relit = np.concatenate([100 * lightness[..., None], lab[..., 1:]], axis=-1)
            return spread(srgb_to_linear(np.clip(cv2.cvtColor(relit, cv2.COLOR_Lab2RGB), 0, 1)), crop)

        return Estimate(light=sh.rotate(sh.from_dpr(light), turn).astype(np.float32), relight=relight)

    def _run(
        self, lab: Float[np.ndarray, "size size 3"], light: Float[np.ndarray, " 9"]
    ) -> tuple[Float[np.ndarray, "size size"], Float[np.ndarray, " 9"]]:
        """Lightness in [0, 1] under a light, and the light that the network sees in the photo."""
        torch = self._torch
        with torch.inference_mode():
            image = torch.from_numpy(np.ascontiguousarray(lab[None, None, ..., 0] / 100, dtype=np.float32))
            wanted = torch.from_numpy(light.astype(np.float32).reshape(1, 9, 1, 1))
            relit, seen = self._network(image, wanted)
        return relit[0, 0].numpy(), seen.numpy().reshape(9).astype(np.float64)


def to_dpr_strength(light: Float[np.ndarray, " 9"]) -> Float[np.ndarray, " 9"]:
    """A light of DPR's layout, scaled to the strength of its authors' examples."""
    return light * (_STRENGTH / max(float(light[0]), 1e-6))

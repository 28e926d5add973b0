"""The shape of a network, apart from the network, so that reading weights needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class NetworkConfig:
    """Everything that decides the shape of the network; stored in every weights file.

    Attributes:
        form: "published" is SfSNet as in the paper, "compact" costs a fifteenth of it or less.
        size: side of the aligned crop [px], 128 or 256.
        guide: take the normals that the landmarks tell (`faces.guide_normals`) as three more input channels,
            and as what the normals start from.
        width: channels of the finest level of the compact form.
        blocks: residual blocks of each stage of the compact form.
        detail_blocks: residual blocks at half the image's sides, where eyelids and lips are, in both branches of the
            compact form.
        residual_width: channels of IlluResNet's residual blocks.
        residual_blocks: how many.
    """

    form: Literal["published", "compact"] = "published"
    size: int = 128
    guide: bool = False
    width: int = 32
    blocks: int = 2
    detail_blocks: int = 0
    residual_width: int = 128
    residual_blocks: int = 3

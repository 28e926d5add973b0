"""Configuration of the network, separate from it, so that reading weights needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from illures.errors import InputError


@dataclass(frozen=True)
class NetworkConfig:
    """Architecture of the network; stored in every weights file.

    Attributes:
        form: "published" is SfSNet as in the paper, "compact" costs a fifteenth of it or less.
        albedo: "direct" predicts albedo and residual as in the paper; "quotient" predicts the illumination E, f(N, L)
            times a factor for shadow, bounce light and highlight, and albedo is the image over E.
        size: side of the aligned crop [px], 128 or 256.
        guide: use the normals from landmarks (`faces.guide_normals`) as three more input channels; predicted normals
            are added to them.
        context: use a thumbnail of the whole photo (`faces.context`), a cue for strength and colour of the light.
        regions: predict the class of each pixel (`types.Region`).
        gain: predict strength and colour of the light by a separate gain, from the whole crop and the context.
        tint: let the colour of E change with its brightness in the quotient form: skin is redder in shadow.
        width: channels of the finest level of the compact form.
        blocks: residual blocks of each stage of the compact form.
        detail_blocks: residual blocks at half the image's sides, where eyelids and lips are, in both branches of the
            compact form.
        fine_width: channels of a thin level at half the image's sides, over a compact body that works on the image at
            half its size; 0 for none. So a network of 256 px has the body of one of 128 px, and can start from it.
        residual_width: channels of IlluResNet's residual blocks.
        residual_blocks: how many.
    """

    form: Literal["published", "compact"] = "published"
    albedo: Literal["direct", "quotient"] = "direct"
    size: int = 128
    guide: bool = False
    context: bool = False
    regions: bool = False
    gain: bool = False
    tint: bool = False
    width: int = 32
    blocks: int = 2
    detail_blocks: int = 0
    fine_width: int = 0
    residual_width: int = 128
    residual_blocks: int = 3

    def __post_init__(self) -> None:
        """Raise an InputError for impossible combinations."""
        if self.tint and self.albedo != "quotient":
            raise InputError('tint = true: needs albedo = "quotient"')
        if self.form == "published" and (
            self.albedo != "direct" or self.context or self.regions or self.gain or self.fine_width
        ):
            rule = 'albedo = "direct", no context, regions, gain or fine_width'
            raise InputError(f'form = "published" is the paper\'s: {rule}')

    @property
    def body_size(self) -> int:
        """Side of the image that the body works on [px]."""
        return self.size // 2 if self.fine_width else self.size

"""Shapes of networks that are small enough for tests."""

from dataclasses import replace

from illures.model import NetworkConfig
from illures.model.alignnet import AlignConfig

COMPACT = NetworkConfig("compact", guide=True, width=8, residual_width=32, residual_blocks=1)
DETAILED = replace(COMPACT, detail_blocks=2)
QUOTIENT = replace(DETAILED, albedo="quotient", context=True, regions=True)
FINE = replace(QUOTIENT, size=256, fine_width=8)
ALIGN_ALBEDO = AlignConfig("albedo", size=32, width=8, blocks=1)

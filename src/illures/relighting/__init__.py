"""Relight faces: lights and their sources, shading and shadows, compositing into the photo.

Call order: `batch` -> `sources` -> `exposure`; then `composite` -> `weight`, `surface` -> `shading`, `shadows` ->
`depth`. Lights: `recognise` -> `sources` -> `light` -> `presets`, `lamps`.
May import `decompose` and what is below it.
"""

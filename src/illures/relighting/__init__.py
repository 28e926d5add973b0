"""Relight faces: lights and their sources, shading and shadows, compositing into the photo.

Call order: `recognise` -> `sources` -> `light` -> `presets`, `lamps`; then `batch` -> `composite` -> `weight`,
`surface` -> `shadows` -> `depth`; for each light `sources` -> `exposure`, and `composite` -> `shading`.
May import `decompose` and what is below it.
"""

"""Relight faces: lights and their sources, shading and shadows, compositing into the photo.

Call order: `batch` -> `sources` -> `composite` -> `relight` -> `shading`, `shadows`, `light`.
May import `decompose` and what is below it.
"""

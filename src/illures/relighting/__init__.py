"""Faces under another light: lights and where they come from, what they do to a face, and back into the photo.

The way down: `batch` -> `sources` -> `composite` -> `relight` -> `shading`, `shadows`, `light`.
May import `decompose` and what is below it.
"""

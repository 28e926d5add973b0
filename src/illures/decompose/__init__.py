"""Decompose a photo into albedo, normal, light and residual of each face, and write these to files.

Call order: `batch` -> `reading` -> `decomposer` -> `leaked_light`, `glow`, `light_fit` -> `decomposition`; then
`folder` -> `map_files` -> `photo_maps` -> `extent` -> `full_resolution` -> `fields`.
May import `model`, `faces`, `jobs`, `io` and what is below them.
"""

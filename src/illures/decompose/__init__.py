"""A photo to albedo, normal, light and residual of each face, and these to files.

The way down: `batch` -> `decomposer` -> `light_fit`, `full_resolution` -> `decomposition`; `folder` writes.
May import `model`, `faces`, `jobs`, `io` and what is below them.
"""

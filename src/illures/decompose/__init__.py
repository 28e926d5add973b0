"""Decompose a photo into albedo, normal, light and residual of each face, and write these to files.

Call order: `batch` -> `decomposer` -> `light_fit`, `full_resolution` -> `decomposition`; `folder` writes.
May import `model`, `faces`, `jobs`, `io` and what is below them.
"""

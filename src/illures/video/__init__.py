"""Clips: read, tracked, decomposed in a temporally stable way, shown as maps or relit, and written.

Call order: `make` -> `read`, `stabilize`, `render`, `write`, `remux`.
May import `relighting`, `decompose` and what is below them.
"""

"""Clips: read, tracked, held stable along the face, shown as maps or under another light, and written.

The way down: `make` -> `read`, `stabilize`, `render`, `write`, `remux`.
May import `relighting`, `decompose` and what is below them.
"""

"""Albedo and normals edited by hand or by name, and lit again as the photo was.

The way down: `batch` -> `edit` -> `retouch`.
May import `relighting`, `decompose` and what is below them.
"""

"""Clips: read, tracked, decomposed in a temporally stable way, shown as maps or relit, and written.

Call order: `make` -> `run` -> `frames`, `render`, `write`, `remux`. `frames` calls `read` and `stabilize` (-> `memory`,
`recall`); `render` calls `overlay` and `grid`.
May import `relighting`, `decompose` and what is below them.
"""

"""The studio's server: `app` answers requests, `worker` decodes and computes in a process of its own.

The way down: `app` -> `worker` -> `workbench` -> `pack`, `export`, `facemaps`.
May import `relighting`, `video` and what is below them.
"""

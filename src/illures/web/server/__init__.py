"""The studio's server: `app` answers requests, `worker` decodes and computes in a process of its own.

Call order: `app`, `rest` -> `worker` (another process) -> `workbench` -> `pack`, `export`, `restwork` -> `facemaps`.
May import `relighting`, `video` and what is below them.
"""

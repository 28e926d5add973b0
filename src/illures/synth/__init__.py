"""Synthetic faces: heads, skin, accessories, lighting, the renderer. The only place that imports mitsuba.

Call order: `generate` -> `render_jobs` -> `renderer` -> `heads` -> `accessories`, `skin`.
May import `data`, `jobs`, `decompose` (for contact sheets) and what is below them.
"""

"""A head under its lights, path traced by Mitsuba: scene, light transport, denoising, one view of a set.

A view is traced once and lit many times.
May import every other part of `synth` but what starts it (`generate`, `render_jobs`, `ray_jobs`).
"""

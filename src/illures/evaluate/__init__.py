"""Measuring: metrics, benchmarks, rival methods behind one interface, reports.

The way down: `session` -> `runner` -> `benchmarks`, `methods` -> `scoring` -> `metrics`.
May import `synth`, `data`, `video` and what is below them.
"""

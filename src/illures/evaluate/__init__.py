"""Evaluation: metrics, benchmarks, methods (ours and rivals) behind one interface, reports.

Call order: `session` -> `runner` -> `benchmarks`, `methods` -> `scoring` -> `metrics`.
May import `synth`, `data`, `video` and what is below them.
"""

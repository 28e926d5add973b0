"""The report of a run: an HTML page with plots and pictures, and the figures as small files.

Reads the files of `evaluate.results`.
May import `evaluate.results`, `evaluate.compare` and the metrics.
"""

"""What a run shows: an HTML page with its plots and pictures, and the figures as small files.

Reads what `evaluate.results` stores.
May import `evaluate.results`, `evaluate.compare` and the metrics.
"""

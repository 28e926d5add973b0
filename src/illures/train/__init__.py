"""Training: recipes, the data loader, augmentation, losses, the loop.

The way down: `run` -> `loop` -> `learner`, `data_loader`, `validate` -> `cost` -> `losses`, `consistency`.
May import `data`, `model`, the metrics of `evaluate` and what is below them.
"""

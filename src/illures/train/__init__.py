"""Training: recipes, the data loader, augmentation, losses, the loop.

Call order: `run` -> `loop` -> `learner`, `data_loader`, `validate` -> `cost` -> `losses`, `consistency`.
May import `data`, `model`, the metrics of `evaluate` and what is below them.
"""

"""Pre-training of AlignNets: its recipe, its pairs of views and its loop.

Call order: `run` -> `training` -> `pairs`, `recipe`.
May import the rest of `train`.
"""

"""Pure functions on arrays: spherical harmonics, normals, colour. Nothing here imports the rest of illures.

Every function takes numpy arrays and torch tensors alike (array API), keeps dtype and device, and is differentiable.
"""

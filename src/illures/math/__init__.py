"""Pure functions on arrays: spherical harmonics, normals, colour, hole filling, the quotient of image and illumination.

Functions take NumPy arrays or PyTorch tensors, and return the same kind.
Imports nothing else of illures.
"""

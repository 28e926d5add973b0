"""Pure functions on arrays: spherical harmonics, normals, colour, filling in, the quotient of image and light.

Numpy arrays and torch tensors go in and come out alike.
Imports nothing else of illures.
"""

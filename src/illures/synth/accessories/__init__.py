"""Accessories and occluders: hair, hats, glasses, eyelashes; hands and objects before the face.

`outfit` samples them for one person; all are triangle meshes of `primitives` and `shells`.
May import `synth.skin`.
"""

"""Procedural skin over the UV layout of a head: tone, details, displacement, make-up, facial hair, clothes.

`procedural` puts the layers together.
Imports no other part of `synth`.
"""

"""Procedural skin over the UV layout of a head: tone, details, displacement, make-up, facial hair, clothes.

`procedural` combines the layers.
Imports no other part of `synth`.
"""

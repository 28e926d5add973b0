"""Head models and the people made of them: shape, expression, dense landmarks, and a painted head.

A model is a class with an `Anatomy` and a `Shape`; `models` lists them, `person` makes heads for rendering.
May import `synth.accessories`, `synth.skin`, `synth.sets`.
"""

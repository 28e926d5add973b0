"""Head models and the people made of them: shape, expression, dense landmarks, and a painted head.

A model is a class that gives an `Anatomy` and a `Shape`; `models` lists them, `person` makes a head to be rendered.
May import `synth.accessories`, `synth.skin`, `synth.sets`.
"""

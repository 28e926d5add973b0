"""What people wear on their heads and hold before them: hair, hats, glasses, eyelashes, occluders.

`outfit` draws them for one person; all are triangle meshes of `primitives` and `shells`.
May import `synth.skin`.
"""

"""Run by Blender's Python: renders the tree and says what the mesh and the layers are. Not a test by itself."""

import importlib.util
import sys
from pathlib import Path

import bpy

exr, glb, out, script = map(Path, sys.argv[-4:])
spec = importlib.util.spec_from_file_location("relight", script)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.build(exr, (1.0, 0.0, 0.5), 0.2)
scene = bpy.context.scene
scene.render.engine = "CYCLES"
scene.cycles.samples = 1
scene.cycles.device = "CPU"
scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 512, 512, 100
scene.render.image_settings.media_type = "IMAGE"
scene.render.image_settings.file_format = "OPEN_EXR"
scene.render.image_settings.color_depth = "32"
scene.render.filepath = str(out)
bpy.ops.render.render(write_still=True)
image = bpy.data.images.load(str(exr))
print("COLORSPACE", image.colorspace_settings.name)
before = set(bpy.data.objects)
bpy.ops.import_scene.gltf(filepath=str(glb))
(mesh,) = [o for o in bpy.data.objects if o not in before and o.type == "MESH"]
textures = sum(node.type == "TEX_IMAGE" for node in mesh.data.materials[0].node_tree.nodes)
print("MESH", len(mesh.data.polygons), textures, round(max(mesh.dimensions), 4))

"""A compositor tree in Blender that relights a face from the EXR of `illures decompose PHOTO -o NAME.exr`.

In Blender: Scripting, open this file, call build(). From a shell: blender --python relight.py -- NAME.exr. The tree is
photo + matte * (albedo * (ambient + (1 - ambient) * max(normal . lamp, 0)) - photo); lamp and ambient are values of its
nodes. Blender 5.0 and later; earlier ones lack the tree's place in the scene.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy


def build(exr: Path, lamp: tuple[float, float, float] = (0.6, 0.4, 0.7), ambient: float = 0.25) -> Any:
    """Make the tree, give it to the scene, and set the scene to the picture's size.

    Args:
        exr: one file of layers.
        lamp: direction toward the lamp: x right, y up, z toward the viewer.
        ambient: share of light from all around.
    """
    scene = bpy.context.scene
    tree = bpy.data.node_groups.new("illures relight", "CompositorNodeTree")
    scene.compositing_node_group = tree
    tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    picture = tree.nodes.new("CompositorNodeImage")
    picture.image = bpy.data.images.load(str(exr))
    layers = picture.outputs

    def vector(operation: str, *inputs: Any, output: str = "Vector") -> Any:
        return _node(tree, "ShaderNodeVectorMath", operation, inputs).outputs[output]

    def math(operation: str, *inputs: Any) -> Any:
        return _node(tree, "ShaderNodeMath", operation, inputs).outputs[0]

    length = sum(v * v for v in lamp) ** 0.5
    facing = math("MAXIMUM", vector("DOT_PRODUCT", layers["normal"], [v / length for v in lamp], output="Value"), 0.0)
    shading = math("MULTIPLY_ADD", facing, 1 - ambient, ambient)
    relit = vector("MULTIPLY", layers["albedo"], shading)
    photo = layers["Combined"]
    change = vector("MULTIPLY", vector("SUBTRACT", relit, photo), layers["matte"])
    out = tree.nodes.new("NodeGroupOutput")
    tree.links.new(vector("ADD", photo, change), out.inputs[0])
    scene.render.use_compositing = True
    return tree


def _node(tree: Any, kind: str, operation: str, inputs: tuple[Any, ...]) -> Any:
    node = tree.nodes.new(kind)
    node.operation = operation
    for socket, value in zip(node.inputs, inputs, strict=False):
        if isinstance(value, (float, int, list)):
            socket.default_value = value
        else:
            tree.links.new(value, socket)
    return node


if __name__ == "__main__" and "--" in sys.argv:
    build(Path(sys.argv[sys.argv.index("--") + 1]).resolve())

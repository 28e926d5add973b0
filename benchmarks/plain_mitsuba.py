"""What `transport.py` is measured against: the same head in a plain Mitsuba scene, rendered by its path integrator.

Mesh, textures, camera, sampler, emitter sampling and integrator are Mitsuba's own; the reflection model, which it does
not have, is a plugin, so that both sides render the same scene. Parts with opacity are not supported: `path` sends no
shadow rays through them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from illures.synth import lighting
from illures.synth.renderer import kernels
from illures.synth.renderer.scene import Surface, View

DEPTH = 4  # counts as Mitsuba does, with the way from the surface to the light: three surface points
_FINER = 4  # Mitsuba interpolates its map; small steps keep our piecewise constant one


class PlainScene:
    """A Mitsuba scene of a view, lit anew for each environment.

    Args:
        surface: opaque, in the camera frame.
        view: the camera.
    """

    def __init__(self, surface: Surface, view: View) -> None:
        """Load meshes, textures and camera."""
        mi = kernels.start()
        if not surface.opaque:
            raise ValueError("surface: Mitsuba's path integrator takes transparent parts for opaque in shadow rays")
        mi.register_bsdf("head", _bsdf_class(mi))
        self._scene = mi.load_dict(
            {
                "type": "scene",
                "integrator": {"type": "path", "max_depth": DEPTH, "rr_depth": 99, "hide_emitters": True},
                "sensor": _sensor(view),
                "emitter": {"type": "envmap", "bitmap": mi.Bitmap(_finer(np.ones((128, 256, 3), np.float32)))},
                **{f"part{k}": _mesh(mi, surface, k) for k in range(len(surface.parts))},
            },
            parallel=False,
        )
        self._parameters = mi.traverse(self._scene)

    def set_light(self, radiance: Float[np.ndarray, "128 256 3"]) -> None:
        """Replace the environment."""
        mi = kernels.start()
        finer = _finer(radiance)
        # The first column is repeated, as Mitsuba does when it loads a map.
        self._parameters["emitter.data"] = mi.TensorXf(np.concatenate([finer, finer[:, :1]], axis=1))
        self._parameters.update()

    def render(self, samples: int, seed: int) -> Float[np.ndarray, "size size 3"]:
        """Path trace with this many samples a pixel; background is 0."""
        mi = kernels.start()
        return np.array(mi.render(self._scene, spp=samples, seed=seed))


def _finer(radiance: Float[np.ndarray, "128 256 3"]) -> Float[np.ndarray, "rows columns 3"]:
    """Texels as blocks; Mitsuba's map starts where ours has its middle."""
    turned = np.roll(radiance, lighting.WIDTH // 2, axis=1)
    return np.repeat(np.repeat(turned, _FINER, axis=0), _FINER, axis=1)


def _sensor(view: View) -> dict[str, Any]:
    """The view's similarity from pixels to rays as field of view, principal point and roll."""
    mi = kernels.start()
    matrix, shift = view.plane[:, :2], view.plane[:, 2]
    scale, roll = np.hypot(matrix[0, 0], matrix[1, 0]), np.arctan2(matrix[1, 0], matrix[0, 0])
    # In the image plane of a camera that is rolled back, pixels are only scaled and shifted.
    back = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    centre = scale * (view.size - 1) / 2 + back @ shift
    offset = centre / (scale * view.size)
    upright = mi.ScalarTransform4f().look_at(origin=[0, 0, 0], target=[0, 0, -1], up=[0, 1, 0])
    return {
        "type": "perspective",
        "fov": float(np.rad2deg(2 * np.arctan(scale * view.size / 2))),
        "principal_point_offset_x": float(offset[0]),
        "principal_point_offset_y": float(offset[1]),
        "to_world": mi.ScalarTransform4f().rotate([0, 0, 1], -float(np.rad2deg(roll))) @ upright,
        "film": {
            "type": "hdrfilm",
            "width": view.size,
            "height": view.size,
            "rfilter": {"type": "box"},
            "pixel_format": "rgb",
            "component_format": "float32",
        },
        "sampler": {"type": "independent"},
    }


def _mesh(mi: Any, surface: Surface, part: int) -> Any:
    """One part with its texture."""
    first, columns, rows = surface.parts[part, :3].astype(int)
    texels = surface.texels[first : first + rows * columns].reshape(rows, columns, 8)
    chosen = surface.part == part
    used, triangles = np.unique(surface.triangles[chosen], return_inverse=True)
    bsdf = mi.load_dict(
        {
            "type": "head",
            "albedo": _texture(mi, texels[..., :3]),
            "bump": _texture(mi, texels[..., 4:7]),
            "alpha": max(float(surface.parts[part, 3]), 0.02),
            "f0": 0.08 * float(surface.parts[part, 4]),
        }
    )
    bsdf.slopes = mi.Float(surface.slopes[chosen].ravel())
    properties = mi.Properties()
    properties["bsdf"] = bsdf
    count = len(triangles.ravel()) // 3
    mesh = mi.Mesh(f"part{part}", len(used), count, properties, has_vertex_normals=True, has_vertex_texcoords=True)
    parameters = mi.traverse(mesh)
    parameters["vertex_positions"] = mi.Float(surface.vertices[used].ravel())
    parameters["vertex_normals"] = mi.Float(surface.normals[used].ravel())
    # Mitsuba's textures have v down.
    parameters["vertex_texcoords"] = mi.Float((surface.uv[used] * [1, -1] + [0, 1]).astype(np.float32).ravel())
    parameters["faces"] = mi.UInt32(triangles.astype(np.uint32).ravel())
    parameters.update()
    return mesh


def _texture(mi: Any, values: Float[np.ndarray, "rows columns 3"]) -> dict[str, Any]:
    bitmap = mi.Bitmap(np.ascontiguousarray(values))
    return {"type": "bitmap", "bitmap": bitmap, "raw": True, "filter_type": "nearest", "wrap_mode": "clamp"}


def _bsdf_class(mi: Any) -> type:
    """Our reflection model as a Mitsuba plugin; the class can only be made once a variant is chosen."""
    import drjit as dr

    class HeadBsdf(mi.BSDF):
        def __init__(self, properties: Any) -> None:
            mi.BSDF.__init__(self, properties)
            self._albedo, self._bump = properties["albedo"], properties["bump"]
            self._alpha, self._f0 = mi.Float(properties["alpha"]), mi.Float(properties["f0"])
            self.slopes = mi.Float(0)  # of each triangle, set by `_mesh`
            sides = mi.BSDFFlags.FrontSide | mi.BSDFFlags.BackSide
            self.m_flags = mi.BSDFFlags.DiffuseReflection | mi.BSDFFlags.GlossyReflection | sides
            self.m_components = [self.m_flags]

        def _at(self, si: Any, active: Any) -> kernels.Bsdf:
            """Of the surface point, in its own shading frame."""
            bump = self._bump.eval_3(si, active)
            du, dv = (dr.gather(mi.Vector3f, self.slopes, si.prim_index * 2 + k, active) for k in range(2))
            normal = si.sh_frame.to_local(dr.normalize(si.sh_frame.n - bump.y * du - bump.z * dv))
            behind = dr.dot(si.n, si.to_world(si.wi)) < 0
            albedo = mi.Color3f(self._albedo.eval_3(si, active))
            return kernels.Bsdf(dr.select(behind, -normal, normal), albedo, self._alpha, self._f0)

        def sample(self, ctx: Any, si: Any, sample1: Any, sample2: Any, active: Any) -> tuple[Any, Any]:
            bsdf = self._at(si, active)
            drawn = mi.BSDFSample3f()
            drawn.wo, weight = kernels.sample(bsdf, si.wi, sample1, sample2)
            drawn.pdf = kernels.evaluate(bsdf, si.wi, drawn.wo)[1]
            drawn.eta = 1.0
            drawn.sampled_type, drawn.sampled_component = mi.UInt32(+self.m_flags), mi.UInt32(0)
            return drawn, weight & active

        def eval(self, ctx: Any, si: Any, wo: Any, active: Any) -> Any:
            return self.eval_pdf(ctx, si, wo, active)[0]

        def pdf(self, ctx: Any, si: Any, wo: Any, active: Any) -> Any:
            return self.eval_pdf(ctx, si, wo, active)[1]

        def eval_pdf(self, ctx: Any, si: Any, wo: Any, active: Any) -> tuple[Any, Any]:
            value, density = kernels.evaluate(self._at(si, active), si.wi, wo)
            return value & active, density & active

    return HeadBsdf

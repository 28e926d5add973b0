"""Mitsuba / Dr.Jit kernels: start-up, ray intersection, sampling and evaluation of the BSDF.

The reflection model is Lambert plus a GGX lobe on top, f = albedo / pi + F D G / (4 cos cos), with Schlick's F and
F0 = 0.08 · specular (Burley 2012). The Lambert part is not dimmed by F, so that a convex matt head obeys
I_g = albedo · irradiance / pi exactly.
"""

from __future__ import annotations

import glob
import os
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from illures.errors import InputError
from illures.synth.renderer.scene import Surface

_SPECULAR_SHARE = 0.15  # share of directions sampled from the specular lobe
_EPS = 5e-5  # offset of ray origins above the surface [m]
_LAYERS = 12  # largest number of transparent surfaces that a ray crosses


def start(threads: int = 0) -> Any:
    """Import Mitsuba's LLVM variant; `threads` 0 leaves the number to Dr.Jit. Returns the module.

    Raises:
        InputError: mitsuba, or the LLVM library that it compiles with, is not installed.
    """
    if "DRJIT_LIBLLVM_PATH" not in os.environ and (library := _find_llvm()):
        os.environ["DRJIT_LIBLLVM_PATH"] = library
    try:
        import drjit as dr
        import mitsuba as mi
    except ImportError as error:
        raise InputError(f"mitsuba: {error}; rendering needs `pip install illures[synth]`") from error
    if mi.variant() != "llvm_ad_rgb":
        try:
            mi.set_variant("llvm_ad_rgb")
            dr.eval(mi.Float([1.0]) + 1)
        except Exception as error:
            raise InputError(
                f"LLVM: {str(error).rstrip('.')}; install karellen-llvm-core or set DRJIT_LIBLLVM_PATH"
            ) from error
    if threads:
        dr.set_thread_count(threads)
    return mi


def device() -> tuple[Any, Any]:
    """The modules drjit and mitsuba, started; imported late, as they are slow to import and an extra."""
    mi = start()
    import drjit as dr

    return dr, mi


def _find_llvm() -> str | None:
    """LLVM where the PyPI package karellen-llvm-core puts it; None leaves the search to Dr.Jit."""
    found = sorted(glob.glob(os.path.join(sys.prefix, "lib", "libLLVM*.so*")), key=len)
    return found[0] if found else None


@dataclass(frozen=True)
class Bsdf:
    """BSDF of surface points, Dr.Jit arrays. `normal` is bumped and faces the viewer's side."""

    normal: Any
    albedo: Any
    alpha: Any
    f0: Any


@dataclass(frozen=True)
class Hit:
    """Surface points, Dr.Jit arrays. `geometric_normal` is the triangle's; it faces the viewer's side."""

    valid: Any
    point: Any
    geometric_normal: Any
    mask: Any
    region: Any
    bsdf: Bsdf


class Geometry:
    """A surface on the device: ray intersection by Embree, materials by texel lookups."""

    def __init__(self, surface: Surface) -> None:
        """Upload the arrays and build the ray tracer's tree."""
        _, mi = device()
        self._opaque = surface.opaque
        mesh = mi.Mesh("head", vertex_count=len(surface.vertices), face_count=len(surface.triangles))
        parameters = mi.traverse(mesh)
        parameters["vertex_positions"] = mi.Float(surface.vertices.ravel())
        parameters["faces"] = mi.UInt32(surface.triangles.astype(np.uint32).ravel())
        parameters.update()
        self._scene = mi.load_dict({"type": "scene", "mesh": mesh}, parallel=False)
        self._triangles = mi.UInt32(surface.triangles.astype(np.uint32).ravel())
        self._positions = mi.Float(surface.vertices.ravel())
        self._normals = mi.Float(surface.normals.ravel())
        self._uv = mi.Float(surface.uv.ravel())
        self._part = mi.UInt32(surface.part.astype(np.uint32))
        self._parts = [mi.Float(np.ascontiguousarray(column)) for column in surface.parts.T]
        self._first = mi.UInt32(surface.parts[:, 0].astype(np.uint32))
        self._texels = [mi.Float(np.ascontiguousarray(half).ravel()) for half in np.split(surface.texels, 2, axis=1)]
        self._slopes = mi.Float(surface.slopes.ravel())

    def hit(self, origin: Any, direction: Any, active: Any) -> Hit:
        """The nearest surface points along rays; transparent texels pass a ray with a probability."""
        dr, mi = device()
        found = self._nearest(origin, direction, active)
        if not self._opaque:
            found = self._through(found, origin, direction, active)
        distance, primitive, b1, b2 = found
        valid = active & (distance < dr.inf)
        corners = dr.gather(mi.Vector3u, self._triangles, primitive, valid)
        p = [dr.gather(mi.Point3f, self._positions, corners[k], valid) for k in range(3)]
        n = [dr.gather(mi.Normal3f, self._normals, corners[k], valid) for k in range(3)]
        b0 = 1 - b1 - b2
        face = dr.normalize(dr.cross(p[1] - p[0], p[2] - p[0]))
        behind = dr.dot(face, direction) > 0
        part, texel = self._locate(primitive, corners, b0, b1, b2, valid)
        color = dr.gather(mi.Vector4f, self._texels[0], texel, valid)
        bump = dr.gather(mi.Vector4f, self._texels[1], texel, valid)
        du = dr.gather(mi.Vector3f, self._slopes, primitive * 2, valid)
        dv = dr.gather(mi.Vector3f, self._slopes, primitive * 2 + 1, valid)
        normal = dr.normalize(n[0] * b0 + n[1] * b1 + n[2] * b2) - bump.y * du - bump.z * dv
        specular = dr.gather(mi.Float, self._parts[4], part, valid)
        bsdf = Bsdf(
            normal=dr.normalize(dr.select(behind, -normal, normal)),
            albedo=mi.Color3f(color.x, color.y, color.z),
            alpha=dr.maximum(dr.gather(mi.Float, self._parts[3], part, valid), 0.02),
            f0=0.08 * specular,
        )
        point = p[0] * b0 + p[1] * b1 + p[2] * b2
        return Hit(valid, point, dr.select(behind, -face, face), color.w, bump.w, bsdf)

    def shadowed(self, origin: Any, direction: Any, active: Any) -> Any:
        """Whether rays from points along `direction` are occluded."""
        dr, mi = device()
        if self._opaque:
            return self._scene.ray_test(mi.Ray3f(origin, direction), active)
        found = self._through(self._nearest(origin, direction, active), origin, direction, active)
        return found[0] < dr.inf

    def _nearest(self, origin: Any, direction: Any, active: Any) -> tuple[Any, Any, Any, Any]:
        dr, mi = device()
        found = self._scene.ray_intersect_preliminary(mi.Ray3f(origin, direction), coherent=False, active=active)
        distance = dr.select(active & found.is_valid(), found.t, dr.inf)
        return distance, found.prim_index, found.prim_uv.x, found.prim_uv.y

    def _through(self, found: Any, origin: Any, direction: Any, active: Any) -> tuple[Any, Any, Any, Any]:
        """Go on through texels whose opacity loses against a random number; `distance` is from the last start."""
        dr, mi = device()

        def clear(distance: Any, primitive: Any, b1: Any, b2: Any) -> Any:
            valid = active & (distance < dr.inf)
            corners = dr.gather(mi.Vector3u, self._triangles, primitive, valid)
            _, texel = self._locate(primitive, corners, 1 - b1 - b2, b1, b2, valid)
            # Random numbers hashed from the position need no generator state in the loops.
            bits = [dr.reinterpret_array(mi.UInt32, value) for value in (b1, b2)]
            chance = mi.sample_tea_float32(bits[0] ^ primitive, bits[1], 4)
            return valid & (dr.gather(mi.Vector4f, self._texels[1], texel, valid).x <= chance)

        def body(distance: Any, primitive: Any, b1: Any, b2: Any, at: Any, going: Any, count: Any) -> tuple[Any, ...]:
            beyond = at + direction * (distance + _EPS)
            at = dr.select(going, beyond, at)
            nearest = self._nearest(at, direction, going)
            kept = zip(nearest, (distance, primitive, b1, b2), strict=True)
            distance, primitive, b1, b2 = (dr.select(going, new, old) for new, old in kept)
            going = going & clear(distance, primitive, b1, b2)
            return distance, primitive, b1, b2, at, going & (count < _LAYERS), count + 1

        state = (*found, mi.Point3f(origin), clear(*found), mi.UInt32(0))
        return dr.while_loop(state, lambda *s: s[5], body)[:4]

    def _locate(self, primitive: Any, corners: Any, b0: Any, b1: Any, b2: Any, valid: Any) -> tuple[Any, Any]:
        """Part and nearest texel; pixels average over many samples, so that finer filtering would not show."""
        dr, mi = device()
        t = [dr.gather(mi.Point2f, self._uv, corners[k], valid) for k in range(3)]
        uv = t[0] * b0 + t[1] * b1 + t[2] * b2
        part = dr.gather(mi.UInt32, self._part, primitive, valid)
        columns, rows = (dr.gather(mi.Float, self._parts[k], part, valid) for k in (1, 2))
        column = mi.UInt32(dr.clip(uv.x * columns, 0, columns - 1))
        row = mi.UInt32(dr.clip((1 - uv.y) * rows, 0, rows - 1))
        return part, dr.gather(mi.UInt32, self._first, part, valid) + row * mi.UInt32(columns) + column


def above(hit: Hit) -> Any:
    """Origin of a ray that leaves a surface point."""
    return hit.point + hit.geometric_normal * _EPS


def evaluate(bsdf: Bsdf, toward: Any, outgoing: Any) -> tuple[Any, Any]:
    """Reflection · cosine from `outgoing` to `toward` (both away from the surface), and `sample`'s density."""
    dr, mi = device()
    frame = mi.Frame3f(bsdf.normal)
    wi, wo = frame.to_local(toward), frame.to_local(outgoing)
    cosine = dr.maximum(wo.z, 0)
    both = (wi.z > 1e-3) & (wo.z > 0) & (bsdf.f0 > 0)
    m = dr.normalize(wi + wo)
    lobe = mi.MicrofacetDistribution(mi.MicrofacetType.GGX, bsdf.alpha, True)
    # Schlick's fifth power falls from 1 at grazing angles to F0.
    fresnel = bsdf.f0 + (1 - bsdf.f0) * (1 - dr.clip(dr.dot(wo, m), 0, 1)) ** 5
    specular = dr.select(both, fresnel * lobe.eval(m) * lobe.G(wi, wo, m) / (4 * dr.maximum(wi.z, 1e-3)), 0)
    share = dr.select((bsdf.f0 > 0) & (wi.z > 1e-3), _SPECULAR_SHARE, 0)
    half = dr.select(both, lobe.pdf(wi, m) / (4 * dr.maximum(dr.dot(wo, m), 1e-4)), 0)
    return bsdf.albedo * (cosine / dr.pi) + specular, (1 - share) * cosine / dr.pi + share * half


def sample(bsdf: Bsdf, toward: Any, choice: Any, point: Any) -> tuple[Any, Any]:
    """Draw a direction from the mixture of cosine and visible-normal densities; returns it and its weight."""
    dr, mi = device()
    frame = mi.Frame3f(bsdf.normal)
    wi = frame.to_local(toward)
    glossy = (bsdf.f0 > 0) & (wi.z > 1e-3) & (choice < _SPECULAR_SHARE)
    lobe = mi.MicrofacetDistribution(mi.MicrofacetType.GGX, bsdf.alpha, True)
    m = lobe.sample(wi, point)[0]
    mirrored = 2 * dr.dot(wi, m) * m - wi
    local = dr.select(glossy, mirrored, mi.warp.square_to_cosine_hemisphere(point))
    direction = frame.to_world(local)
    value, density = evaluate(bsdf, toward, direction)
    return direction, dr.select((local.z > 0) & (density > 1e-9), value / dr.maximum(density, 1e-9), 0)


def texel_of(direction: Any, height: int, width: int) -> Any:
    """Index of the environment texel in a direction; the layout is that of `math.sh.directions`."""
    dr, mi = device()
    theta = dr.acos(dr.clip(direction.y, -1, 1))
    phi = dr.atan2(-direction.x, direction.z)
    phi = dr.select(phi < 0, phi + 2 * dr.pi, phi)
    row = dr.minimum(mi.UInt32(theta * (height / dr.pi)), height - 1)
    return row * width + dr.minimum(mi.UInt32(phi * (width / (2 * dr.pi))), width - 1)


def stratified(samples: int) -> Float[np.ndarray, "samples 5"]:
    """Points spread evenly over [0, 1)^5: Hammersley with bases 2, 3, 5 and the golden ratio."""
    k = np.arange(samples)
    columns = [_radical_inverse(k, 3), _radical_inverse(k, 5), (k * 0.6180339887) % 1, (k + 0.5) / samples]
    return np.stack([*columns, _radical_inverse(k, 2)], axis=1).astype(np.float32)


def _radical_inverse(k: np.ndarray, base: int) -> np.ndarray:
    total, digit = np.zeros(len(k)), 1.0 / base
    while k.any():
        total, k, digit = total + (k % base) * digit, k // base, digit / base
    return total

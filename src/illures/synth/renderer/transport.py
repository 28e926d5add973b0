"""Global illumination of one view, traced once and lit many times.

Paths start at the camera and go on by sampling the reflection alone until they leave the scene. Each stores its
throughput and the environment texel that it hits, so that the image under any environment is a lookup:
I_g(pixel) = mean over paths of throughput · environment[texel]. Lamps and the sun are too bright for that: they
are removed from the lookup and sampled with shadow rays. Their indirect light stays in the lookup, blurred.
The scene lies in the camera frame (x right, y up, z toward the viewer), the camera at its origin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8, UInt32

from illures.synth.lighting import HEIGHT, WIDTH, Environment, Lamps
from illures.synth.renderer import kernels
from illures.synth.renderer.scene import Surface, View
from illures.types import Region

_FIRST_RAYS = 16  # shadow rays that decide whether a pixel is in a penumbra
_FIREFLY = 8.0  # largest throughput; larger values on skin are sampling noise


@dataclass(frozen=True)
class Guides:
    """Features of the primary hits, box-filtered over each pixel.

    Attributes:
        albedo: diffuse reflectance of the surface in the pixel; 0 where there is none.
        normal: shading normal, unit length; 0 where there is no surface.
        mask: more than half of the pixel shows face.
        coverage: share of the pixel that shows any surface, in [0, 1].
        region: `types.Region` that fills most of the pixel.
    """

    albedo: Float[np.ndarray, "size size 3"]
    normal: Float[np.ndarray, "size size 3"]
    mask: Bool[np.ndarray, "size size"]
    coverage: Float[np.ndarray, "size size"]
    region: UInt8[np.ndarray, "size size"]


class Transport:
    """The light transport of one view.

    Args:
        surface: everything the camera sees, in the camera frame.
        view: the camera.
        samples: paths per pixel.
        depth: largest number of surface points on a path: 1 is direct light, 3 adds two bounces.
        seed: of the random numbers; equal seeds give equal images.

    Attributes:
        guides: albedo, normal and mask, from the primary rays of the same paths.
    """

    def __init__(self, surface: Surface, view: View, samples: int = 96, depth: int = 3, seed: int = 0) -> None:
        """Trace all paths; see the class. Depth 0 traces only the guides."""
        dr, mi = kernels.device()
        self._size, self._samples, self._seed = view.size, samples, seed
        # Values that change between views are opaque, or each view would compile its own kernels.
        self._plane = [dr.opaque(mi.Float, float(value)) for value in view.plane.ravel()]
        self._geometry = kernels.Geometry(surface)
        self._points: tuple[int, list[Any]] | None = None
        self._sequence = mi.Float(kernels.stratified(samples).ravel())
        self._covered = dr.arange(mi.UInt32, view.size**2)
        self.guides = self._trace(depth)
        self._covered = mi.UInt32(np.flatnonzero(self.guides.coverage))

    def light(self, environment: Environment, shadow_samples: int = 48) -> Float[np.ndarray, "size size 3"]:
        """The surfaces under an environment: linear radiance times `guides.coverage`.

        Args:
            environment: smooth part, blurred part for bounced light, and lamps.
            shadow_samples: shadow rays per pixel towards the lamps.
        """
        dr, mi = kernels.device()
        table = np.zeros((2, HEIGHT * WIDTH, 4), np.float32)
        table[0, :, :3] = environment.smooth.reshape(-1, 3)
        table[1, :, :3] = environment.bounced.reshape(-1, 3)
        texels = mi.Float(table.ravel())

        def term(path: Any) -> Any:
            radiance = dr.gather(mi.Vector4f, texels, dr.gather(mi.UInt32, self._texel, path))
            return radiance * dr.gather(mi.Vector4f, self._throughput, path)

        image = self._mean(term, self._samples)[..., :3]
        if environment.lamps is not None:
            image = image + self._light_lamps(environment.lamps, shadow_samples)
        return image

    def _trace(self, depth: int) -> Guides:
        """Trace every path, keep texels and throughputs; returns the guides."""
        dr, mi = kernels.device()
        origin, direction, stratum, rng, lane = self._primary(self._samples)
        hit = self._geometry.hit(origin, direction, mi.Bool(True))
        seen = dr.select(hit.valid, 1.0, 0.0)
        first = mi.Vector4f(*hit.bsdf.albedo, 1.0) * seen
        second = mi.Vector4f(*hit.bsdf.normal, hit.mask) * seen
        seen_maps = [self._store(first, lane), self._store(second, lane)]
        if depth > 0:
            outgoing, weight = kernels.sample(hit.bsdf, -direction, stratum[0], mi.Point2f(stratum[1], stratum[2]))
            throughput, self._texel = self._follow(hit, outgoing, weight, rng, depth)
            self._throughput = self._store(mi.Vector4f(*throughput, 0), lane)
            dr.eval(self._throughput, self._texel)
        dr.eval(seen_maps)
        # Region 0 is the background.
        regions = mi.UInt32(dr.select(hit.valid, hit.region, 0)).numpy().reshape(self._samples, self._size, -1)
        maps = (self._mean(partial(dr.gather, mi.Vector4f, seen), self._samples) for seen in seen_maps)
        first, second = maps
        return _guides(first, second, _most(regions))

    def _follow(self, hit: Any, outgoing: Any, weight: Any, rng: Any, depth: int) -> tuple[Any, Any]:
        """Continue paths until they escape: throughput (0 if they do not) and texel (second table after a bounce)."""
        dr, mi = kernels.device()

        def body(
            point: Any, going: Any, throughput: Any, escaped: Any, texel: Any, outgoing: Any, rng: Any, count: Any
        ) -> Any:
            hit = self._geometry.hit(point, outgoing, going)
            away = going & ~hit.valid
            escaped = dr.select(away, throughput, escaped)
            table = dr.select(count > 1, mi.UInt32(HEIGHT * WIDTH), mi.UInt32(0))
            texel = dr.select(away, kernels.texel_of(outgoing, HEIGHT, WIDTH) + table, texel)
            going = going & hit.valid & (count < depth)
            # After the first hit, surfaces count as diffuse: highlights of highlights are not worth the time.
            local = mi.warp.square_to_cosine_hemisphere(mi.Point2f(rng.next_float32(), rng.next_float32()))
            following = mi.Frame3f(hit.bsdf.normal).to_world(local)
            throughput = dr.select(going, throughput * hit.bsdf.albedo, throughput)
            point = dr.select(going, kernels.above(hit), point)
            outgoing = dr.select(going, following, outgoing)
            return point, going, throughput, escaped, texel, outgoing, rng, count + 1

        zero = mi.Color3f(0) * hit.mask
        weight = mi.Color3f(dr.select(hit.valid, weight, 0))
        state = (kernels.above(hit), hit.valid, weight, zero, mi.UInt32(0), outgoing, rng, mi.UInt32(1))
        final = dr.while_loop(state, lambda *s: s[1], body)
        return dr.minimum(final[3], _FIREFLY), final[4]

    def _light_lamps(self, lamps: Lamps, samples: int) -> Float[np.ndarray, "size size 3"]:
        """Direct light of the lamps, by shadow rays from primary points of their own."""
        dr, mi = kernels.device()
        points = self._shadow_points(samples)
        order = _nearby(lamps.direction)
        directions, radiances = (mi.Float(array[order].ravel()) for array in (lamps.direction, lamps.radiance))
        count = dr.opaque(mi.UInt32, len(lamps.direction))

        def body(k: Any, total: Any, lit: Any, dark: Any) -> tuple[Any, ...]:
            a, b, c = (dr.gather(mi.Vector4f, memory, k * self._size**2 + self._covered) for memory in points)
            bsdf = kernels.Bsdf(mi.Normal3f(b.x, b.y, b.z), mi.Color3f(c.x, c.y, c.z), b.w, c.w)
            chosen = dr.minimum(mi.UInt32(a.w * count), count - 1)
            toward = dr.gather(mi.Vector3f, directions, chosen)
            origin = mi.Point3f(a.x, a.y, a.z)
            value = kernels.evaluate(bsdf, dr.normalize(-origin), toward)[0]
            facing = dr.max(value) > 0
            # If the first rays agree, so would the others.
            traced = facing & ((k < _FIRST_RAYS) | ((lit > 0) & (dark > 0)))
            blocked = dr.select(traced, self._geometry.shadowed(origin, toward, traced), dark > lit)
            radiance = dr.gather(mi.Color3f, radiances, chosen)
            total = total + dr.select(facing & ~blocked, value * radiance, 0)
            lit, dark = lit + dr.select(traced & ~blocked, 1, 0), dark + dr.select(traced & blocked, 1, 0)
            return k + 1, total, lit, dark

        zero = dr.zeros(mi.UInt32, dr.width(self._covered))
        start = (zero, dr.zeros(mi.Color3f, dr.width(zero)), zero, zero)
        last = dr.opaque(mi.UInt32, samples)
        return self._image(dr.while_loop(start, lambda *s: s[0] < last, body)[1] / samples)

    def _shadow_points(self, samples: int) -> list[Any]:
        """New primary hits, kept in memory and shared by all lamps of all lights.

        Returns:
            four floats a point each: where shadow rays start and which lamp they go to, in [0, 1); normal and alpha;
            albedo and F0. Points off the surface are black.
        """
        dr, mi = kernels.device()
        if self._points is None or self._points[0] != samples:
            origin, direction, stratum, _, lane = self._primary(samples, salt=1)
            hit = self._geometry.hit(origin, direction, mi.Bool(True))
            seen = dr.select(hit.valid, 1.0, 0.0)
            start = dr.select(hit.valid, kernels.above(hit), direction)
            # Jittered within strata that come in one order: rays of neighbours go the same way, which is quicker.
            sequence = mi.Float(np.ascontiguousarray(kernels.stratified(samples)[:, 4]))
            base = dr.gather(mi.Float, sequence, lane // self._size**2)
            jitter = stratum[2] - base
            lamp = base + (jitter - dr.floor(jitter)) / samples
            bsdf = hit.bsdf
            values = (*start, lamp), (*bsdf.normal, bsdf.alpha), (*(bsdf.albedo * seen), bsdf.f0 * seen)
            points = [self._store(mi.Vector4f(*value), lane) for value in values]
            dr.eval(points)
            self._points = samples, points
        return self._points[1]

    def _primary(self, samples: int, salt: int = 0) -> tuple[Any, Any, list[Any], Any, Any]:
        """Camera rays, sample-major; the next three stratified numbers of each; random numbers; ray index."""
        dr, mi = kernels.device()
        pixels = self._size**2
        lane = dr.arange(mi.UInt32, pixels * samples)
        pixel, order = lane % pixels, lane // pixels
        seed = dr.opaque(mi.UInt64, self._seed * 2 + salt)
        rng = mi.PCG32(size=pixels * samples, initstate=seed)
        # One offset a pixel turns the shared points into different ones (Cranley and Patterson 1976).
        offsets = mi.PCG32(size=pixels, initstate=seed + 0x5EED)
        sequence = self._sequence if samples == self._samples else mi.Float(kernels.stratified(samples).ravel())
        numbers = []
        for k in range(5):
            value = offsets.next_float32()
            dr.eval(value)
            value = dr.gather(mi.Float, value, pixel) + dr.gather(mi.Float, sequence, order * 5 + k)
            numbers.append(value - dr.floor(value))
        x = mi.Float(pixel % self._size) + numbers[0] - 0.5
        y = mi.Float(pixel // self._size) + numbers[1] - 0.5
        a, b, c, d, e, f = self._plane
        direction = dr.normalize(mi.Vector3f(a * x + b * y + c, -(d * x + e * y + f), -1.0))
        return mi.Point3f(0, 0, 0), direction, numbers[2:], rng, lane

    def _store(self, value: Any, lane: Any) -> Any:
        """Four floats a path, side by side in memory, so that they are read back at once."""
        dr, mi = kernels.device()
        memory = dr.empty(mi.Float, dr.width(lane) * 4)
        dr.scatter(memory, value, lane)
        return memory

    def _mean(self, term: Callable[[Any], Any], samples: int) -> Float[np.ndarray, "size size channels"]:
        """Mean of `term(path)` over the paths of each covered pixel."""
        dr, mi = kernels.device()

        def body(k: Any, total: Any) -> tuple[Any, Any]:
            return k + 1, total + term(k * self._size**2 + self._covered)

        count = dr.width(self._covered)
        last = dr.opaque(mi.UInt32, samples)
        start = (dr.zeros(mi.UInt32, count), dr.zeros(mi.Vector4f, count))
        return self._image(dr.while_loop(start, lambda k, total: k < last, body)[1] / samples)

    def _image(self, values: Any) -> Float[np.ndarray, "size size channels"]:
        """Values of the covered pixels, among zeros."""
        image = np.zeros((self._size**2, len(values)), np.float32)
        image[self._covered.numpy()] = values.numpy().T
        return image.reshape(self._size, self._size, -1)


def _nearby(direction: Float[np.ndarray, "samples 3"]) -> Int[np.ndarray, " samples"]:
    """An order of directions in which neighbours lie close together: along a Z curve over latitude and longitude."""
    angle = np.stack([np.arctan2(direction[:, 0], direction[:, 2]) / 2 + np.pi / 2, np.arccos(direction[:, 1])])
    cell = np.clip(angle * (256 / np.pi), 0, 255).astype(np.int64)
    bits = np.arange(8)
    curve = ((cell[:, :, None] >> bits & 1) << (2 * bits + np.array([[[0]], [[1]]]))).sum((0, 2))
    return np.argsort(curve, kind="stable")


def _most(regions: UInt32[np.ndarray, "samples size size"]) -> UInt8[np.ndarray, "size size"]:
    """The region that most samples of a pixel see; the first of equals."""
    counts = np.stack([(regions == region).sum(0) for region in Region])
    return counts.argmax(0).astype(np.uint8)


def _guides(
    albedo_coverage: Float[np.ndarray, "size size 4"],
    normal_mask: Float[np.ndarray, "size size 4"],
    region: UInt8[np.ndarray, "size size"],
) -> Guides:
    """Divide the averages over whole pixels by the share that shows a surface."""
    coverage = albedo_coverage[..., 3]
    some = (coverage > 0)[..., None]
    albedo = np.where(some, albedo_coverage[..., :3] / np.maximum(coverage, 1e-6)[..., None], 0)
    normal = normal_mask[..., :3]
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    normal = np.where(some & (length > 1e-6), normal / np.maximum(length, 1e-6), 0)
    return Guides(albedo.astype(np.float32), normal.astype(np.float32), normal_mask[..., 3] > 0.5, coverage, region)

"""Fit the small network that estimates the height map of a head (`illures.relighting.depth`).

    python scripts/fit_head_depth.py render VIEWS --people 200 --models makehuman ict=ict_head.npz
    python scripts/fit_head_depth.py train VIEWS -o src/illures/faces/weights/head_depth.onnx

`render` traces heads with hair, hats, glasses and clothes: the height of the head without its glasses in the crop's
frame, the height of the glasses, normals and classes, and what the package's network makes of a picture under a lamp
and even light. `train` minimises the absolute errors of heights and of their differences over 1 to 16 pixels, so that
steps stay sharp, on true and on estimated maps.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import torch
from jaxtyping import Bool, Float
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F

from illures import Decomposer
from illures.math.color import linear_to_srgb, luminance
from illures.math.normals import turn
from illures.relighting.depth import SIDE, features
from illures.relighting.light import Light
from illures.relighting.surface import smooth_on_hair
from illures.render import shade
from illures.synth.heads.expressions import random_expression
from illures.synth.heads.models import people
from illures.synth.heads.person import Person
from illures.synth.renderer import kernels
from illures.synth.renderer.first_hits import first_hits
from illures.synth.renderer.scene import merge, place
from illures.synth.renderer.transport import Transport
from illures.synth.renderer.views import random_pose
from illures.synth.sets import Recipe
from illures.types import Face, Region

SEED = 5_000_000
VIEWS = 1  # of a person
CHANNELS = (16, 32, 48, 64)
HELD_OUT = 24  # first people, for the figure of validation
BATCH, RATE = 8, 2e-3
_HAIR = 4  # of the maps
TRUE_MAPS = 0.35  # share of images with the renders' own maps


@dataclass(frozen=True)
class View:
    """One rendered head.

    Attributes:
        true, estimated: input of the network from the render's maps and from those of the package's network.
        height: of the head without glasses [sides of the map], from the mean over the face's skin; 0 where nothing is.
        known: where heights are.
        glasses: height of the glasses, likewise; 0 where none are.
    """

    true: Float[np.ndarray, "side side 13"]
    estimated: Float[np.ndarray, "side side 13"]
    height: Float[np.ndarray, "side side"]
    known: Bool[np.ndarray, "side side"]
    glasses: Float[np.ndarray, "side side"]


class HeadDepth(nn.Module):
    """A U-Net that corrects the mesh's height; input and output are channel last."""

    def __init__(self) -> None:
        super().__init__()
        c = CHANNELS
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.ReLU(), nn.Conv2d(b, b, 3, 1, 1), nn.ReLU())
            for a, b in zip((13, *c[:-1]), c, strict=True)
        )
        self.middle = nn.Sequential(nn.Conv2d(c[-1], c[-1], 3, 1, 1), nn.ReLU())
        self.whole = nn.Linear(c[-1], c[-1])
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a + b, b, 3, 1, 1), nn.ReLU()) for a, b in zip(c[:0:-1], c[-2::-1], strict=True)
        )
        self.few = nn.Conv2d(c[0], 8, 1)
        self.out = nn.Sequential(nn.Conv2d(8 + 13, 8, 3, 1, 1), nn.ReLU(), nn.Conv2d(8, 2, 3, 1, 1))

    def forward(self, maps: Float[Tensor, "n side side 13"]) -> Float[Tensor, "n side side 2"]:
        """Heights of the head and of glasses, in sides of the map."""
        seen = x = maps.permute(0, 3, 1, 2)
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
        x = self.middle(x)
        x = x + self.whole(x.mean((2, 3)))[:, :, None, None]
        for up, skip in zip(self.up, skips[-2::-1], strict=True):
            x = up(torch.cat([_doubled(x), skip], 1))
        change = self.out(torch.cat([_doubled(self.few(x)), seen], 1))
        # The mesh's height, corrected; glasses stand on the head.
        height = seen[:, 9:10] + 0.3 * torch.cumsum(change.float(), 1)
        return height.permute(0, 2, 3, 1)


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def main() -> None:
    """Render or train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("render")
    verb.add_argument("folder", type=Path)
    verb.add_argument("--people", type=int, default=200)
    verb.add_argument("--models", nargs="+", default=["makehuman"], help="as for `illures synth`")
    verb = verbs.add_parser("train")
    verb.add_argument("folder", type=Path)
    verb.add_argument("-o", "--out", type=Path, required=True)
    verb.add_argument("--minutes", type=float, default=30.0, help="on one core")
    verb.add_argument("--initial", type=Path, help="an ONNX file that this program wrote, to go on from")
    options = parser.parse_args()
    if options.verb == "render":
        render(options.folder, options.people, tuple(options.models))
    else:
        train(options.folder, options.out, options.minutes, options.initial)


def render(folder: Path, count: int, models: tuple[str, ...]) -> None:
    """Render people; those that are there already stay."""
    folder.mkdir(parents=True, exist_ok=True)
    kernels.start(threads=1)
    recipe = Recipe(identities=count, occluders=0.0, models=models, seed=SEED)
    make, decomposer = people(recipe), Decomposer.from_pretrained("illures-128")
    for person in range(count):
        path = folder / f"{person:04d}.npz"
        if path.exists():
            continue
        rng, who = np.random.default_rng([SEED, person]), make(person)
        views = [view for _ in range(VIEWS) if (view := _view(who, recipe, rng, decomposer)) is not None]
        stacked = {field.name: np.stack([getattr(view, field.name) for view in views]) for field in fields(View)}
        halved: dict[str, Any] = {k: v.astype(np.float16) if v.dtype != bool else v for k, v in stacked.items()}
        np.savez_compressed(path, **halved)
        print(f"{person + 1} of {count}", flush=True)


def _view(who: Person, recipe: Recipe, rng: np.random.Generator, decomposer: Decomposer) -> View | None:
    expression = random_expression(rng)
    head = who.head(expression)
    # The exact crop, as the network is shown one; `changed` adds the errors of landmarks.
    view = place(head.landmarks, random_pose(rng, recipe), SIDE)
    surface = merge(head, view)
    guides = Transport(surface, view, 16, depth=0, seed=int(rng.integers(2**30))).guides
    azimuth, elevation = map(float, np.clip(rng.normal([0, 20], [50, 25]), [-95, -40], [95, 80]))
    light = Light.from_direction(azimuth, elevation, ambient=float(rng.uniform(0.15, 0.7)), radius_deg=10)
    hits = first_hits(surface, view, [light.lamps[0].direction])
    normal = turn(guides.normal, view.to_crop_frame).astype(np.float32)
    covered, lit = guides.coverage[..., None], guides.albedo * _shading(normal, light, hits.visible[0], rng)
    gain = 0.3 * np.exp(rng.normal(0, 0.3)) / max(float(luminance(lit[guides.region == Region.SKIN].mean(0))), 1e-3)
    srgb = linear_to_srgb(np.clip(covered * lit * gain + (1 - covered) * _backdrop(rng), 0, 1)).astype(np.float32)
    landmarks = view.landmarks.astype(np.float32)
    decomposer.find_faces = lambda photo: [Face(landmarks, 1.0)]
    found = decomposer(srgb)[0]
    bare = hits.height
    if who.accessories.glasses is not None:
        bare = first_hits(merge(who.without_glasses().head(expression), view), view, []).height
    known = ~np.isnan(bare)
    normal[~known] = (0, 0, 1)
    true = features(normal, (guides.region[..., None] == np.arange(len(Region))).astype(np.float32), landmarks)
    skin = known & (true[..., 10] > 0.5) & (guides.region == Region.SKIN)
    if skin.sum() < 0.01 * SIDE**2 or found.regions is None:
        return None
    zero = bare[skin].mean()
    height = np.where(known, (bare - zero) / SIDE, 0)
    above = (guides.region == Region.GLASSES) & (hits.height > np.where(known, bare, -np.inf))
    glasses = np.where(above, (hits.height - zero) / SIDE, 0)
    seen = features(found.normal, found.regions, landmarks)
    return View(true, seen, height.astype(np.float32), known, glasses.astype(np.float32))


def _shading(normal: np.ndarray, light: Light, visible: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    lamp = light.lamps[0]
    facing = np.clip(normal @ lamp.direction.astype(np.float32), 0, None)
    seen = cv2.GaussianBlur(visible.astype(np.float32), (0, 0), float(rng.uniform(0.4, 2)))
    colour = np.exp(rng.normal(0, 0.15, 3)).astype(np.float32)
    return (shade(normal, light.ambient.astype(np.float32)) + (seen * facing)[..., None] * lamp.irradiance) * colour


def _backdrop(rng: np.random.Generator) -> Float[np.ndarray, "side side 3"]:
    """One colour, or patches."""
    patches = rng.uniform(0, 0.6, (5, 5, 3)).astype(np.float32) * (rng.random() < 0.6)
    smooth = cv2.resize(patches, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + rng.uniform(0, 0.8, 3), 0, 1).astype(np.float32)


def train(folder: Path, out: Path, minutes: float, initial: Path | None = None) -> None:
    """Train for some minutes on one core, and write the ONNX file."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng, net = np.random.default_rng(0), HeadDepth().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if initial is not None:
        stored = {value.name: numpy_helper.to_array(value) for value in onnx.load(str(initial)).graph.initializer}
        net.load_state_dict({name: torch.tensor(stored[name]) for name in net.state_dict()})
    held_out, views = load(folder)
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=1e-3)
    begin, step = time.monotonic(), 0
    while (passed := (time.monotonic() - begin) / 60 / minutes) < 1:
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 50) * max(0.01, (1 + np.cos(np.pi * passed)) / 2)
        loss = loss_of(net, [changed(views[rng.integers(len(views))], rng) for _ in range(BATCH)])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        step += 1
        if step % 200 == 0:
            print(f"{time.monotonic() - begin:.0f} s step {step}: {error_of(net, held_out)}", flush=True)
    print(f"{len(views)} views, {step} steps: {error_of(net, held_out)}")
    write(net, out)


def load(folder: Path) -> tuple[list[View], list[View]]:
    """Views of the first people, and of the others, with normals as relighting has them."""
    parts: tuple[list[View], list[View]] = ([], [])
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as stored:
            columns = {name: stored[name] for name in stored.files}
        for maps in (*columns["true"], *columns["estimated"]):
            maps[..., :3] = smooth_on_hair(maps[..., :3].astype(np.float32), maps[..., _HAIR].astype(np.float32))
        views = [View(**{name: column[k] for name, column in columns.items()}) for k in range(len(columns["known"]))]
        parts[int(path.stem) >= HELD_OUT].extend(views)
    return parts


def changed(view: View, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Input, heights, weight and weight of glasses of a view, mirrored, turned, with the errors that landmarks have."""
    maps = (view.true if rng.random() < TRUE_MAPS else view.estimated).astype(np.float32)
    targets = np.dstack([view.height, view.glasses, view.known, view.glasses != 0]).astype(np.float32)
    if rng.random() < 0.5:
        maps, targets = (np.ascontiguousarray(field[:, ::-1]) for field in (maps, targets))
        maps[..., [0, 11]] *= -1
    turned = cv2.Rodrigues(np.deg2rad(rng.normal(0, [3, 3, 1])))[0].astype(np.float32)
    maps[..., :3] = maps[..., :3] @ turned.T
    mesh = maps[..., 9] * np.exp(rng.normal(0, 0.08)) + maps[..., 11:] @ rng.normal(0, 0.06, 2).astype(np.float32)
    maps[..., 9] = mesh - (mesh * maps[..., 10]).sum() / max(float(maps[..., 10].sum()), 1.0)
    scale, shift = float(np.exp(rng.normal(0, 0.05))), rng.normal(0, 0.02, 2) * SIDE
    move = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]]) + (1 - scale) * SIDE / 2 * np.eye(3)[2]
    fields = np.moveaxis(np.dstack([maps[..., :11], targets]), -1, 0)
    moved = np.dstack([cv2.warpAffine(f, move, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE) for f in fields])
    moved[..., [9, 11, 12]] *= scale
    weights = (moved[..., 13:] > 0.99).astype(np.float32)
    return np.dstack([moved[..., :11], maps[..., 11:]]), moved[..., 11:13], weights[..., :1], weights[..., 1:]


def loss_of(net: HeadDepth, batch: list[tuple[np.ndarray, ...]]) -> Tensor:
    """Absolute errors of heights, and of the head's differences over 1 to 16 pixels along both axes."""
    maps, heights, known, worn = (
        torch.from_numpy(np.stack(fields).astype(np.float32)) for fields in zip(*batch, strict=True)
    )
    with torch.autocast("cpu", torch.bfloat16):
        found = net(maps)
    off = found.float() - heights
    head, glasses = off[..., :1], off[..., 1:]
    loss = (head.abs() * known).sum() / known.sum() + 0.1 * (glasses.abs() * worn).sum() / worn.sum().clamp(min=1)
    for reach in (1, 2, 4, 8, 16):
        for axis in (1, 2):
            first, second = (slice(None),) * axis + (slice(reach, None),), (slice(None),) * axis + (slice(-reach),)
            both = known[first] * known[second]
            loss = loss + 0.5 * ((head[first] - head[second]).abs() * both).sum() / both.sum()
    return loss


@torch.no_grad()
def error_of(net: HeadDepth, views: list[View]) -> str:
    """Mean absolute errors with the estimated maps [px of `SIDE`]: of the head, over 8 pixels, of glasses."""
    errors: list[list[float]] = [[], [], []]
    for view in views:
        found = net(torch.from_numpy(view.estimated.astype(np.float32))[None])[0].numpy()
        off, glasses = SIDE * (found[..., 0] - view.height), view.glasses != 0
        errors[0].append(float(np.abs(off)[view.known].mean()))
        both = view.known[8:] & view.known[:-8]
        errors[1].append(float(np.abs(off[8:] - off[:-8])[both].mean()))
        if glasses.any():
            errors[2].append(float(SIDE * np.abs(found[..., 1] - view.glasses)[glasses].mean()))
    head, over, glasses_error = (np.mean(each) if each else np.nan for each in errors)
    return f"error {head:.2f} px of {SIDE}, over 8 px {over:.2f}, glasses {glasses_error:.2f}"


def write(net: HeadDepth, out: Path) -> None:
    """The network as an ONNX file."""
    example: Any = (torch.zeros(1, SIDE, SIDE, 13),)
    torch.onnx.export(net.eval(), example, str(out), input_names=["maps"], output_names=["height"], dynamo=False)


if __name__ == "__main__":
    main()

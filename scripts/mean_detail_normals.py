"""Measure the mean detail normals of heads: what the landmark mesh lacks, over rendered sets with images.

    python scripts/mean_detail_normals.py SET ... [--model ict] [-o src/illures/faces/weights/relief.npz]

Of each view that a face is found in, the true normals minus those of the mesh, where the mesh faces the viewer and the
mask is whole, are turned to the head's own frame and laid out in the atlas of the mesh (`illures.faces.guide`). People
that training leaves to validation are left out here, too. The mean is made symmetric, since the sets' heads are not on
average. A head model made from scans has the detail of real people; `--model` takes the people of one model alone.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import numpy as np
from rich.progress import track

from illures.data.shards import ViewRecord, read_views, shard_paths
from illures.data.split import is_held_out
from illures.faces import atlas, find_face_in_crop, mesh_normals
from illures.io.files import write_whole
from illures.math.color import linear_to_srgb

TEXELS = 192
HELD_OUT = 0.05  # as in the recipes
FACING = 0.3  # least cosine of the mesh to the viewer
FEWEST = 5.0  # views that a texel needs, each counted by its cosine


def main() -> None:
    """Read, average, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--model", default="", help="head model, as its name begins in recipe.json; default: all")
    parser.add_argument("-o", "--output", type=Path, default=Path("src/illures/faces/weights/relief.npz"))
    options = parser.parse_args()
    total, weight, views = np.zeros((TEXELS, TEXELS, 3)), np.zeros((TEXELS, TEXELS, 1)), 0
    for shard in track([path for folder in options.sets for path in shard_paths(folder)]):
        models = json.loads((shard.parent / "recipe.json").read_text())["models"]
        for view in read_views([shard]):
            model = models[view.identity % len(models)]  # they take turns
            if is_held_out(view.identity, HELD_OUT) or not view.images or not model.startswith(options.model):
                continue
            found = detail_of(view)
            if found is not None:
                detail, share = found
                total, weight, views = total + share * detail, weight + share, views + 1
    mean = np.where(weight >= FEWEST, total / np.maximum(weight, 1e-9), 0)
    mean = (mean + mean[:, ::-1] * [-1, 1, 1]) / 2
    file = io.BytesIO()
    np.savez_compressed(file, relief=mean.astype(np.float16))
    write_whole(options.output, file.getvalue())
    print(f"{options.output}: mean of {views} views, {file.getbuffer().nbytes / 1024:.0f} KB")


def detail_of(view: ViewRecord) -> tuple[np.ndarray, np.ndarray] | None:
    """Detail normals and weight of each texel; None where no face is found in the view's first image."""
    image = np.clip(linear_to_srgb(np.clip(view.images[0], 0, 1)), 0, 1).astype(np.float32)
    face = find_face_in_crop(image)
    if face is None:
        return None
    points, size = face.landmarks, len(image)
    places = atlas.positions(points, TEXELS)
    maps = (view.normal, mesh_normals(points, size), view.mask.astype(np.float32))
    true, mesh, mask = (atlas.unwrap(field, places) for field in maps)
    facing = atlas.facing(points, TEXELS)
    share = facing * ((mask > 0.95) & (facing > FACING) & (np.linalg.norm(mesh, axis=-1) > 0.9))
    return (true - mesh) @ atlas.head_rotation(points), share[..., None]


if __name__ == "__main__":
    main()

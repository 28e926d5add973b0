"""Files of each kind of the corpus, decoded as the commands do."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from fuzz.corpus import SIZE


def read(name: str, path: Path) -> None:
    """Decode a file as the commands do; raises what that raises."""
    import numpy as np

    kind = name.partition(".")[0]
    if kind == "photo":
        from illures.io.photos import open_photo

        open_photo(path)
    elif kind == "map":
        from illures.io.environment_maps import load_hdri

        load_hdri(path)
    elif kind == "light":
        from illures.relighting.light import Light

        Light.from_json(path)
    elif kind == "weights":
        from illures.model import read_weights

        read_weights(path)
    elif kind == "recipe":
        from illures.train.recipe import load_recipe

        load_recipe(path)
    elif kind == "shard":
        from illures.data.shards import read_shards

        list(islice(read_shards([path]), 4))
    elif kind == "frames":
        from illures.data.frames import read_frame_shards

        list(islice(read_frame_shards([path]), 4))
    elif kind == "photos":
        _read_tar(path)
    elif kind == "edited":
        from illures.editing.edit import _read_map

        _read_map(path, np.zeros((*SIZE, 3), np.uint8))
    else:
        from illures.video.read import open_clip, read_frames

        open_clip(path)
        for _ in islice(read_frames(path), 20):
            pass


def _read_tar(path: Path) -> None:
    """Each photo of a tar; the first that is refused ends it."""
    from illures.errors import InputError
    from illures.io.photos import open_photo
    from illures.jobs.parts import items, plan
    from illures.jobs.ray_photos import named

    (part,), _ = plan([path], False, 8)
    with TemporaryDirectory() as folder:
        for item in items(part, Path(folder)):
            if isinstance(item.path, InputError):
                raise item.path
            try:
                open_photo(item.path)
            except InputError as error:
                raise InputError(named(error, item)) from error
        assert not list(Path(folder).iterdir())

"""`illures pack`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from illures.cli.app import OK, app, needs_extra
from illures.cli.options import CROP_SIZE, Cache, Output
from illures.errors import InputError
from illures.io.workfolder import WorkFolder


@app.command
def pack(
    data: list[Path],
    /,
    *,
    output: Output,
    size: Annotated[int, CROP_SIZE] = 128,
    limit: float = 60.0,
    cache: Cache = None,
) -> int:
    """Put synthetic sets into one small file of 8-bit crops, to train on another machine, such as one with a GPU.

    Needs the extra: pip install illures[train]. There, the file takes the place of the sets: illures train RECIPE FILE
    -o OUT.

    Parameters
    ----------
    data
        Folders of shards that `illures synth` wrote.
    output
        The file, named *.crops.
    limit
        Largest size of the file [MiB]; if the sets do not fit, the same share of people is left out of each.
    """
    with needs_extra("train", "packing"):
        from illures.data.pack import SUFFIX
        from illures.data.pack import pack as write
        from illures.data.synthetic import prepare
    if output.suffix != SUFFIX:
        raise InputError(f"{output}: a file of crops is named *{SUFFIX}")
    if limit <= 0:
        raise InputError(f"--limit {limit}: must be above 0")
    with WorkFolder("illures-pack-") as folder:
        count = write(prepare(data, cache or folder.path, size=size), output, int(limit * 2**20))
    print(f"{output}: {count} samples of {size} px, {output.stat().st_size / 2**20:.1f} MiB")
    return OK

"""`illures pack`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from illures.cli.app import OK, app
from illures.errors import InputError
from illures.io.workfolder import WorkFolder


@app.command
def pack(
    data: list[Path],
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    size: int = 128,
    limit: float = 60.0,
    cache: Path | None = None,
) -> int:
    """Put synthetic sets into one small file of 8-bit crops, to train on another machine, such as one with a GPU.

    Needs the extra: pip install illures[train]. There, the file stands for the sets: illures train RECIPE FILE -o OUT.

    Parameters
    ----------
    data
        Folders of shards that `illures synth` wrote.
    output
        The file, named *.crops.
    size
        Side of the crops [px]; that of the network which is to be trained.
    limit
        Largest size of the file [MiB]; where not all fits, people are left out of all sets alike.
    cache
        Folder for what is read of the sets, to be shared with `illures train --cache`; default: a temporary one.
    """
    try:
        from illures.data.pack import SUFFIX
        from illures.data.pack import pack as write
        from illures.data.synthetic import prepare
    except ImportError as error:
        raise InputError(f"{error.name}: not installed; packing needs `pip install illures[train]`") from error
    if output.suffix != SUFFIX:
        raise InputError(f"{output}: a file of crops is named *{SUFFIX}")
    if limit <= 0:
        raise InputError(f"--limit {limit}: must be above 0")
    with WorkFolder("illures-pack-") as folder:
        count = write(prepare(data, cache or folder.path, size=size), output, int(limit * 2**20))
    print(f"{output}: {count} samples of {size} px, {output.stat().st_size / 2**20:.1f} MiB")
    return OK

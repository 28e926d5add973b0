"""`illures decompose`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from illures.cli.app import BAD_INPUT, OK, Flag, app
from illures.cli.cluster import ClusterOptions, network
from illures.cli.options import FaceOptions, Json, NetworkSize, Output, Recursive, SkipExisting, Weights, reported
from illures.errors import InputError


@app.command
def decompose(
    photos: list[Path],
    /,
    *,
    output: Output,
    format: Literal["png", "png16", "exr", "exr32"] | None = None,
    exr_layers: Literal["one", "split"] = "one",
    colorspace: Literal["srgb-linear", "acescg"] = "srgb-linear",
    normals: Literal["opengl", "directx"] = "opengl",
    json: Json = False,
    weights: Weights = None,
    size: NetworkSize = None,
    crop_only: Annotated[bool, Flag] = False,
    maps: str | None = None,
    recursive: Recursive = False,
    faces: FaceOptions = FaceOptions(),  # noqa: B008 (frozen)
    skip_existing: SkipExisting = False,
    cluster: ClusterOptions = ClusterOptions(),  # noqa: B008 (frozen)
) -> int:
    """Decompose every face in every photo.

    Each photo gets the folder OUTPUT/NAME: maps of the photo's size, sheet.png to look at, and for each face a folder
    (face-1, face-2, ...) of maps of the crop's size with light.json, probe.png and face.json.

    Parameters
    ----------
    photos
        Photos, or folders of photos.
    output
        Folder for the results; created if missing. For one photo also a file: NAME.exr (all maps as layers), NAME.png
        (or jpg, tif, webp; the contact sheet), or NAME.glb (or obj; the largest face as a textured mesh).
    format
        png (default): 8 bits, to look at; png16, exr (half floats) and exr32 (floats): to compute with.
    exr_layers
        one: all maps as layers of one file, maps.exr. split: one file per map.
    colorspace
        Of EXR files: primaries and white.
    normals
        opengl: y up. directx: y down.
    crop_only
        Write only the maps of the crops; the maps of the photo's size take most of the time.
    maps
        Write only these maps, such as albedo,normal; default: albedo, normal, shading, residual, reconstruction, mask,
        matte (the person, soft) and regions (what each pixel shows; legend in photo.json).
    faces
        Which faces count.
    cluster
        Photos by the million.
    """
    from illures.cli import where
    from illures.io.files import check_writable
    from illures.io.inputs import expand

    faces.check()
    cluster.check(photos, output)
    names = _map_names(maps)
    sources, problems = ([], []) if cluster.ray else expand(photos, recursive)
    single = output if where.is_file(output) else None
    if single is not None:
        where.check_one(single, len(sources))
        where.check_decomposition(single, format, exr_layers)
        if maps is not None:
            _check_layers(single, maps, names)
    check_writable(where.parent_of(output))

    from illures.decompose.batch import decompose_all
    from illures.decompose.decomposer import Decomposer
    from illures.io.formats import Format

    kind = format or ("exr" if single is not None and single.suffix.lower() == ".exr" else "png")
    chosen = Format(kind, normals=normals, colorspace=colorspace, split=exr_layers == "split")
    report = reported(json, len(sources), problems)
    if cluster.ray:
        from illures.decompose.many import DecomposePhotos

        used = network(Decomposer.from_pretrained(weights, size), weights, size, faces)
        cluster.run(DecomposePhotos(used, chosen, crop_only, names), photos, recursive, output, report)
    elif sources:
        decomposer = Decomposer.from_pretrained(weights, size)
        faces.choose(decomposer)
        decompose_all(
            sources,
            output,
            report,
            decomposer,
            chosen,
            crop_only,
            skip_existing,
            names=names,
            single=single,
            workers=cluster.workers,
        )
    return OK if report.summary() else BAD_INPUT


def _map_names(maps: str | None) -> tuple[str, ...]:
    from illures.decompose.map_files import OUTPUTS

    if maps is None:
        return OUTPUTS
    names = tuple(name.strip() for name in maps.split(","))
    for name in names:
        if name not in OUTPUTS:
            raise InputError(f"--maps {maps}: {name!r} is none of {', '.join(OUTPUTS)}")
    return names


def _check_layers(single: Path, maps: str, names: tuple[str, ...]) -> None:
    """Raise an InputError for maps that one file can't hold."""
    if single.suffix.lower() != ".exr":
        raise InputError(f"--maps {maps}: {single} holds no maps; choose a folder or a .exr file")
    for name in names:
        if name == "reconstruction":
            raise InputError(f"--maps {maps}: {name} is no layer of {single}; choose a folder")

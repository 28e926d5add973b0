"""`illures decompose`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from illures.cli.app import BAD_INPUT, OK, Flag, app
from illures.cli.cluster import ClusterOptions, network
from illures.cli.options import (
    FaceOptions,
    Json,
    NetworkSize,
    NormalOptions,
    Output,
    Recursive,
    SkipExisting,
    Weights,
    reported,
)
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
    normals: NormalOptions = NormalOptions(),  # noqa: B008 (frozen)
    json: Json = False,
    weights: Weights = None,
    size: NetworkSize = None,
    crop_only: Annotated[bool, Flag] = False,
    maps: Annotated[str | None, Parameter(show_default=lambda _: "albedo,normal,shading,residual,matte")] = None,
    recursive: Recursive = False,
    faces: FaceOptions = FaceOptions(),  # noqa: B008 (frozen)
    skip_existing: SkipExisting = False,
    cluster: ClusterOptions = ClusterOptions(),  # noqa: B008 (frozen)
) -> int:
    """Decompose every face in every photo.

    Each photo gets the folder OUTPUT/NAME: sheet.png to look at, photo.json, maps of the photo's size (albedo, normal,
    shading, residual, matte), and for each face a folder (face-1, face-2, ...) with light.json and face.json.

    Parameters
    ----------
    photos
        Photos, or folders of photos.
    output
        Folder for the results; created if missing. For one photo also a file: NAME.exr (the maps as layers), NAME.png
        (or jpg, tif, webp; the contact sheet), or NAME.glb (or obj; the largest face as a textured mesh).
    format
        png (default): 8 bits, to look at; png16, exr (half floats) and exr32 (floats): to compute with.
    exr_layers
        one: the maps as layers of one file, maps.exr. split: one file per map.
    colorspace
        Of EXR files: primaries and white.
    normals
        How normals are stored.
    crop_only
        Write the maps of the crops, and none of the photo's size, which take most of the time.
    maps
        Write these, such as albedo,normal, instead of albedo,normal,shading,residual,matte (the person, soft). Also:
        mask (skin), regions (what each pixel shows; legend in photo.json), reconstruction, crop (the maps of each
        face's crop, too), probe (a ball under each light), or all.
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
        normals.check("maps: name a folder or a .exr file", single.suffix.lower() == ".exr")
        if maps is not None:
            _check_layers(single, maps, names)
    check_writable(where.parent_of(output))

    from illures.decompose.batch import decompose_all
    from illures.decompose.decomposer import Decomposer
    from illures.io.formats import SHADING_SCALE, Format

    kind = format or ("exr" if single is not None and single.suffix.lower() == ".exr" else "png")
    axes = normals.normals, normals.normal_space
    chosen = Format(kind, SHADING_SCALE, *axes, colorspace, exr_layers == "split")
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
    from illures.decompose.map_files import DEFAULT, OUTPUTS

    if maps is None:
        return DEFAULT
    names = tuple(name.strip() for name in maps.split(","))
    for name in names:
        if name not in (*OUTPUTS, "all"):
            raise InputError(f"--maps {maps}: {name!r} is none of {', '.join(OUTPUTS)}, all")
    if names == ("crop",):
        raise InputError(f"--maps {maps}: name the maps, too, such as --maps albedo,crop")
    return OUTPUTS if "all" in names else names


def _check_layers(single: Path, maps: str, names: tuple[str, ...]) -> None:
    """Raise an InputError for maps that one file can't hold."""
    from illures.decompose.map_files import OUTPUTS

    if single.suffix.lower() != ".exr":
        raise InputError(f"--maps {maps}: {single} holds no maps; choose a folder or a .exr file")
    for name in () if names == OUTPUTS else names:
        if name in ("reconstruction", "crop", "probe"):
            raise InputError(f"--maps {maps}: {name} is no layer of {single}; choose a folder")

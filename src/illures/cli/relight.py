"""`illures relight`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from illures.cli.app import BAD_INPUT, OK, app
from illures.cli.cluster import ClusterOptions, network
from illures.cli.options import (
    FaceOptions,
    Json,
    LightOptions,
    OptionalOutput,
    Recursive,
    Shadows,
    SkipExisting,
    Weights,
    reported,
)
from illures.errors import InputError

if TYPE_CHECKING:
    from illures.decompose.decomposer import Decomposer
    from illures.relighting.batch import Job
    from illures.relighting.sources import Source


@app.command
def relight(
    photos: list[Path],
    /,
    *,
    output: OptionalOutput = None,
    lights: LightOptions = LightOptions(),  # noqa: B008 (frozen)
    shadows: Shadows = True,
    residual: Literal["recompute", "keep", "drop"] = "recompute",
    background: Literal["keep", "match", "relight"] = "keep",
    strength: float = 1.0,
    format: Literal["jpg", "png", "png16", "exr"] | None = None,
    orbit: Path | None = None,
    orbit_size: int = 720,
    recursive: Recursive = False,
    faces: FaceOptions = FaceOptions(),  # noqa: B008 (frozen)
    skip_existing: SkipExisting = False,
    json: Json = False,
    weights: Weights = None,
    cluster: ClusterOptions = ClusterOptions(),  # noqa: B008 (frozen)
) -> int:
    """Relight the faces of photos, at the photos' own size.

    The strength of a light is set so that the face stays as bright as it was; --exposure changes that. --light all
    stands for all lights of `illures lights`.

    Parameters
    ----------
    photos
        Photos, or folders of photos.
    output
        NAME.jpg (or png, tif, webp, exr) for one photo under one light; else a folder, in which each photo gets the
        folder NAME with one picture for each light.
    lights
        The lights.
    residual
        recompute: replace old shadows and highlights by those of the new light. keep: keep the residual, in
        proportion to the shading. drop: only albedo times shading.
    background
        keep: leave clothes and background. match: give them the gain and the white balance of the new light.
        relight: as match, and clothes get the light's broad direction.
    strength
        Strength of the change, 0 to 1; 0 returns the photo.
    format
        Of the pictures in a folder: jpg (default) and png have 8 bits, png16 has 16, exr half floats.
    orbit
        Also write a video of a lamp that orbits the face: .mp4, .gif or .webp; for a single photo.
    orbit_size
        The longer side of that video in pixels.
    faces
        Which faces count.
    cluster
        Photos by the million.
    """
    from illures.cli import where
    from illures.io.files import check_writable
    from illures.io.inputs import expand

    _check(lights, orbit, output, strength)
    faces.check()
    cluster.check(photos, output)
    found, problems = ([], []) if cluster.ray else expand(photos, recursive)
    if orbit is not None:
        _check_orbit(orbit, orbit_size, len(found), on_cluster=cluster.ray is not None)
    if output is not None:
        check_writable(where.parent_of(output))

    from illures.decompose.decomposer import Decomposer
    from illures.relighting import sources
    from illures.relighting.batch import Job, relight_all

    decomposer = Decomposer.from_pretrained(weights)
    chosen = sources.distinct(lights.sources(decomposer))
    faces.choose(decomposer)
    report = reported(json, (len(found) if chosen else 0), problems)
    single = _single(output, len(found), chosen, format) if chosen and output and not cluster.ray else None
    job = Job(chosen, residual, background, lights.exposure, format or "jpg", strength, shadows, single)
    if chosen and output and cluster.ray:
        from illures.relighting.many import RelightPhotos

        used = RelightPhotos(network(decomposer, weights, None, faces), job)
        cluster.run(used, photos, recursive, output, report)
    elif chosen and output:
        relight_all(found, output, report, decomposer, job, skip_existing, cluster.workers)
    if orbit is not None and found:
        _write_orbit(found[0], orbit, orbit_size, decomposer, job)
        report.say(f"{found[0]}: light orbit -> {orbit}")
    return OK if report.summary() else BAD_INPUT


def _check(lights: LightOptions, orbit: Path | None, output: Path | None, strength: float) -> None:
    """Raise an InputError where options are missing or out of range."""
    if not (lights.light or orbit):
        raise InputError("no light: give --light (a name, AZIMUTH,ELEVATION, a file) or --orbit")
    if lights.light and output is None:
        raise InputError("no output: say with -o which file or folder the pictures are to go to")
    lights.check()
    if not 0 <= strength <= 1:
        raise InputError(f"strength {strength:g}: must be from 0 to 1")


def _single(output: Path, photos: int, lights: dict[str, Source], format: str | None) -> Path | None:
    """The one file that `-o` asks for; None where it asks for a folder."""
    from illures.cli import where

    if not where.is_file(output):
        return None
    if output.suffix.lower() in where.CLIPS:
        raise InputError(f"{output}: a clip; `--orbit {output}` makes one of a photo, `illures video` of a clip")
    where.check_one(output, photos, len(lights))
    where.check_format(output, format)
    return output


def _check_orbit(orbit: Path, size: int, photos: int, *, on_cluster: bool) -> None:
    from illures.relighting.orbit import check_orbit

    if on_cluster:
        raise InputError(f"{orbit}: an orbit is of a single photo; leave out --ray")
    check_orbit(orbit)
    if photos > 1:
        raise InputError(f"{orbit}: an orbit is of a single photo; {photos} were given")
    if not 64 <= size <= 4096:
        raise InputError(f"orbit size {size}: must be from 64 to 4096 pixels")


def _write_orbit(photo: Path, orbit: Path, size: int, decomposer: Decomposer, job: Job) -> None:
    from illures.relighting.orbit import write_orbit

    write_orbit(
        photo,
        orbit,
        decomposer,
        side=size,
        residual=job.residual,
        background=job.background,
        strength=job.strength,
        stops=job.stops,
    )

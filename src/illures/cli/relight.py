"""`illures relight`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from illures.cli.app import BAD_INPUT, OK, Flag, app
from illures.errors import InputError

Many = Parameter(consume_multiple=True, negative="")


@app.command
def relight(
    photos: list[Path],
    /,
    *,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    light: Annotated[list[str] | None, Many] = None,
    like: Annotated[list[Path] | None, Many] = None,
    keep_colour: Annotated[bool, Parameter(alias="--keep-color", negative="")] = False,
    hdri: Annotated[list[Path] | None, Many] = None,
    rotation: float = 0.0,
    direction: Annotated[list[str] | None, Parameter(negative="", allow_leading_hyphen=True)] = None,
    ambient: float = 0.2,
    radius: float = 6.0,
    json_light: Annotated[list[Path] | None, Many] = None,
    sh: Annotated[list[Path] | None, Many] = None,
    layout: Literal["illures", "sfsnet", "dpr"] = "illures",
    residual: Literal["recompute", "keep", "drop"] = "recompute",
    background: Literal["keep", "match", "relight"] = "keep",
    strength: float = 1.0,
    exposure: float = 0.0,
    format: Literal["jpg", "png", "png16"] = "jpg",
    orbit: Path | None = None,
    orbit_size: int = 720,
    skip_existing: Annotated[bool, Flag] = False,
    json: Annotated[bool, Flag] = False,
    weights: Path | None = None,
) -> int:
    """Put the faces of photos under other lights, at the photos' own size.

    Each photo gets the folder OUTPUT/NAME with one picture for each light. The strength of a light is set so that the
    face is as bright as it was; --exposure goes from there.

    Parameters
    ----------
    photos
        Photos, or folders of photos (their subfolders are not searched).
    output
        Folder for the results; made where it is missing.
    light
        Named lights, or "all"; `illures lights` lists and draws them.
    like
        Other photos: their faces' lights.
    keep_colour
        Take the directions of the lights of --like, and leave each photo the colour of its own.
    hdri
        Environment maps: .hdr, .exr or .npy, twice as wide as high.
    rotation
        Turns the maps about the vertical, in degrees; what lay behind the camera goes toward image right.
    direction
        A lamp at AZIMUTH,ELEVATION in degrees: 0,0 is the camera, 90,0 image right, 0,90 straight above.
        Write --direction=-45,30 where it begins with a minus. May be given several times.
    ambient
        With --direction: share of the light that comes from all around, 0 to 1.
    radius
        With --direction: angular radius of the lamp in degrees; larger is softer.
    json_light
        Lights as JSON: light.json of `illures decompose`, or saved from the studio.
    sh
        Files of spherical-harmonic coefficients: numbers as text, or .npy.
    layout
        Of the files of --sh; docs/conventions.md has the three.
    residual
        recompute: old shadows and highlights go, those of the new light come. keep: all stays, as strong against
        the shading as it was. drop: albedo times shading and nothing else.
    background
        keep: clothes and background stay. match: they get the gain and the white balance of the new light. relight:
        they do, and clothes get the light's broad direction.
    strength
        Of the change, 0 to 1; 0 gives the photo back.
    exposure
        In stops.
    format
        jpg and png have 8 bits, png16 has 16.
    orbit
        Also write a film of a lamp going round the face: .mp4, .gif or .webp; for a single photo.
    orbit_size
        The longer side of that film in pixels.
    skip_existing
        Leave pictures alone that are there already.
    json
        Print one line of JSON for each photo instead of words.
    weights
        A weights file instead of those of the package.
    """
    from illures.relighting import sources

    plain = [
        *sources.presets(light or []),
        *sources.directions(direction or [], ambient, radius),
        *sources.maps(hdri or [], rotation),
        *sources.files(json_light or []),
        *sources.coefficients(sh or [], layout),
    ]
    if not (plain or like or orbit):
        raise InputError("no light: give --light, --like, --hdri, --direction, --json-light, --sh or --orbit")
    if (plain or like) and output is None:
        raise InputError("no output: say with -o in which folder the pictures are to go")
    if not 0 <= strength <= 1:
        raise InputError(f"strength {strength:g}: must be from 0 to 1")
    if not -10 <= exposure <= 10:
        raise InputError(f"exposure {exposure:g}: must be from -10 to 10 stops")

    from illures.batch import Report
    from illures.decompose import Decomposer
    from illures.files import check_writable
    from illures.inputs import expand

    if output is not None:
        check_writable(output)
    found, problems = expand(photos)
    if orbit is not None:
        _check_orbit(orbit, orbit_size, len(found))
    decomposer = Decomposer.from_pretrained(weights)
    lights = sources.distinct([*plain, *sources.references(like or [], decomposer, keep_colour)])
    report = Report(json, (len(found) if lights else 0) + len(problems))
    for path, problem in problems:
        report.failed(path, problem)
    if lights and output is not None:
        from illures.relighting.batch import Job, relight_all

        relight_all(
            found,
            output,
            report,
            decomposer,
            Job(lights, residual, background, exposure, format, strength),
            skip_existing,
        )
    if orbit is not None and found:
        from illures.relighting.orbit import write_orbit

        write_orbit(
            found[0],
            orbit,
            decomposer,
            side=orbit_size,
            residual=residual,
            background=background,
            strength=strength,
            stops=exposure,
        )
        report.say(f"{found[0]}: light orbit -> {orbit}")
    return OK if report.summary() else BAD_INPUT


def _check_orbit(orbit: Path, size: int, photos: int) -> None:
    from illures.relighting.orbit import check_orbit

    check_orbit(orbit)
    if photos > 1:
        raise InputError(f"{orbit}: an orbit is of a single photo; {photos} were given")
    if not 64 <= size <= 4096:
        raise InputError(f"orbit size {size}: must be from 64 to 4096 pixels")

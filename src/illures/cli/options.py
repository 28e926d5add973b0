"""Options that several commands share: one name, one meaning, one help text (tests/cli/test_options.py holds it)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from illures.cli.app import Flag, needs_extra
from illures.errors import InputError

if TYPE_CHECKING:
    from illures.decompose.decomposer import Decomposer
    from illures.decompose.decomposition import Decomposition
    from illures.faces.finder import FaceFinder
    from illures.io.inputs import Problem
    from illures.jobs.photos import Report
    from illures.relighting.sources import Source


def reported(as_json: bool, photos: int, problems: list[Problem]) -> Report:
    """A report of a command's work on photos, which begins with the paths that gave none."""
    from illures.jobs.photos import Report

    report = Report(as_json, photos + len(problems))
    for path, problem in problems:
        report.failed(path, problem)
    return report


_WEIGHTS = "illures-256, illures-128 (faster and coarser), or a weights file."

Output = Annotated[Path, Parameter(alias="-o")]
OptionalOutput = Annotated[Path | None, Parameter(alias="-o")]
Weights = Annotated[Path | None, Parameter(help=_WEIGHTS, show_default=lambda _: "illures-256")]
FastWeights = Annotated[Path | None, Parameter(help=_WEIGHTS, show_default=lambda _: "illures-128")]
ManyWeights = Annotated[list[Path] | None, Parameter(help=_WEIGHTS, show_default=lambda _: "both")]
Json = Annotated[bool, Flag, Parameter(help="Print one line of JSON for each photo instead of words.")]
Recursive = Annotated[bool, Flag, Parameter(help="Search the subfolders of folders, too.")]
SkipExisting = Annotated[bool, Flag, Parameter(help="Skip results that exist already.")]
Shadows = Annotated[
    bool, Parameter(help="Let relit faces cast shadows on themselves; makes videos several times slower.")
]
CROP_SIZE = Parameter(help="Side of the face crops in pixels.")
NetworkSize = Annotated[int | None, CROP_SIZE, Parameter(show_default=lambda _: "what the network was trained on")]
Workers = Annotated[
    int | None,
    Parameter(help="Work on at most so many parts (photos, clips, shards) at a time, each on a core; default: all."),
]
Ray = Annotated[
    str | None,
    Parameter(
        help='Work on a Ray cluster: "auto" joins the one that runs, "local" starts one on this machine, or an '
        'address. What is there already is not made again. Needs the extra: pip install "illures[ray]".'
    ),
]
Cache = Annotated[
    Path | None,
    Parameter(help="Folder for the decoded sets, which several runs of train and pack can share; default: their own."),
]
YawLimit = Annotated[float, Parameter(help="Largest turn of a face to the side, in degrees.")]


def check_workers(workers: int | None) -> None:
    """Raise an InputError for a number below 1."""
    if workers is not None and workers < 1:
        raise InputError(f"--workers {workers}: must be at least 1")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """Where a server listens, and who may connect.

    Attributes:
        port: Port of http://127.0.0.1:PORT/. 0 takes a free one.
        host: Address to listen on. By default only this machine can connect; 0.0.0.0 admits others, who need the token.
        token: Token that visitors must know, at least 16 characters; scripts send it as Authorization: Bearer TOKEN.
            Default: a random one, printed with the address, if other machines can connect. "off" asks for none.
        allow_host: Host names of this server, besides localhost and IP addresses.
    """

    port: int = 8000
    host: str = "127.0.0.1"
    token: Annotated[str | None, Parameter(env_var="ILLURES_TOKEN")] = None
    allow_host: list[str] | None = None

    def run(self, weights: Path | None, *, open_browser: bool = False, rest: bool = False) -> None:
        """Check the options, then serve until Ctrl-C; see `illures.web.serve.serve`."""
        if not 0 <= self.port <= 65535:
            raise InputError(f"port {self.port}: must be from 0 to 65535")
        from illures.web.serve import import_packages, serve

        with needs_extra("web", "serve" if rest else "studio"):
            import_packages()
        if weights is not None:
            from illures.decompose.decomposer import Decomposer

            Decomposer.from_pretrained(weights)  # fails now, not at the first request

        names = self.allow_host or []
        serve(
            self.host, self.port, names=names, weights=weights, token=self.token, open_browser=open_browser, rest=rest
        )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FaceOptions:
    """Which faces of a photo are processed.

    Attributes:
        min_face: Least width of a face in pixels; default: large photos are searched for faces of at least 64 pixels,
            and smaller ones that are found are kept.
        min_score: Least score of a face, above 0 and below 1 (see face.json). Lower values find profiles and faces
            under hats, and sometimes things that are no faces.
    """

    min_face: float | None = None
    min_score: float = 0.5

    def check(self) -> None:
        """Raise an InputError for a value out of range."""
        if not 0 < self.min_score < 1:
            raise InputError(f"min-score {self.min_score:g}: must be above 0 and below 1")
        if self.min_face is not None and not 16 <= self.min_face <= 10_000:
            raise InputError(f"min-face {self.min_face:g}: must be from 16 to 10000 pixels")

    def choose(self, decomposer: Decomposer) -> None:
        """Make the decomposer find only these faces, if any option was given."""
        if self != FaceOptions():
            decomposer.find_faces = self.finder()

    def finder(self) -> FaceFinder:
        """A finder of these faces."""
        from illures.faces.finder import FaceFinder

        return FaceFinder(self.min_face, self.min_score)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class NormalOptions:
    """How maps of normals are stored.

    Attributes:
        normals: opengl: y up. directx: y down.
        normal_space: Frame of the normals. camera: x right, y up, z toward the viewer. head: x to the left of the
            face, y to its crown, z where it looks.
    """

    normals: Literal["opengl", "directx"] = "opengl"
    normal_space: Literal["camera", "head"] = "camera"

    def check(self, what: str, present: bool) -> None:
        """Raise an InputError if an option is given where no normals are read or written."""
        if not present and self != NormalOptions():
            name = "normals" if self.normals != "opengl" else "normal-space"
            raise InputError(f"--{name} {getattr(self, name.replace('-', '_'))}: goes with {what}")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LightOptions:
    """The lights to put on faces.

    Attributes:
        light: Any light: a name of `illures lights`; AZIMUTH,ELEVATION of a lamp in degrees (0,0
            is the camera, 90,0 image right, 0,90 straight above); an environment map (.hdr, .exr, .npy, twice as wide
            as high); a light as JSON (light.json of `illures decompose`, or saved from the studio); SH numbers (9 or 27
            with commas, or a file of them); another photo, for the light of its largest face.
        ambient: For AZIMUTH,ELEVATION: share of ambient light, which comes from all around, 0 to 1.
        radius: For AZIMUTH,ELEVATION: angular radius of the lamp in degrees; larger is softer.
        rotation: Rotation of environment maps about the vertical, in degrees; what is behind the camera moves toward
            image right.
        keep_colour: For another photo: use only the directions of its light, and keep the colour of the face's own
            light.
        layout: For SH numbers; docs/conventions.md describes the three.
        exposure: In stops, from the strength that keeps the face as bright as it was.
    """

    light: Annotated[tuple[str, ...], Parameter(show_default=False)] = ()
    ambient: float = 0.2
    radius: float = 6.0
    rotation: float = 0.0
    keep_colour: Annotated[bool, Parameter(alias="--keep-color"), Flag] = False
    layout: Literal["illures", "sfsnet", "dpr"] = "illures"
    exposure: float = 0.0

    def check(self) -> None:
        """Raise an InputError for a word that is no light or a value out of range, before any work."""
        from illures.relighting.recognise import kind_of

        for word in self.light:
            kind_of(word)
        if not -10 <= self.exposure <= 10:
            raise InputError(f"exposure {self.exposure:g}: must be from -10 to 10 stops")

    def sources(self, decompose: Callable[[Path], list[Decomposition]]) -> list[Source]:
        """The lights, in the order in which they were given; raises an InputError for a damaged file."""
        from illures.relighting.recognise import How, recognised

        how = How(self.ambient, self.radius, self.rotation, self.layout, self.keep_colour)
        return recognised(self.light, decompose, how)

"""Every picture of docs/, made from the public photo in the package: `make docs-pictures`.

A new picture is a function here and its name in `PICTURES`; those of the studio are in studio_pictures.py. Names as
arguments make these pictures only ("studio" stands for all of the studio).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

import studio_pictures
from illures import Decomposer, Decomposition
from illures.decompose.contact_sheet import BACKGROUND, TEXT, contact_sheet
from illures.decompose.photo_maps import photo_maps
from illures.editing import edit, retouch
from illures.io.files import write_whole
from illures.io.formats import Format
from illures.io.photos import encoded, read_photo, save_image
from illures.relighting import sources
from illures.relighting.composite import PhotoRelighter, relight_photo
from illures.relighting.exposure import exposed, matched
from illures.relighting.light import Light
from illures.relighting.light_sheet import light_sheet

ROOT = Path(__file__).resolve().parent.parent
PHOTO = ROOT / "src" / "illures" / "assets" / "astronaut.jpg"
OUT = ROOT / "docs" / "pictures"
MOST_BYTES = 150_000
TILE = 240
HEAD = (slice(8, 198), slice(128, 318))

Picture = UInt8[np.ndarray, "rows columns 3"]


@dataclass(frozen=True)
class Subject:
    """The public photo, taken apart."""

    photo: Picture
    faces: Sequence[Decomposition]

    def lit(self, name: str, residual: str = "recompute", background: str = "keep") -> Picture:
        """Under a named light."""
        (source,) = sources.presets([name])
        light = source.on(self.faces[0])
        return relight_photo(self.photo, self.faces, light, residual=residual, background=background)  # type: ignore[arg-type]


def main() -> None:
    """Write those that are named, or all."""
    names = sys.argv[1:] or [*PICTURES, "studio"]
    unknown = set(names) - {*PICTURES, "studio"}
    if unknown:
        sys.exit(f"error: no such picture: {', '.join(sorted(unknown))}; there are {', '.join(PICTURES)}, studio")
    OUT.mkdir(parents=True, exist_ok=True)
    drawn = [name for name in PICTURES if name in names]
    if drawn:
        photo = read_photo(PHOTO)
        subject = Subject(photo, Decomposer.from_pretrained()(photo))
        for name in drawn:
            keep(name, PICTURES[name](subject))
    if "studio" in names:
        write_studio()


def write_studio() -> None:
    """Screenshots of the studio; without a browser those that are there stay."""
    problem = studio_pictures.missing()
    if problem:
        print(f"docs/pictures/studio-*.jpg: left as they are, for {problem}")
        return
    for name, picture in studio_pictures.shots():
        keep(name, picture)


def keep(name: str, picture: Picture) -> None:
    """Write one of them."""
    path = OUT / f"{name}.jpg"
    write_whole(path, small_jpeg(picture))
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1024} KB", flush=True)


def overview(subject: Subject) -> Picture:
    """What illures does, in one picture: a photo's maps, and the photo relit and edited."""
    photo, faces = subject.photo, subject.faces
    maps = photo_maps(photo, list(faces), Format("png"))
    berry = edit.retouched(photo, faces, [retouch.lipstick(retouch.colour_of("berry"))])
    return labelled(
        {"photo": photo, "albedo": maps.take("albedo"), "normals": maps.take("normal")}
        | {"shading": maps.take("shading"), "residual": maps.take("residual")}
        | {name: subject.lit(name) for name in ("rembrandt", "golden-hour", "neon")}
        | {"lipstick berry": berry, "skin tone -40": edit.toned(photo, faces, -40)},
        across=5,
    )


def parts(subject: Subject) -> Picture:
    """The contact sheet of `illures decompose`."""
    return contact_sheet(subject.photo, list(subject.faces), PHOTO.name)


def lights(subject: Subject) -> Picture:
    """All named lights."""
    return light_sheet(subject.photo, subject.faces, sources.presets(["all"]))


def relit(subject: Subject) -> Picture:
    """The photo and four lights."""
    names = ("rembrandt", "split", "golden-hour", "neon")
    return labelled({"photo": subject.photo} | {name: subject.lit(name) for name in names}, across=5)


def residuals(subject: Subject) -> Picture:
    """What --residual does."""
    kinds = ("recompute", "drop", "keep")
    return labelled({f"--residual {kind}": subject.lit("rembrandt", residual=kind) for kind in kinds})


def backgrounds(subject: Subject) -> Picture:
    """What --background does; the whole photo."""
    kinds = ("keep", "match")
    shown = {f"--background {kind}": subject.lit("blue-hour", background=kind) for kind in kinds}
    return labelled({"photo": subject.photo} | shown, whole=True)


def reference(subject: Subject) -> Picture:
    """The light of another photo, with and without its colour; the other photo is this one under a golden hour."""
    other = subject.lit("golden-hour")
    (face,) = Decomposer.from_pretrained()(other)
    light, white = Light.like(face), Light.like(face, keep_colour=True)
    target = subject.faces[0]
    return labelled(
        {
            "photo": subject.photo,
            "other.jpg": other,
            "--light other.jpg": relight_photo(subject.photo, subject.faces, exposed(light, target)),
            "the same with --keep-colour": relight_photo(subject.photo, subject.faces, matched(white, target)),
        }
    )


def orbit(subject: Subject) -> Picture:
    """Six frames of --orbit."""
    relighter = PhotoRelighter(subject.photo, subject.faces)
    shown = {}
    for azimuth in (-75, -40, -10, 10, 40, 75):
        light = Light.from_direction(azimuth, 20, ambient=0.2, radius_deg=8)
        shown[f"{azimuth} degrees"] = relighter(exposed(light, subject.faces[0]))
    return labelled(shown, across=6)


def edits(subject: Subject) -> Picture:
    """The built-in edits."""
    photo, faces = subject.photo, subject.faces
    return labelled(
        {
            "photo": photo,
            "--lipstick berry": edit.retouched(photo, faces, [retouch.lipstick(retouch.colour_of("berry"))]),
            "--blush rose:1": edit.retouched(photo, faces, [retouch.blush(retouch.colour_of("rose"), 1.0)]),
            "--remove-shine 1": edit.retouched(photo, faces, [retouch.less_shine(1.0)]),
            "--skin-tone 10": edit.toned(photo, faces, 10),
            "--skin-tone -40": edit.toned(photo, faces, -40),
        },
        across=3,
    )


def even_light(subject: Subject) -> Picture:
    """A harsh light softened."""
    harsh = subject.lit("split")
    faces = Decomposer.from_pretrained()(harsh)
    shares = (0.4, 0.8)
    shown = {f"--even-light {share}": edit.evenly_lit(harsh, faces, share) for share in shares}
    return labelled({"harsh light": harsh} | shown)


def painted(subject: Subject) -> Picture:
    """The same paint on the photo and on the albedo, of a photo in hard light."""
    lit = subject.lit("rembrandt")
    faces = Decomposer.from_pretrained()(lit)
    with tempfile.TemporaryDirectory() as folder:
        albedo = photo_maps(lit, list(faces), Format("png")).take("albedo")
        path = Path(folder) / "albedo.png"
        save_image(path, with_paint(albedo, faces[0]))
        through = edit.apply_albedo(lit, faces, path)
    return labelled(
        {
            "photo": lit,
            "painted on the photo": with_paint(lit, faces[0]),
            "painted albedo": with_paint(albedo, faces[0]),
            "photo from that albedo": through,
        }
    )


def with_paint(picture: Picture, face: Decomposition) -> Picture:
    """Bands of one flat colour across both cheeks and the nose."""
    points = face.crop.face.landmarks[:, :2]
    across = points[[116, 50, 4, 280, 345]].copy()
    out = picture.copy()
    for offset, colour in ((-5.0, (214, 60, 60)), (3.0, (60, 90, 200))):
        line = np.rint((across + [0, offset]) * 16).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(out, [line], False, colour, 5, cv2.LINE_AA, 4)
    return out


def labelled(pictures: dict[str, Picture], across: int = 4, whole: bool = False) -> Picture:
    """Pictures in rows, each with its name; the head alone unless `whole`."""
    gap, label = 8, 22
    across = min(across, len(pictures))
    rows = -(-len(pictures) // across)
    sheet = Image.new("RGB", (gap + (TILE + gap) * across, gap + (TILE + label + gap) * rows), BACKGROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for k, (name, picture) in enumerate(pictures.items()):
        shown = cv2.resize(picture if whole else picture[HEAD], (TILE, TILE), interpolation=cv2.INTER_AREA)
        x, y = gap + (TILE + gap) * (k % across), gap + (TILE + label + gap) * (k // across)
        draw.text((x, y), name, TEXT, font)
        sheet.paste(Image.fromarray(shown), (x, y + label))
    return np.asarray(sheet)


def small_jpeg(picture: Picture) -> bytes:
    """The best quality that fits the limit."""
    for quality in range(92, 40, -4):
        data = encoded(picture, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality])
        if len(data) <= MOST_BYTES:
            break
    return data


PICTURES: dict[str, Callable[[Subject], Picture]] = {
    "overview": overview,
    "parts": parts,
    "lights": lights,
    "relit": relit,
    "residuals": residuals,
    "backgrounds": backgrounds,
    "reference": reference,
    "orbit": orbit,
    "edits": edits,
    "even-light": even_light,
    "painted": painted,
}

if __name__ == "__main__":
    main()

"""Write the README's tables from benchmarks/results: python benchmarks/report.py [--check]."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- results -->", "<!-- /results -->"


def main() -> None:
    """Replace what lies between the marks; with --check, only say whether it is up to date."""
    readme = ROOT / "README.md"
    text = readme.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    fresh = f"{before}{BEGIN}\n{tables()}\n{END}{after}"
    if "--check" in sys.argv:
        sys.exit(0 if fresh == text else "README.md: tables are not those of benchmarks/results")
    readme.write_text(fresh)


def tables() -> str:
    """All tables, for the results that there are."""
    parts = []
    for lights, words in (("natural", "natural lights"), ("flash", "single flashes up to 70° off axis")):
        if (result := _read(f"yaleb-{lights}-mask")) is not None:
            parts.append(_yaleb(result, words))
    if (result := _read("detection")) is not None:
        figures = result["figures"]
        parts.append(f"A face is found in {figures['found_percent']:.1f} % of {figures['photos']} photos in the wild.")
    if (result := _read("decompose")) is not None:
        parts.append(_speed(result))
    return "\n\n".join(parts)


def _read(name: str) -> dict[str, Any] | None:
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def _yaleb(result: dict[str, Any], words: str) -> str:
    figures = dict(result["figures"])
    subjects = figures.pop("subjects")
    lines = [
        f"Extended Yale B, {subjects} development subjects, {words}, `mask` ({result['date'][:10]}):",
        "",
        "| method | normals, mean° (median°; % < 20 / 25 / 30) | tilt fitted out, mean° | albedo error | albedo drift "
        "| light error |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for method, score in figures.items():
        n = score["normal"]
        shares = " / ".join(f"{n[f'below_{limit}']:.0f}" for limit in (20, 25, 30))
        rest = " | ".join("–" if score[k] is None else f"{score[k]:.3f}" for k in ("albedo", "drift", "light"))
        tilt = score["tilt_free"]["mean_deg"]
        lines.append(f"| {method} | {n['mean_deg']:.1f} ({n['median_deg']:.1f}; {shares}) | {tilt:.1f} | {rest} |")
    return "\n".join(lines)


def _speed(result: dict[str, Any]) -> str:
    names = {
        "photo_to_maps_ms": "decoded photo to the four maps, one face, 128 px [ms]",
        "of_which_network_ms": "of which the network [ms]",
        "of_which_finding_ms": "of which finding the face [ms]",
        "import_and_load_s": "import and model load [s]",
        "12_megapixels_png_s": "`illures decompose` of a 12-megapixel photo, all in, PNG [s]",
        "12_megapixels_png_peak_mb": "peak memory of that [MB]",
        "12_megapixels_exr_s": "the same, EXR [s]",
        "12_megapixels_exr_peak_mb": "peak memory of that [MB]",
    }
    lines = [f"Speed ({result['machine']}, {result['date'][:10]}):", "", "| what | measured |", "| --- | --- |"]
    lines += [f"| {words} | {result['figures'][key]} |" for key, words in names.items() if key in result["figures"]]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

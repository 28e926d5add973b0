"""Write the tables of README.md and docs/results.md from benchmarks/results: python benchmarks/report.py [--check]."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- results -->", "<!-- /results -->"
TITLES = {
    "yaleb": "Extended Yale B, development subjects",
    "synthetic": "Held-out people of our synthetic sets",
    "photoface": "Photoface",
    "scan": "A head scan, rendered",
    "video": "Clips",
    "photos": "Photos in the wild",
}
ABLATION = "ablation-"
HEADLINE = "yaleb-natural-mask"  # what the README shows; everything is in docs/results.md
# Columns of the README; all are in docs/results.md.
BRIEF = (
    "normal_deg",
    "coverage_pct",
    "albedo_rel",
    "albedo_corr",
    "albedo_drift_contrast",
    "relit_psnr_db",
    "relit_ssim",
)
ROWS = ("sfs", "sfs-align", "illures-pre", "illures-more", "illures", "illures-warp")
# Columns of the ablation: benchmark (up to its options), figure, words.
ABLATED = (
    ("yaleb-natural", "normal_deg", "Yale B normals, mean°"),
    ("yaleb-natural", "albedo_drift_rel", "Yale B albedo drift"),
    ("yaleb-natural", "relit_psnr_db", "Yale B relit, dB"),
    ("yaleb-flash", "normal_deg", "flashes, normals°"),
    ("yaleb-flash", "albedo_drift_rel", "flashes, albedo drift"),
    ("synthetic", "normal_deg", "rendered, normals°"),
    ("synthetic", "albedo_rel", "rendered, albedo error"),
    ("photos", "recon_l1", "photos, reconstruction L1"),
    ("photos", "residual_energy_pct", "photos, energy in R, %"),
    ("video", "albedo_drift_rel", "clips, albedo drift"),
)
SHARES = ("normal_below_20_pct", "normal_below_25_pct", "normal_below_30_pct")
COLUMNS = {
    "normal_deg": "normals, mean°; % < 20 / 25 / 30",
    "normal_untilted_deg": "tilt fitted out, mean°",
    "normal_eyes_deg": "around the eyes, mean°",
    "normal_gradient_corr": "normal gradients, correlation",
    "coverage_pct": "coverage, %",
    "normal_drift_deg": "normal drift, mean°",
    "albedo_rel": "albedo error",
    "albedo_corr": "albedo correlation",
    "albedo_gradient_corr": "of its gradients",
    "albedo_drift_contrast": "albedo drift / contrast",
    "colour_kept": "colour kept (0: all)",
    "albedo_drift_rel": "albedo drift",
    "albedo_flicker_rel": "albedo flicker",
    "ita_error_deg": "skin tone, ITA error°; worst group × mean",
    "light_shading_rel": "light error",
    "relit_psnr_db": "relit, PSNR dB",
    "relit_ssim": "relit, SSIM",
    "relit_lpips": "relit, LPIPS",
    "recon_l1": "reconstruction, L1",
    "residual_energy_pct": "energy in R, %",
}


def main() -> None:
    """Replace what lies between the marks; with --check, only say whether it is up to date."""
    stale = []
    for path, content in ((ROOT / "README.md", headline()), (ROOT / "docs" / "results.md", everything())):
        text = path.read_text()
        before, rest = text.split(BEGIN)
        _, after = rest.split(END)
        fresh = f"{before}{BEGIN}\n{content}\n{END}{after}"
        if "--check" not in sys.argv:
            path.write_text(fresh)
        elif fresh != text:
            stale.append(path.name)
    if stale:
        sys.exit(f"{', '.join(stale)}: tables are not those of benchmarks/results")


def headline() -> str:
    """What a reader of the README wants to know."""
    parts = []
    if (result := _read(HEADLINE)) is not None:
        parts.append(_measured(HEADLINE, result, BRIEF))
    if (result := _read("decompose")) is not None:
        parts.append(_speed(result))
    if (sizes := _sizes()) is not None:
        parts.append(sizes)
    return "\n\n".join(parts)


def everything() -> str:
    """All tables, for the results that there are."""
    parts = []
    ablated = {}
    for path in sorted((ROOT / "benchmarks" / "results").glob("*.json")):
        result = _read(path.stem)
        if result is None or "methods" not in result["figures"]:
            continue
        if path.stem.startswith(ABLATION):
            ablated[path.stem.removeprefix(ABLATION)] = result
        else:
            parts.append(_measured(path.stem, result))
    if ablated:
        parts.append(_ablation(ablated))
    if (result := _read("detection")) is not None:
        figures = result["figures"]
        parts.append(f"A face is found in {figures['found_percent']:.1f} % of {figures['photos']} photos in the wild.")
    if (result := _read("decompose")) is not None:
        parts.append(_speed(result))
    if (result := _read("video-speed")) is not None:
        parts.append(_video(result))
    if (result := _read("video-flicker")) is not None:
        parts.append(_flicker(result))
    return "\n\n".join(parts)


def _read(name: str) -> dict[str, Any] | None:
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def _measured(name: str, result: dict[str, Any], columns: Collection[str] = tuple(COLUMNS)) -> str:
    """What `illures evaluate` measured: the figures of `columns` that there are, dummies last."""
    methods = result["figures"]["methods"]
    figures = [f for f in columns if any(f in method["figures"] for method in methods.values())]
    items = max(method["items"] for method in methods.values())
    groups = max(method["groups"] for method in methods.values())
    title = TITLES.get(name.partition("-")[0], name)
    lines = [
        f"{title} ({name}, {result['date'][:10]}): {items} images, {groups} groups; mean [95 % interval over groups]",
        "",
        f"| method | {' | '.join(COLUMNS[figure] for figure in figures)} |",
        f"| --- | {' | '.join('---' for _ in figures)} |",
    ]
    ranked = sorted(methods.items(), key=lambda entry: ["ours", "rival", "baseline", "dummy"].index(entry[1]["kind"]))
    for method, about in ranked:
        cells = [_cell(figure, about["figures"].get(figure), about["figures"]) for figure in figures]
        if "ita_error_deg" in figures and about.get("tones", {}).get("worst"):
            tones = about["tones"]
            cells[figures.index("ita_error_deg")] += f"; {tones['worst']} × {tones['worst_over_mean']:.2f}"
        label = f"*{method}*" if about["kind"] == "dummy" else method
        failed = f" ({about['failed']} failed)" if about["failed"] else ""
        lines.append(f"| {label}{failed} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _ablation(results: dict[str, dict[str, Any]]) -> str:
    """One line a recipe."""
    found = {
        (benchmark, figure): {row: of["figures"][figure] for row, of in methods.items() if figure in of["figures"]}
        for benchmark, figure, _ in ABLATED
        for name, result in results.items()
        if name.startswith(benchmark) and (methods := result["figures"]["methods"])
    }
    columns = [column for column in ABLATED if column[:2] in found]
    files = ", ".join(f"{ABLATION}{name}" for name in results)
    lines = [
        f"The ablation ({files}, {min(r['date'] for r in results.values())[:10]}); mean [95 % interval over groups]",
        "",
        f"| recipe | {' | '.join(words for *_, words in columns)} |",
        f"| --- | {' | '.join('---' for _ in columns)} |",
    ]
    for row in ROWS:
        cells = [_cell(figure, found[benchmark, figure].get(row), {}) for benchmark, figure, _ in columns]
        lines.append(f"| `{row}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(figure: str, span: str | None, figures: dict[str, str]) -> str:
    """`span` is "mean [low, high]"."""
    if span is None:
        return "–"
    digits = 1 if figure.endswith(("_deg", "_db", "_pct")) else 3
    mean, low, high = (f"{float(value):.{digits}f}" for value in re.findall(r"[^][, ]+", span))
    shares = [f"{float(figures[key].split()[0]):.0f}" for key in SHARES if key in figures]
    return f"{mean} [{low}, {high}]" + (f"; {' / '.join(shares)}" if shares and figure == "normal_deg" else "")


def _speed(result: dict[str, Any]) -> str:
    names = {
        "photo_to_maps_ms": "decoded photo to the four maps, one face, 256 px [ms]",
        "of_which_network_ms": "of which the network, four runs [ms]",
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


def _sizes() -> str | None:
    """What an installation takes, with all packages that it needs; None where it was not measured."""
    sizes = {"photos alone": _read("install-size"), "`[video,heic,web]`": _read("install-size-video-heic-web")}
    words = [f"{name} {found['figures']['added_MB']:.0f} MB" for name, found in sizes.items() if found is not None]
    return f"Installed, with all packages that it needs: {', '.join(words)}." if words else None


def _video(result: dict[str, Any]) -> str:
    figures = result["figures"]
    rates = figures["frames_per_second"]
    return "\n".join(
        (
            f"`illures video`, 640 x 480, one face at {figures['crop_px']} px, file to file ({result['machine']}, "
            f"{result['date'][:10]}):",
            "",
            f"| {' | '.join(['show', *rates])} |",
            f"| {' | '.join('---' for _ in ['show', *rates])} |",
            f"| {' | '.join(['frames a second', *map(str, rates.values())])} |",
        )
    )


def _flicker(result: dict[str, Any]) -> str:
    figures = result["figures"]
    albedo, relit = (figures[f"{name}_flicker_over_frame_by_frame"] for name in ("albedo", "relit"))
    return (
        f"Flicker of the stabilised face over that of frames taken apart one by one, {figures['clips']} clips "
        f"({result['date'][:10]}): albedo, median {albedo['median']}, worst {albedo['worst']}; relit, median "
        f"{relit['median']}, worst {relit['worst']}."
    )


if __name__ == "__main__":
    main()

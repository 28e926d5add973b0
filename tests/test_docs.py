"""Every command line and Python block of README and docs runs on the face of the bundled photo, or says why not."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cyclopts import CycloptsError
from PIL import Image

from clips import ASTRONAUT, pictures, write_clip
from illures import Decomposer, cli
from illures.cli.app import escape_direction
from illures.io.photos import read_photo
from illures.relighting import orbit
from illures.relighting.light import Light

pytestmark = pytest.mark.usefixtures("decomposed_once")

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]

# Lines that are only parsed, so that every name in them is right: command and option by which they are known.
ONLY_PARSED = {
    "synth": "renders for hours",
    "train": "trains for hours",
    "pack": "needs rendered sets; tests/data/test_pack.py has it",
    "evaluate": "needs data sets that are not ours to give",
    "videos": "needs clips of people",
    "studio": "runs until Ctrl-C; tests/web has it",
    "serve": "runs until Ctrl-C; tests/web has it",
    "--ray": "needs a cluster; tests/jobs/test_ray_photos.py and tests/synth/test_ray.py have it",
    "--weights": "its weights are the reader's",
}
# Python blocks that are only compiled: the first words of one of their lines.
ONLY_COMPILED = {
    "benchmark = load_benchmark": "needs a data set",
    "class Mine": "a part of a class",
    "for sample in read_shards": "needs a rendered set",
    "import h5py": "needs a model under a licence",
    "frames = VideoFrames": "needs a set of clips",
    "import pandas": "needs what a cluster wrote",
    "import bpy": "runs in Blender; tests/integrations has it",
    "httpx.post": "needs a running server; tests/web has it",
}


def blocks(page: Path) -> list[tuple[str, str]]:
    """Fenced blocks with their language, and indented ones (four blanks after an empty line) as "shell"."""
    found, fence, lines, before = [], None, [], ""
    for line in page.read_text(encoding="utf-8").splitlines() + [""]:
        if fence is not None:
            if line.strip() == "```":
                found.append((fence, "\n".join(lines)))
                fence, lines = None, []
            else:
                lines.append(line)
        elif line.startswith("```"):
            fence, lines = line[3:].strip() or "text", []
        elif line.startswith("    ") and (lines or not before.strip()):
            lines.append(line[4:])
        elif lines:
            found.append(("shell", "\n".join(lines)))
            lines = []
        before = line
    return found


def commands(page: Path) -> list[str]:
    """Lines that call illures, continuation lines joined."""
    text = "\n".join(block for language, block in blocks(page) if language in ("shell", "sh", "bash"))
    lines = text.replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if re.match(r"\s*(\$ )?illures ", line)]


def only_parsed(line: str) -> str | None:
    words = shlex.split(line, comments=True)
    return next((why for word, why in ONLY_PARSED.items() if word == words[1] or word in words[2:]), None)


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with the files that the pages speak of."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(orbit, "FRAMES", 6)  # of 72, which differ in the angle alone
    Image.open(ASTRONAUT).crop((64, 0, 384, 320)).save("photo.jpg", quality=95)  # less to compute than on all of it
    for name in ("portrait.jpg", "holiday.jpg", "other.jpg", "ref.jpg"):
        shutil.copy("photo.jpg", name)
    for name in ("holiday", "portraits", "photos"):
        Path(name).mkdir()
        shutil.copy("photo.jpg", Path(name) / "one.jpg")
    write_clip(Path("talk.mp4"), pictures(3))
    np.save("studio.npy", np.ones((16, 32, 3), np.float32))
    Path("light.json").write_text('{"sh": [[1,1,1],[0,0,0],[0,0,0],[1,1,1],[0,0,0],[0,0,0],[0,0,0],[0,0,0],[0,0,0]]}')
    return tmp_path


def test_there_are_pages_and_lines():
    assert len(PAGES) > 10 and sum(len(commands(page)) for page in PAGES) > 30


@pytest.mark.parametrize(
    "page", [p for p in PAGES if commands(p) or "```python" in p.read_text()], ids=lambda p: p.name
)
def test_page_runs(page, place, capsys):
    """Its command lines first, then its Python, which may read what they wrote."""
    for line in commands(page):
        run_command(line, capsys)
    photo = read_photo("photo.jpg")
    names = {"photo": photo, "faces": Decomposer.from_pretrained()(photo), "light": Light.preset("loop")}
    for language, block in blocks(page):
        if language == "python":
            code = compile(block, f"{page.name}: {block.splitlines()[0]}", "exec")
            if not any(mark in block for mark in ONLY_COMPILED):
                capsys.readouterr()
                exec(code, names)
                printed = capsys.readouterr().out
                for promised in re.findall(r"^ *print\(.*\)  # (.+)$", block, re.MULTILINE):
                    assert promised in printed


def run_command(line: str, capsys) -> None:
    words = shlex.split(line.removeprefix("$ "), comments=True)[1:]
    try:
        cli.app.parse_args([escape_direction(word) for word in words], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        pytest.fail(f"{line}: {error}")
    if only_parsed(line) is None:
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        assert ended.value.code == 0, f"{line}: {capsys.readouterr().err}"


def test_links_lead_somewhere():
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not link.startswith(("http", "mailto:")):
                assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_site_builds_strictly(tmp_path):
    pytest.importorskip("material")
    pytest.importorskip("mkdocstrings")
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "-q",
        "-f",
        str(ROOT / "mkdocs.yml"),
        "-d",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")}
    assert pages <= {page.stem for page in tmp_path.glob("*.html")}
    assert "from_pretrained" in (tmp_path / "api.html").read_text()

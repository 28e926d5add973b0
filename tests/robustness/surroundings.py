"""Hostile surroundings for the verbs that work long, and what is right in each: it works, or one line says why not."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from robustness.ending import RUNS_S
from robustness.verbs import VERBS, Surroundings, Verb, contents

# Bytes of the disk that is full: the first files go onto it, no result does.
SMALL = 16384
Texts = tuple[int, str, str]


@dataclass(frozen=True)
class Case:
    """One verb in some surroundings.

    Attributes:
        surroundings, verb: which.
        verdict: "works", "error" (clear), "skipped" or "fault".
        words: what it said, or what is wrong.
    """

    surroundings: str
    verb: str
    verdict: str
    words: str = ""

    def __str__(self) -> str:
        return f"{self.surroundings}, {self.verb}: {self.verdict}{': ' if self.words else ''}{self.words}"


class Skip(Exception):
    """The surroundings can't be made here, and why."""


@dataclass(frozen=True)
class Place:
    """Where one case is tried: its verb, the inputs, and a folder of its own."""

    verb: Verb
    inputs: Path
    folder: Path

    @property
    def source(self) -> Path:
        return self.inputs / self.verb.source

    @property
    def output(self) -> Path:
        return self.folder / self.verb.output

    def around(self, **options: object) -> Surroundings:
        return Surroundings(self.folder.parent / "home", self.folder, options=options)

    def command(self, source: Path | None = None, output: Path | None = None) -> list[str]:
        return self.verb.command(source or self.source, output or self.output)

    def run(self, source: Path | None = None, output: Path | None = None) -> Texts:
        """Exit code, stdout and stderr."""
        return finished(self.around().start(self.command(source, output)))


def finished(process: subprocess.Popen[str]) -> Texts:
    """Wait for it."""
    try:
        out, err = process.communicate(timeout=RUNS_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        return -9, "", f"hangs; {process.communicate(timeout=60)[1]}"
    return process.returncode, out, err


def judged(texts: Texts, name: str, verb: str, *, must_fail: bool = False) -> Case:
    """A clear error is exit code 2 and lines without a traceback, of which one begins with "error: "."""
    code, _, err = texts
    lines = [line for line in err.strip().splitlines() if line.startswith("error: ")]
    last = (err.strip().splitlines() or [""])[-1][:300]
    if "Traceback" in err or code not in (0, 2) or (code == 2 and not lines):
        return Case(name, verb, "fault", f"exit code {code}: {last}")
    if code == 0:
        return Case(name, verb, "fault" if must_fail else "works", "should have failed" if must_fail else "")
    return Case(name, verb, "error", lines[-1][:300])


def full_disk(place: Place) -> Iterator[Case]:
    with _mounted(place.folder / "disk", f"size={SMALL}") as disk:
        output = disk / place.verb.output
        yield judged(place.run(output=output), "disk full", place.verb.name, must_fail=True)
        left = [p for p in disk.rglob("*") if p.is_file() and p.name.startswith(".") and p.name != ".lock"]
        if left:
            yield Case("disk full", place.verb.name, "fault", f"left: {[p.name for p in left]}")


def read_only(place: Place) -> Iterator[Case]:
    closed = _closed(place.folder)
    texts = finished(place.around().start([*_bound(), *place.command(output=closed / place.verb.output)]))
    yield judged(texts, "read-only target", place.verb.name, must_fail=True)
    if (closed / place.verb.output).exists():
        yield Case("read-only target", place.verb.name, "fault", "wrote all the same")


def onto_itself(place: Place) -> Iterator[Case]:
    """The target is the source, or holds it: the source must be as it was."""
    copy = place.folder / place.verb.source
    copy.parent.mkdir(exist_ok=True)
    (shutil.copytree if place.source.is_dir() else shutil.copy)(place.source, copy)
    shutil.copy(place.inputs / "recipe.toml", place.folder)
    before = contents(copy)
    targets = [copy]
    if place.verb.name in ("decompose", "relight"):
        targets.append(copy / "a.jpg")
    for target in targets:
        source = target if target.is_file() else copy
        case = judged(place.run(source, target), "target is the source", place.verb.name)
        now = contents(copy)
        lost = [name for name, content in before.items() if now.get(name) != content]
        yield Case(case.surroundings, case.verb, "fault", f"changed: {', '.join(lost)}") if lost else case


def two_at_once(place: Place) -> Iterator[Case]:
    """Both end well or are told; what is there at the end is what one makes."""
    alone = place.folder / "alone"
    alone.mkdir()
    assert place.run(output=alone / place.verb.output)[0] == 0
    started = [place.around().start(place.command()) for _ in range(2)]
    for texts in [finished(process) for process in started]:
        yield judged(texts, "two at once", place.verb.name)
    wanted, found = contents(alone / place.verb.output), contents(place.output)
    if found != wanted:
        differ = sorted({*wanted, *found} - {n for n in wanted if found.get(n) == wanted[n]})
        yield Case("two at once", place.verb.name, "fault", f"differ: {', '.join(differ)[:200]}")


def homeless(place: Place) -> Iterator[Case]:
    """Neither a home nor the folder for temporary files can be written."""
    closed = _closed(place.folder)
    around = Surroundings(closed / "home", closed)
    yield judged(finished(around.start([*_bound(), *place.command()])), "no HOME, no TMPDIR", place.verb.name)


def without_shm(place: Place) -> Iterator[Case]:
    """A namespace of its own, in which /dev/shm can't be written."""
    _need_root()
    script = 'mount -t tmpfs -o ro none /dev/shm && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", script, "sh", *place.command()]
    yield judged(finished(place.around().start(command)), "no /dev/shm", place.verb.name)


def few_handles(place: Place) -> Iterator[Case]:
    for most in (12, 24, 48):
        limit = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (most, most))
        output = place.folder / f"{most}-{place.verb.output}"
        process = place.around(preexec_fn=limit).start(place.command(output=output))
        yield judged(finished(process), f"{most} file handles", place.verb.name)


def odd_names(place: Place) -> Iterator[Case]:
    """Not UTF-8, beginning with a dash, long, with brackets and blanks: they all work."""
    names = (os.fsdecode(b"caf\xe9 [b]"), "-dash", "n" * 200, "n" * 250, "\U0001f642 a\nb", "%04d")
    for name in names:
        folder = place.folder / name
        folder.mkdir()
        if place.verb.source == "photos":
            source = folder / "photos"
            source.mkdir()
            shutil.copy(place.source / "c.jpg", source / f"{name[:250]}.jpg")
        else:
            suffix = place.source.suffix
            source = folder / (name[: 250 - len(suffix)] + suffix)
            (shutil.copytree if place.source.is_dir() else shutil.copy)(place.source, source)
            shutil.copy(place.inputs / "recipe.toml", folder)
        output = folder / (f"{name[:200]}.out" + place.output.suffix)
        case = judged(place.run(source, output), "odd names", place.verb.name)
        yield Case(case.surroundings, case.verb, case.verdict, f"{name[:20]!r} {case.words}".strip())


def loops(place: Place) -> Iterator[Case]:
    """Links that lead to themselves: as the source, in it, and as the target."""
    loop = place.folder / f"loop{place.source.suffix or '.jpg'}"
    shutil.copy(place.inputs / "recipe.toml", place.folder)
    loop.symlink_to(loop.name)
    yield judged(place.run(source=loop), "links that loop", place.verb.name, must_fail=place.verb.name != "synth")
    target = place.folder / f"target{place.output.suffix}"
    target.symlink_to(target.name)
    yield judged(place.run(output=target), "links that loop", place.verb.name)
    if place.source.is_dir():
        copy = place.folder / "copy"
        shutil.copytree(place.source, copy)
        (copy / "inside").symlink_to(copy)
        (copy / "z.jpg").symlink_to("z.jpg")
        yield judged(place.run(copy, place.folder / "third"), "links that loop", place.verb.name)


SURROUNDINGS: Mapping[str, Callable[[Place], Iterator[Case]]] = {
    "disk-full": full_disk,
    "read-only": read_only,
    "onto-itself": onto_itself,
    "two-at-once": two_at_once,
    "homeless": homeless,
    "no-shm": without_shm,
    "few-handles": few_handles,
    "odd-names": odd_names,
    "loops": loops,
}


def try_all(
    names: Iterable[str],
    verbs: Iterable[str],
    inputs: Path,
    folder: Path,
    told: Callable[[Case], None] = lambda case: None,
) -> Iterator[Case]:
    """Every verb in all those surroundings."""
    (folder / "home").mkdir(exist_ok=True)
    for name in names:
        for verb in verbs:
            place = Place(VERBS[verb], inputs, folder / f"{name}-{verb}")
            place.folder.mkdir()
            try:
                for case in SURROUNDINGS[name](place):
                    told(case)
                    yield case
            except Skip as reason:
                yield Case(name, verb, "skipped", str(reason))


def _need_root() -> None:
    if os.geteuid() != 0:
        raise Skip("mounting takes root")


def _closed(folder: Path) -> Path:
    """A folder that can't be written."""
    closed = folder / "closed"
    closed.mkdir()
    closed.chmod(0o555)
    return closed


def _bound() -> list[str]:
    """Root may write everywhere unless that is taken from it."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        raise Skip("root, and no setpriv to write less with")
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


@contextmanager
def _mounted(folder: Path, options: str) -> Iterator[Path]:
    """A disk of memory."""
    _need_root()
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True, text=True, timeout=60
    )
    if done.returncode:
        raise Skip(f"can't be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True, timeout=60)

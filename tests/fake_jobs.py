"""Jobs that are quick, killed or refused; importable by the processes that tests start."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from illures.errors import InputError


@dataclass(frozen=True)
class Squares:
    """Each piece gives its square. Where `mark` is named, the process of piece 2 is killed once, or always."""

    mark: Path | None = None
    always: bool = False
    lacks: str = ""

    def __call__(self):
        if self.lacks:
            raise InputError(f"{self.lacks}: is not there")
        return self.square

    def square(self, piece: int) -> int:
        if piece == 2 and self.mark is not None and (self.always or not self.mark.exists()):
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return piece * piece


@dataclass(frozen=True)
class Waits:
    """Each piece takes until its process is ended, and says in a folder that it is at work; likewise each start."""

    folder: Path

    def __setstate__(self, state: dict[str, Path]) -> None:
        (state["folder"] / f"begun-{os.getpid()}").touch()
        time.sleep(0.3)
        self.__dict__.update(state)

    def __call__(self):
        return self.wait

    def wait(self, piece: int) -> int:
        (self.folder / f"at-work-{piece}").touch()
        time.sleep(600)
        return piece


@dataclass(frozen=True)
class PhotoSizes:
    """Writes the size of each photo to a file; importable by the workers that tests start.

    With `folder`, each worker notes there every photo that it begins, and waits at its second until "go" is there. A
    photo whose name holds "killer" kills its worker.
    """

    folder: Path | None = None

    def __call__(self):
        seen: list[Path] = []

        def size(photo: Path, results: Path) -> int:
            from illures.io.photos import open_photo

            seen.append(photo)
            if self.folder is not None:
                with (self.folder / f"worker-{os.getpid()}").open("a") as note:
                    note.write(f"{photo.name}\n")
                if len(seen) == 2:
                    wait_for(lambda: (self.folder / "go").exists())
            if "killer" in photo.name:
                os.kill(os.getpid(), signal.SIGKILL)
            height, width = open_photo(photo).photo.shape[:2]
            (results / "more").mkdir(parents=True)
            (results / "size.txt").write_text(f"{width} x {height}")
            (results / "more" / "name.txt").write_text(photo.name)
            return 1

        return size


def wait_for(ready: Callable[[], bool], seconds: float = 400) -> None:
    """Wait until something is so; a test may fail, but never hang."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"waited for {seconds} s")
        time.sleep(0.05)

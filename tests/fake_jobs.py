"""Jobs that are quick, killed or refused; importable by the processes that tests start."""

from __future__ import annotations

import os
import signal
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

"""The command line, called in this process."""

from pathlib import Path

import pytest

from illures import cli


def run(*words: object) -> int:
    """Exit code of `illures WORDS`."""
    with pytest.raises(SystemExit) as ended:
        cli.main([str(word) for word in words])
    return int(ended.value.code or 0)


def run_captured(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit code of `illures WORDS`, and what it wrote to stdout and stderr."""
    code = run(*words)
    out, err = capsys.readouterr()
    return code, out, err


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}

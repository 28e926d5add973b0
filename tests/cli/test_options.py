"""Options of all commands: the same name has the same type and the same help everywhere, or is an exception below."""

import typing
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from cyclopts import App

from illures import cli
from illures.cli.app import RENAMED, current_names

# What may differ between commands, and why.
OTHER_TYPE = {
    "--format": "maps have no jpg, and floats",
    "--size": "shards of real clips have one of two sizes",
    "--weights": "`evaluate` takes several",
}
OTHER_HELP = {
    "--format": "formats of maps and of pictures",
    "--output": "says what the file or folder is",
    "-o": "says what the file or folder is",
}


def commands(app: App, name: tuple[str, ...] = ()) -> Iterator[tuple[str, App]]:
    """Each command with its words, also those of groups such as `synth`."""
    for word in app:
        if not word.startswith("-"):
            yield from commands(app[word], (*name, word))
    if app.default_command is not None:
        yield " ".join(name), app


def options() -> dict[str, list[tuple[str, Any, str]]]:
    """Command, type and help of each name, options and positional ones alike."""
    found = defaultdict(list)
    for name, command in commands(cli.app):
        arguments = command.assemble_argument_collection(
            default_parameter=cli.app.default_parameter, parse_docstring=True
        )
        for argument in arguments:
            for option in argument.names:
                if option != "*":  # a group of options
                    found[option].append((name, _plain(argument.hint), str(argument.parameter.help or "").strip()))
    return dict(found)


def _plain(hint: Any) -> Any:
    """The type, of an optional one that which is not None."""
    inner = [each for each in typing.get_args(hint) if each is not type(None)]
    return inner[0] if type(None) in typing.get_args(hint) and len(inner) == 1 else hint


OPTIONS = options()


def test_all_commands_are_seen():
    names = {command for uses in OPTIONS.values() for command, _, _ in uses}
    assert {"decompose", "relight", "edit", "video", "evaluate", "synth custom", "synth preview", "train"} <= names
    assert len(OPTIONS["--output"]) > 10


@pytest.mark.parametrize("option", sorted(name for name, uses in OPTIONS.items() if len(uses) > 1))
def test_one_name_has_one_meaning(option):
    uses = OPTIONS[option]
    types, texts = {str(hint) for _, hint, _ in uses}, {text for _, _, text in uses}
    assert (len(types) == 1) != (option in OTHER_TYPE), uses
    assert (len(texts) == 1) != (option in OTHER_HELP), uses


def test_every_option_is_described():
    for option, uses in OPTIONS.items():
        for command, _, text in uses:
            assert text.endswith((".", ".)")) and len(text) > 10, (command, option, text)
        assert not option.startswith("--empty-"), option


def test_photos_of_all_commands_are_chosen_alike():
    chosen = ("PHOTOS", "--recursive", "--min-face", "--min-score", "--skip-existing", "--json", "--workers")
    for option in chosen:
        assert {command for command, _, _ in OPTIONS[option]} >= {"decompose", "relight", "edit"}, option


def test_what_a_clip_refuses_is_not_offered():
    (text,) = {text for command, _, text in OPTIONS["--light"] if command == "video"}
    assert '"all"' not in text


def test_old_names_still_work_and_are_no_others():
    for command, renamed in RENAMED.items():
        now = {option for option, uses in OPTIONS.items() for name, _, _ in uses if name.split()[0] == command}
        for old, new in renamed.items():
            assert new in now and old not in now
            assert current_names([command, old, f"{old}=a=b"]) == [command, new, f"{new}=a=b"]
    assert current_names(["synth", "custom", "--models=x"]) == ["synth", "custom", "--models=x"]
    assert current_names([]) == []

"""The order of the packages: each imports those below it, and no two modules import each other."""

import ast
from functools import cache
from pathlib import Path

import pytest

import illures

SOURCE = Path(illures.__file__).parent
# From bottom to top; docs/design.md says what each is for.
ORDER = [
    "errors",
    "types",
    "math",
    "render",
    "io",
    "jobs",
    "faces",
    "model",
    "decompose",
    "relighting",
    "editing",
    "video",
    "data",
    "synth",
    "evaluate",
    "train",
    "web",
    "cli",
]


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(SOURCE.rglob("*.py"))} | {"": SOURCE / "__init__.py"}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path) -> set[str]:
    """Modules of illures that a module imports, at its top or within functions; "" is the package itself."""
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module and node.module.split(".")[0] == "illures":
                parent = node.module.partition(".")[2]
                inside = {f"{parent}.{alias.name}".lstrip(".") for alias in node.names}
                # A name of a package is a module of it, or stands in its `__init__`.
                found |= {name if name in MODULES else parent for name in inside}
        elif isinstance(node, ast.Import):
            found |= {a.name.partition(".")[2] for a in node.names if a.name.split(".")[0] == "illures"}
    return found


@cache
def graph() -> dict[str, set[str]]:
    """What each module imports."""
    return {name: imports_of(path) - {name} for name, path in MODULES.items() if name not in ("", "__main__")}


def test_every_module_is_in_a_listed_package():
    assert {name.split(".")[0] for name in graph()} == set(ORDER)


@pytest.mark.parametrize("package", ORDER)
def test_packages_import_those_below_them(package):
    allowed = {"", *ORDER[: ORDER.index(package) + 1]}
    for name, imports in graph().items():
        if name.split(".")[0] == package:
            above = sorted(i for i in imports if i.split(".")[0] not in allowed)
            assert not above, f"illures.{name} reaches up to {above}"


def test_no_two_modules_import_each_other():
    done: set[str] = set()

    def follow(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, "a circle: " + " -> ".join((*way[way.index(name) :], name))
        if name not in done:
            for other in sorted(graph().get(name, ())):
                follow(other, (*way, name))
            done.add(name)

    for name in graph():
        follow(name, ())


def test_only_its_own_packages_import_the_heavy_libraries():
    homes = {"mitsuba": {"synth", "evaluate"}, "fastapi": {"web"}, "uvicorn": {"web"}, "cyclopts": {"cli"}}
    homes["onnxruntime"] = {"io"}  # which turns its telemetry off
    for name, path in MODULES.items():
        for node in ast.walk(parsed(path)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for library in {n.split(".")[0] for n in names} & homes.keys():
                assert name.split(".")[0] in homes[library], f"illures.{name} imports {library}"

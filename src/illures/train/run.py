"""What `illures train` does: shards and a recipe in, a folder with checkpoint, logs and weights out."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from illures.data.cache import SampleCache
from illures.data.synthetic import prepare
from illures.errors import InputError
from illures.train.recipe import load_recipe

WEIGHTS = "weights.safetensors"


def run(recipe_file: Path, folders: list[Path], output: Path) -> Path:
    """Train, or go on training, and write `output`/weights.safetensors; return its path.

    Args:
        recipe_file: TOML, see `train.recipe`.
        folders: of shards, each a synthetic set.
        output: made here; a run of the same recipe in it is taken up where it stood.

    Raises:
        InputError: bad recipe, no shards, or torch is not installed.
    """
    recipe = load_recipe(recipe_file)
    try:
        from illures.model.export import save_weights
        from illures.train.loop import Training
    except ImportError as error:
        raise InputError(f"{error.name}: not installed; training needs `pip install illures[train]`") from error
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        refresh_per_second=1,
    )
    with bar:
        caching = bar.add_task("samples to cache", total=None)
        caches = prepare(folders, output / "cache", lambda count: bar.update(caching, completed=count))
        cache = SampleCache(caches)
        training = Training(recipe, cache, output)
        task = bar.add_task("images", total=recipe.images, completed=training.seen)

        def report(seen: int, terms: dict[str, float]) -> None:
            words = "  ".join(f"{name} {value:.3f}" for name, value in terms.items())
            bar.update(task, completed=seen, description=words)

        training.run(report)
    path = output / WEIGHTS
    data = f"{len(cache)} renders: " + "; ".join(_describe(folder) for folder in folders)
    save_weights(path, training.network(), recipe.to_dict(), data, {})
    return path


def _describe(folder: Path) -> str:
    """The recipe of a synthetic set on one line."""
    note = folder / "recipe.json"
    return " ".join(note.read_text().split()) if note.is_file() else folder.name

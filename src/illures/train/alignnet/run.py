"""`illures train` for recipes that pre-train an AlignNet."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import TextColumn

from illures.data.shards import name_of
from illures.errors import InputError
from illures.jobs.progress import Progress, timed_columns
from illures.train.alignnet.recipe import load_align_recipe


def run_align(recipe_file: Path, folders: list[Path], output: Path) -> Path:
    """Pre-train an AlignNet or resume, and write its weights; return their path.

    Args:
        recipe_file: TOML with `kind = "align"`.
        folders: of shards: `align-albedo` or `align-normal` sets, or any with several views of a person.
        output: made here; gets align-albedo.safetensors or align-normal.safetensors, so that both in one folder are
            what `illures train --align` takes. A run of the same recipe in it is resumed.

    Raises:
        InputError: bad recipe, no shards, no pairs in them, the loss is not finite, or several processes were started.
        KeyboardInterrupt: after a checkpoint was written.
    """
    from illures.train.alignnet.pairs import prepare_views
    from illures.train.alignnet.training import AlignTraining

    recipe = load_align_recipe(recipe_file)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError(f"{recipe_file}: AlignNets are trained by one process, torchrun started several")
    output.mkdir(parents=True, exist_ok=True)
    with _bar() as bar:
        caching = bar.add_task("views to cache", total=None)
        cache = prepare_views(folders, output / "cache", lambda count: bar.update(caching, completed=count))
        bar.remove_task(caching)
        data = f"{len(cache)} views: " + "; ".join(name_of(folder) for folder in folders)
        training = AlignTraining(recipe, cache, output, data)
        task = bar.add_task("pairs", total=training.pairs, completed=training.seen)
        return training.run(_reporter(bar, lambda seen, words: bar.update(task, completed=seen, description=words)))


def _reporter(bar: Progress, show: Callable[[int, str], None]) -> Callable[[int, dict[str, float]], None]:
    """The loss beside the bar; validation results on lines above it."""

    def report(seen: int, figures: dict[str, float]) -> None:
        words = "  ".join(f"{name} {value:.3g}" for name, value in figures.items())
        if "loss" in figures:
            show(seen, words)
        else:
            bar.console.print(f"{seen} pairs, held out: {words}", highlight=False)

    return report


def _bar() -> Progress:
    return Progress(
        *timed_columns(),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
        refresh_per_second=1,
        unit="pairs",
    )

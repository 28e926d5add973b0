"""`illures train`: from a recipe, shards and videos to a folder with checkpoint, logs and weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import TaskID, TextColumn

from illures.data.cache import SampleCache
from illures.data.pairs import PairSampler, VideoFrames, prepare_frames, split_identities
from illures.data.synthetic import prepare
from illures.errors import InputError
from illures.jobs.pool import one_writer
from illures.jobs.progress import Progress, timed_columns
from illures.train.alignnet.recipe import is_align_recipe
from illures.train.alignnet.run import run_align
from illures.train.consistency import load_consistency
from illures.train.distributed import Ranks, joined
from illures.train.learner import initial_network
from illures.train.loop import CHECKPOINT, RealPairs, Report, Training
from illures.train.recipe import Recipe, about, find_recipe, load_recipe, shipped

WEIGHTS = "weights.safetensors"
_HELD_OUT_PAIRS = 24


def run(
    recipe_name: str | Path,
    folders: list[Path],
    output: Path,
    *,
    videos: list[Path] | None = None,
    initial: Path | None = None,
    align: Path | None = None,
    cache: Path | None = None,
    compiled: bool = False,
) -> Path:
    """Train or resume, and write `output`/weights.safetensors; return its path (an AlignNet's: `alignnet.run`).

    Args:
        recipe_name: of a shipped recipe, or a TOML file; see `train.recipe`.
        folders: of shards, each a synthetic set.
        output: created if missing; a run of the same recipe in it is resumed.
        videos: folders of shards that `illures videos` wrote.
        initial: weights to start from, instead of the recipe's.
        align: folder of trained AlignNets, for recipes that need them.
        cache: folder of the caches of samples, which several runs may share; None: `output`/cache.
        compiled: compile the network with torch.compile.

    Raises:
        InputError: bad recipe, no shards, or data and settings that do not fit.
    """
    file = find_recipe(str(recipe_name))
    if is_align_recipe(file):
        with one_writer(output):
            return run_align(file, folders, output)
    recipe = load_recipe(file)
    if initial is not None:
        recipe = replace(recipe, initial=str(initial))
    with joined() as ranks, one_writer(output) if ranks.first else nullcontext(), _bar(ranks.first) as bar:
        training = _prepared(recipe, folders, videos or [], align, output, cache, ranks, bar, compiled)
        task = bar.add_task("images", total=recipe.images, completed=training.seen)
        training.run(_reporter(bar, task))
        path = output / WEIGHTS
        if ranks.first:
            training.finish(path)
    return path


def recipes() -> str:
    """The shipped recipes, one per line: name and description."""
    width = max(map(len, shipped()))
    return "\n".join(f"{name:{width}}  {about(path)}" for name, path in shipped().items())


def _prepared(
    recipe: Recipe,
    folders: list[Path],
    videos: list[Path],
    align: Path | None,
    output: Path,
    kept: Path | None,
    ranks: Ranks,
    bar: Progress,
    compiled: bool,
) -> Training:
    """Read and check everything; the first process builds the caches for all."""
    # Errors are reported before minutes are spent on caches.
    if recipe.needs_videos and not videos:
        raise InputError("the recipe trains on real pairs: give frames of videos with --videos")
    if recipe.initial and not (output / CHECKPOINT).exists():
        initial_network(recipe)
    consistency = load_consistency(recipe.align, align, plain=recipe.plain) if recipe.needs_alignment else None
    if not ranks.first:
        ranks.wait()
    caching = bar.add_task("samples to cache", total=None)

    def progress(count: int) -> None:
        bar.update(caching, completed=count)

    cache = SampleCache(prepare(folders, kept or output / "cache", progress, recipe.network.size))
    data, real = f"{len(cache)} renders: " + "; ".join(_describe(folder) for folder in folders), None
    if recipe.needs_videos:
        bar.update(caching, description="frames to cache")
        frames = VideoFrames(prepare_frames(videos, output / "frames"))
        data += f"; {len(frames)} frames of {len(np.unique(frames.identity))} people in videos, {_licences(frames)}"
        bar.console.print(f"videos: {_licences(frames)}", markup=False, highlight=False, soft_wrap=True)
        real = _real_pairs(frames, recipe)
    bar.remove_task(caching)
    if ranks.first:
        ranks.wait()
    return Training(
        recipe, cache, output, videos=real, consistency=consistency, ranks=ranks, data=data, compiled=compiled
    )


def _licences(frames: VideoFrames) -> str:
    """Licences of the clips, and how many have each."""
    clips = dict(zip(frames.clip.tolist(), frames.licence.tolist(), strict=True))
    counts = Counter(licence or "of no known licence" for licence in clips.values())
    return ", ".join(f"{count} {'clip' if count == 1 else 'clips'} {name}" for name, count in counts.most_common())


def _real_pairs(frames: VideoFrames, recipe: Recipe) -> RealPairs:
    """Pairs of training people, and some of held-out people; the same for every recipe with that share."""
    names, counts = np.unique(frames.identity, return_counts=True)
    paired = names[counts > 1]
    share = recipe.held_out if len(paired) > 1 else 0.0  # a single person is used for training
    train, held = split_identities(paired, share, seed=0)
    sampler = PairSampler(frames, recipe.seed, train, recipe.across)
    if not held:
        return RealPairs(sampler)
    chosen = PairSampler(frames, 0, held, across=1.0)
    return RealPairs(sampler, chosen.batch(0, _HELD_OUT_PAIRS))


def _reporter(bar: Progress, task: TaskID) -> Report:
    """Terms of the loss beside the bar, and the last validation below it."""
    latest = {"loss": "", "validation": ""}

    def report(seen: int, figures: dict[str, float]) -> None:
        kind = "validation" if "score" in figures else "loss"
        latest[kind] = "  ".join(f"{name} {value:.3g}" for name, value in figures.items())
        held_out = f"\nheld out: {latest['validation']}" if latest["validation"] else ""
        bar.update(task, completed=seen, description=latest["loss"] + held_out)
        if kind == "validation":
            bar.tell(task)

    return report


@contextmanager
def _bar(shown: bool) -> Iterator[Progress]:
    columns = *timed_columns(), TextColumn("{task.description}")
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=1, shown=shown, unit="images") as bar:
        yield bar


def _describe(folder: Path) -> str:
    """The recipe of a synthetic set on one line."""
    note = folder / "recipe.json"
    return " ".join(note.read_text().split()) if note.is_file() else folder.name

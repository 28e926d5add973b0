"""Shapes and types in signatures are checked while testing; fixtures shared by the modules."""

import gc
import os
import signal
import sys
import types
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path

# Libraries make millions of objects while they are imported, which all stay: looking through them again and again for
# garbage takes a third of the time. See `pytest_collection_finish`.
gc.disable()

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores: pools of threads that wait for each other would take many times as long.
    os.environ["OMP_NUM_THREADS"] = "1"

# A run in the background or under nohup inherits that they are ignored, and so would the programs that tests start.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, handler)

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before a test imports ONNX Runtime by itself

from beartype import BeartypeConf, beartype  # noqa: E402
from jaxtyping import install_import_hook  # noqa: E402

# As PEP 484 has it, an int will do where a float is asked for. The hook takes its checker by name only.
checker = types.ModuleType("illures_test_checker")
checker.check = beartype(conf=BeartypeConf(is_pep484_tower=True))
sys.modules[checker.__name__] = checker
install_import_hook("illures", f"{checker.__name__}.check")

import hypothesis  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

# How long an example takes says how busy the machine is, and nothing of the code. The examples are the same in every
# run: a change is judged by its own faults, and not by an old one that is met by chance.
hypothesis.settings.register_profile(
    "illures", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("illures")

# They train, render, start browsers, servers and other processes, or run the shipped weights on photos and clips:
# `make test-fast` leaves them out. They run in this order, before the others: what takes longest first, so that the
# processes of xdist end at about the same time.
SLOW = [
    "tests/robustness",
    "tests/test_docs.py",
    "tests/train/test_loop.py",
    "tests/train/test_end_to_end.py",
    "tests/jobs/test_ray_photos.py",
    "tests/synth/test_ray.py",
    "tests/train/test_distributed.py",
    "tests/test_release.py",
    "tests/test_examples.py",
    "tests/web",
    "tests/video",
    "tests/editing",
    "tests/relighting/test_weight.py",
    "tests/relighting/test_relight.py",
    "tests/relighting/test_shadows.py",
    "tests/integrations",
    "tests/data/test_videos.py",
    "tests/evaluate/test_methods.py",
    "tests/evaluate/test_rivals.py",
    "tests/evaluate/test_runner.py",
    "tests/evaluate/benchmarks/test_scan.py",
    "tests/evaluate/benchmarks/test_video.py",
    "tests/fuzz",
    "tests/model/test_network.py",
    "tests/model/test_onnxfile.py",
    "tests/model/test_weights.py",
    "tests/model/test_warp.py",
    "tests/synth/test_generate.py",
    "tests/synth/heads/test_models.py",
    "tests/synth/test_preview.py",
    "tests/synth/renderer/test_scene.py",
    "tests/synth/renderer/test_transport.py",
    "tests/synth/renderer/test_views.py",
    "tests/synth/accessories/test_outfit.py",
    "tests/synth/accessories/test_worn_on_the_face.py",
    "tests/cli/test_cli.py",
    "tests/cli/test_in_threads.py",
    "tests/cli/test_interrupted.py",
    "tests/cli/test_verbs.py",
    "tests/cli/test_grammar.py",
    "tests/io/test_exr_layers.py",
    "tests/io/test_extras.py",
    "tests/io/test_hostile.py",
    "tests/io/test_onnx_runtime.py",
    "tests/io/test_still_colours.py",
    "tests/jobs/test_pool.py",
    "tests/decompose/test_same_everywhere.py",
    "tests/decompose/test_textured_mesh.py",
    "tests/train/alignnet/test_recipe.py",
    "tests/train/test_consistency.py",
    "tests/train/test_run.py",
    "tests/train/test_validate.py",
]


def _slow(path: Path) -> int | None:
    """Place in `SLOW` of a file, or None for one that is not slow."""
    root = Path(__file__).parents[1]
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else ""
    return next((k for k, slow in enumerate(SLOW) if name == slow or name.startswith(slow + "/")), None)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Without the slow tests, their files and what these import need not even be read."""
    return True if config.option.markexpr == "not slow" and _slow(collection_path) is not None else None


def pytest_collection_finish() -> None:
    """What has been imported is no garbage."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    root = Path(__file__).parents[1]
    missing = [name for name in SLOW if not (root / name).exists()]
    if missing:
        raise pytest.UsageError(f"tests/conftest.py: SLOW names what is not there: {', '.join(missing)}")

    def place(item: pytest.Item) -> int:
        found = _slow(item.path)
        return len(SLOW) if found is None else found

    for item in items:
        if place(item) < len(SLOW):
            item.add_marker(pytest.mark.slow)
    items.sort(key=place)


@pytest.fixture(autouse=True, scope="module")
def priority_stays() -> Iterator[None]:
    """No test may leave its process with a real-time priority: all it starts later inherits it and starves the rest."""
    before = os.sched_getscheduler(0)
    yield
    assert os.sched_getscheduler(0) == before, "this module changed the scheduling policy of its process"


@pytest.fixture(scope="module")
def decomposed_once() -> Iterator[None]:
    """Weights are loaded once, and equal photos decomposed once: a decomposer keeps nothing from photo to photo."""
    from illures.decompose.decomposer import Decomposer
    from illures.io.photos import Opened
    from illures.model.predictor import Predictor

    decompose, known = Decomposer._each, {}

    def each(self: Decomposer, images: list[Opened]) -> list:
        network = getattr(self.predictor, "predictor", self.predictor)
        arrays = [array for image in images for array in (image.photo, image.alpha)]
        pixels = [a if a is None else (a.shape, a.dtype, sha256(np.ascontiguousarray(a)).digest()) for a in arrays]
        key = (type(self.predictor), network, self.size, self.find_faces, self.is_grey, *pixels)
        if key not in known:
            known[key] = decompose(self, images)
        return [list(faces) for faces in known[key]]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Predictor, "from_pretrained", staticmethod(cache(Predictor.from_pretrained)))
        patch.setattr(Decomposer, "_each", each)
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def unit_vectors(rng: np.random.Generator) -> np.ndarray:
    """500 directions spread over the whole sphere."""
    vectors = rng.standard_normal((500, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

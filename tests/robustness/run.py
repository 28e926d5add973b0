"""Runs that die, and hostile surroundings: `python tests/robustness/run.py 50`, or `make robustness KILLS=50`.

Ends each of the verbs that work long at so many random moments (KILL, TERM, INT and HUP in turn), then runs the same
command again: nothing may be half written, left behind, lost or doubled. Then runs them where the disk is full, the
folder can't be written, two are at work at once, and so on: what can't be done is one clear line and exit code 2.
With --log FILE a run that was ended goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "benchmarks")]

from robustness.ending import Kill, in_short  # noqa: E402
from robustness.kills import kill_verb  # noqa: E402
from robustness.surroundings import SURROUNDINGS, Case, try_all  # noqa: E402
from robustness.verbs import VERBS, make_inputs  # noqa: E402

ALL = (*VERBS, "studio")


class Log:
    """Lines of JSON, one for each thing that was tried.

    Args:
        path: of the file; None keeps nothing beyond the run.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        lines = path.read_text().splitlines() if path is not None and path.exists() else []
        self._all: list[dict[str, Any]] = [json.loads(line) for line in lines if line.endswith("}")]

    def add(self, thing: Kill | Case, **further: object) -> None:
        """One that was tried."""
        self._all.append({"kind": type(thing).__name__, **further, **asdict(thing)})
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps(self._all[-1]) + "\n")

    def of(self, kind: type[Kill] | type[Case], **wanted: object) -> list[dict[str, Any]]:
        """What was tried, by its fields."""
        wanted["kind"] = kind.__name__
        return [thing for thing in self._all if all(thing.get(key) == value for key, value in wanted.items())]


def main() -> int:
    """Run, print the tables; 1 where there is a fault."""
    given = _arguments()
    log = Log(given.log)
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # other users are tried, too
        make_inputs(folder / "inputs")
        for verb in given.verbs:
            _kill(verb, given.kills, folder, given.seed, log)
        for surroundings in given.surroundings:
            _try(surroundings, [verb for verb in given.verbs if verb in VERBS], folder, log)
    print("\n".join([*_kills(log), *_cases(log)]))
    if given.record:
        _record(log)
    return int(any(kill["fault"] for kill in log.of(Kill)) or bool(log.of(Case, verdict="fault")))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kills", type=int, nargs="?", default=50, help="moments for each verb; 0 for none")
    parser.add_argument("--verbs", nargs="+", choices=ALL, default=ALL)
    parser.add_argument("--surroundings", nargs="*", choices=tuple(SURROUNDINGS), default=tuple(SURROUNDINGS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, help="keep here what was tried, and go on from what is there")
    parser.add_argument("--record", action="store_true", help="write benchmarks/results/robustness.json")
    return parser.parse_args()


def _kill(verb: str, kills: int, folder: Path, seed: int, log: Log) -> None:
    done = {kill["moment"] for kill in log.of(Kill, verb=verb, seed=seed)}
    missing = [moment for moment in range(kills) if moment not in done]
    started = time.monotonic()
    for kill in kill_verb(verb, missing, folder / "inputs", folder, seed) if missing else ():
        log.add(kill, seed=seed, commit=_commit())
        print(f"{kill} ({time.monotonic() - started:.0f} s)", flush=True)


def _try(surroundings: str, verbs: list[str], folder: Path, log: Log) -> None:
    missing = [verb for verb in verbs if not log.of(Case, place=surroundings, of=verb)]
    for verb in missing:
        # Logged only when all cases of a verb are done: otherwise a run that goes on would take some for all.
        for case in list(try_all([surroundings], [verb], folder / "inputs", folder)):
            log.add(case, place=surroundings, of=verb, commit=_commit())
            print(case, flush=True)


def _commit() -> str:
    from record import commit

    return commit()


def _kills(log: Log) -> Iterator[str]:
    """Table of the kills."""
    if log.of(Kill):
        yield f"{'verb':12}{'kills':>7}{'too late':>10}{'faults':>8}"
    for verb in ALL:
        kills = log.of(Kill, verb=verb)
        if kills:
            faults = _faults(kills)
            yield f"{verb:12}{len(kills):>7}{sum(kill['too_late'] for kill in kills):>10}{len(faults):>8}"
            yield from (f"  {fault}" for fault in faults)


def _faults(kills: list[dict[str, Any]]) -> list[str]:
    """One line for each."""
    return [f"{kill['moment']} {kill['signal']}: {in_short(kill['fault'])}" for kill in kills if kill["fault"]]


def _cases(log: Log) -> Iterator[str]:
    """Table of the surroundings: how many of each ended how, and the faults."""
    cases = sorted(log.of(Case), key=lambda case: case["surroundings"])
    if cases:
        yield f"{'surroundings':24}{'works':>7}{'clear error':>13}{'skipped':>9}{'faults':>8}"
    for name, group in groupby(cases, key=lambda case: case["surroundings"]):
        of = list(group)
        works, error, skipped, fault = _verdicts(of)
        yield f"{name:24}{works:>7}{error:>13}{skipped:>9}{fault:>8}"
        yield from (f"  {case['verb']}: {case['words']}" for case in of if case["verdict"] == "fault")
        yield from dict.fromkeys(f"  skipped: {case['words']}" for case in of if case["verdict"] == "skipped")


def _verdicts(cases: list[dict[str, Any]]) -> list[int]:
    return [sum(case["verdict"] == verdict for case in cases) for verdict in ("works", "error", "skipped", "fault")]


def _record(log: Log) -> None:
    """Write the figures; surroundings of an earlier table stay where none were tried."""
    from record import RESULTS, record

    kills = {
        verb: {
            "kills": len(of),
            "too_late": sum(kill["too_late"] for kill in of),
            "faults": _faults(of),
            "commits": sorted({kill["commit"] for kill in of}),
        }
        for verb in ALL
        if (of := log.of(Kill, verb=verb))
    }
    surroundings = {
        name: dict(zip(("works", "clear_error", "skipped", "fault"), _verdicts(of), strict=True))
        | {"verbs": sorted({case["verb"] for case in of}), "commits": sorted({case["commit"] for case in of})}
        for name in sorted({case["surroundings"] for case in log.of(Case)})
        if (of := log.of(Case, surroundings=name))
    }
    before = RESULTS / "robustness.json"
    if not surroundings and before.exists():
        surroundings = json.loads(before.read_text())["figures"]["surroundings"]
    record("robustness", {"kills": kills, "surroundings": surroundings})


if __name__ == "__main__":
    sys.exit(main())

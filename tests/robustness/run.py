"""Runs that die, and hostile surroundings: `python tests/robustness/run.py 50`, or `make robustness KILLS=50`.

Ends each of the verbs that work long at so many random moments (KILL, TERM, INT and HUP in turn), then runs the same
command again: nothing may be half written, left behind, lost or doubled. Then runs them where the disk is full, the
folder can't be written, two are at work at once, and so on: what can't be done is one clear line and exit code 2.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path[:0] = [str(Path(__file__).parents[1])] if __name__ == "__main__" else []

from robustness.ending import Row  # noqa: E402
from robustness.kills import kill_verb  # noqa: E402
from robustness.surroundings import SURROUNDINGS, Case, try_all  # noqa: E402
from robustness.verbs import VERBS, make_inputs  # noqa: E402

ALL = (*VERBS, "studio")


def main() -> int:
    """Run, print the tables; 1 where there is a fault."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kills", type=int, nargs="?", default=50, help="moments for each verb; 0 for none")
    parser.add_argument("--verbs", nargs="+", choices=ALL, default=ALL)
    parser.add_argument("--surroundings", nargs="*", choices=tuple(SURROUNDINGS), default=tuple(SURROUNDINGS))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # other users are tried, too
        make_inputs(folder / "inputs")
        rows = []
        for verb in given.verbs if given.kills else ():
            started = time.monotonic()
            rows.append(kill_verb(verb, given.kills, folder / "inputs", folder, given.seed))
            print(f"{verb}: {rows[-1].killed} kills in {time.monotonic() - started:.0f} s", flush=True)
        verbs = [verb for verb in given.verbs if verb in VERBS]
        cases = list(try_all(given.surroundings, verbs, folder / "inputs", folder, told=lambda c: print(c, flush=True)))
    print("\n".join(table(rows)))
    print("\n".join(summary(cases)))
    return int(any(row.faults for row in rows) or any(case.verdict == "fault" for case in cases))


def table(rows: list[Row]) -> list[str]:
    """Of the kills."""
    lines = [f"{'verb':12}{'kills':>7}{'too late':>10}{'faults':>8}"] if rows else []
    for row in rows:
        lines += [f"{row.verb:12}{row.killed:>7}{row.too_late:>10}{len(row.faults):>8}"]
        lines += [f"  {fault}" for fault in row.faults]
    return lines


def summary(cases: list[Case]) -> list[str]:
    """Of the surroundings: how many of each ended how, and the faults."""
    lines = [f"{'surroundings':24}{'works':>7}{'clear error':>13}{'skipped':>9}{'faults':>8}"] if cases else []
    for name in dict.fromkeys(case.surroundings for case in cases):
        of = [case for case in cases if case.surroundings == name]
        works, error, skipped, fault = (
            sum(case.verdict == v for case in of) for v in ("works", "error", "skipped", "fault")
        )
        lines += [f"{name:24}{works:>7}{error:>13}{skipped:>9}{fault:>8}"]
        lines += [f"  {case}" for case in of if case.verdict == "fault"]
        lines += list(dict.fromkeys(f"  skipped: {case.words}" for case in of if case.verdict == "skipped"))
    return lines


if __name__ == "__main__":
    sys.exit(main())

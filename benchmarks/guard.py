"""Holds the counts against `baseline.json`: what grows by more than a twentieth fails, unless it is accepted.

`python -m benchmarks.guard` compares, with `--accept` it makes the present counts the baseline. Times are
none of this: they tell about the machine too, and `make bench` reports them.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.counts import CALLGRIND_COUNT, Counted, Counts, count_all
from benchmarks.execution import FunctionFailed
from benchmarks.packaging import NotBuilt
from tests.kills.artefact import BuildFailed

BASELINE = Path(__file__).with_name("baseline.json")
GROWTH_PERCENT = 5

_INTERPRETER = "interpreter"
_COUNTS = "counts"
_TELL = (
    "If that is worth it, `python -m benchmarks.guard --accept` makes it the baseline; commit "
    "benchmarks/baseline.json with the change, and say in the commit what it buys."
)
_KEEP = "accept it, so that it stays so"
_CANT_COUNT = 2


def compare(baseline: Counts, counted: Counted, counted_on: str) -> tuple[list[str], list[str]]:
    """Returns what fails, and what else there is to tell.

    Args:
        counted_on: the interpreter of the baseline.
    """
    failed, told = [], []
    for name, reason in counted.not_counted.items():
        told.append(f"{name}: not counted: {reason}")
    for name, now in counted.counts.items():
        before = baseline.get(name)
        if name == CALLGRIND_COUNT and counted.interpreter != counted_on:
            told.append(f"{name}: {now:,}; not compared: the baseline is of another build of Python")
        elif before is None:
            failed.append(f"{name}: {now:,}, and the baseline doesn't know it")
        elif now * 100 > before * (100 + GROWTH_PERCENT):
            failed.append(f"{name}: {now:,} instead of {before:,}{_growth(before, now)}")
        elif now * 100 < before * (100 - GROWTH_PERCENT):
            told.append(f"{name}: only {now:,} instead of {before:,}{_growth(before, now)}; {_KEEP}")
    for name in baseline.keys() - counted.counts.keys() - counted.not_counted.keys():
        failed.append(f"{name}: in the baseline, but not counted any more")
    return failed, told


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard", description=__doc__)
    parser.add_argument("--accept", action="store_true", help="make the present counts the baseline")
    accept = parser.parse_args().accept
    try:
        counted = count_all()
    except (NotBuilt, BuildFailed, FunctionFailed) as error:
        print(error, file=sys.stderr)
        return _CANT_COUNT
    known: dict[str, Any] = {_COUNTS: {}, _INTERPRETER: ""}
    if BASELINE.exists():
        known = json.loads(BASELINE.read_text())
    if accept:
        # What can't be counted here stays as somebody else counted it.
        kept = {name: known[_COUNTS][name] for name in counted.not_counted if name in known[_COUNTS]}
        interpreter = known[_INTERPRETER] if counted.not_counted else counted.interpreter
        counts = dict(sorted((counted.counts | kept).items()))
        BASELINE.write_text(json.dumps({_INTERPRETER: interpreter, _COUNTS: counts}, indent=2) + "\n")
        print(f"{len(counts)} counts are the baseline now.")
        return 0
    failed, told = compare(known[_COUNTS], counted, known[_INTERPRETER])
    for line in told:
        print(line)
    if failed:
        print("", f"Grown by more than {GROWTH_PERCENT} %:", *failed, _TELL, sep="\n", file=sys.stderr)
        return 1
    print(f"{len(counted.counts)} counts, none grown by more than {GROWTH_PERCENT} %.")
    return 0


def _growth(before: int, now: int) -> str:
    return f" ({(now - before) / before:+.1%})" if before else ""


if __name__ == "__main__":
    sys.exit(main())

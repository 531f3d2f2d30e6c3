"""`make bench`: builds everyone, measures them in rounds, writes the report and the chart."""

import argparse
import os
import secrets
import sys
import time
from pathlib import Path

from benchmarks import packaging, report
from benchmarks.chart import as_svg
from benchmarks.contestants import contestants
from benchmarks.execution import FunctionFailed
from benchmarks.rounds import Measurement
from benchmarks.stub import Stub
from tests.kills.artefact import BuildFailed

RESULTS = Path(__file__).parent / "results"
ROUNDS = 9
MAX_ROUNDS = 100

_CANT_MEASURE = 2


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how many, at most {MAX_ROUNDS}")
    parser.add_argument("--seed", type=int, help="of the order within the rounds; by default a fresh one")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder the results go to")
    options = parser.parse_args()
    if not 1 <= options.rounds <= MAX_ROUNDS:
        parser.error(f"--rounds must be from 1 to {MAX_ROUNDS}")
    if not Path("/proc/self/status").exists():
        report.say("Processes are measured as Linux tells of them; there is no /proc here.")
        return _CANT_MEASURE
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    try:
        run = measure(options.rounds, seed)
    except (packaging.NotBuilt, BuildFailed, FunctionFailed) as error:
        report.say(str(error))
        return _CANT_MEASURE
    options.results.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("latest.md", report.as_markdown(run)),
        ("latest.json", report.as_json(run)),
        ("latest.svg", as_svg(run)),
    ):
        (options.results / name).write_text(text, encoding="utf-8")
    print(report.as_text(run))
    print(f"The whole report is in {options.results / 'latest.md'}.")
    return 0


def measure(rounds: int, seed: int) -> report.Run:
    """Returns a whole run.

    Raises:
        NotBuilt, BuildFailed: something could not be built.
        FunctionFailed: a contestant did not do its work.
    """
    began = time.monotonic()
    load = os.getloadavg()[0]
    with Stub() as stub:
        found, left_out = contestants(stub)
        for name, reason in left_out.items():
            report.say(f"{name}: {report.NOT_MEASURED}: {reason}")
        report.say(f"Measuring {len(found)} functions; the order is that of SEED={seed}.")
        measured = Measurement(found, seed, report.say).rounds(rounds)
    report.say(f"Measured in {time.monotonic() - began:.0f} s.")
    return report.Run(
        rounds=measured,
        seed=seed,
        left_out=left_out,
        sizes={name: packaging.size_of(each.package, each.leaving_out) for name, each in found.items()},
        layer=packaging.size_of(packaging.deployed_layer()),
        machine=report.describe_machine(),
        load=f"{load:.1f} before and {os.getloadavg()[0]:.1f} at the end",
        day=report.today(),
    )


if __name__ == "__main__":
    sys.exit(main())

"""The command: kills the built functions by the thousand, and judges what is left."""

import argparse
import asyncio
import contextlib
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.kills.artefact import Artefact, BuildFailed, build
from tests.kills.bugs import BUGS
from tests.kills.child import Stuck
from tests.kills.environments import FunctionError
from tests.kills.judge import Violation
from tests.kills.run import run
from tests.kills.world import Tally

DEFAULT_KILLS = 1000
KILLS_FOR_A_BUG = 800
TOLD_CHARACTERS = 200  # of each part of an error, which may be a whole delivery

_EPILOG = """The seed decides what is delivered and which plans are drawn, not the instant to the
microsecond: processes are real, and so is time. A seed that failed may have to be run some times."""


def main() -> int:
    """Returns 0 if everything held, 1 if something did not, 2 if it could not be run."""
    options = _options()
    try:
        artefact = build()
        if options.bugs:
            return _plant_each(artefact, options.seed)
        return _kill(artefact, options.kills, options.seed)
    except BuildFailed as error:
        print(error, file=sys.stderr)
        return 2


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__, epilog=_EPILOG)
    parser.add_argument("--kills", type=_positive, default=DEFAULT_KILLS, help="how many; %(default)s")
    by_chance = random.randrange(1_000_000)  # noqa: S311 - no secret, and printed
    parser.add_argument("--seed", type=int, default=by_chance, help="by chance unless said")
    parser.add_argument("--bugs", action="store_true", help="plant each known bug, and see it caught")
    return parser.parse_args()


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def _kill(artefact: Artefact, kills: int, seed: int) -> int:
    print(f"seed {seed}: {kills:,} kills", flush=True)
    started = time.monotonic()
    try:
        tally = _run(artefact, kills, seed, _progress(started, kills))
    except (Violation, FunctionError, Stuck) as error:
        print(f"\n{type(error).__name__}: {tell(error)}", file=sys.stderr)
        return 1
    print(f"\n{summary(tally, time.monotonic() - started)}")
    return 0


def _plant_each(artefact: Artefact, seed: int) -> int:
    missed = 0
    for name, bug in BUGS.items():
        with tempfile.TemporaryDirectory(prefix="kills-") as folder:
            planted = artefact.copied_to(Path(folder) / "planted")
            bug.plant(planted)
            started = time.monotonic()
            try:
                _run(planted, KILLS_FOR_A_BUG, seed, lambda _tally: None)
            except Violation as error:
                said = f"caught in {time.monotonic() - started:.0f} s: {tell(error, notes=1)}"
            except (FunctionError, Stuck) as error:
                missed += 1
                said = f"NOT CAUGHT, it ended otherwise: {tell(error)}"
            else:
                missed += 1
                said = f"NOT CAUGHT by {KILLS_FOR_A_BUG} kills"
            print(f"{name} ({bug.says})\n  {said}", flush=True)
    return 1 if missed else 0


def _run(artefact: Artefact, kills: int, seed: int, progress: Callable[[Tally], None]) -> Tally:
    """Runs in an event loop that SIGTERM ends as Ctrl-C does."""

    async def with_signals() -> Tally:
        task = asyncio.current_task()
        assert task
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await run(artefact, kills=kills, seed=seed, progress=progress)

    try:
        return asyncio.run(with_signals())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _progress(started: float, kills: int) -> Callable[[Tally], None]:
    told_at = started

    def tell_now(tally: Tally) -> None:
        nonlocal told_at
        now = time.monotonic()
        live = sys.stdout.isatty()
        if now - told_at < (0.2 if live else 10) and tally.killed < kills:
            return
        told_at = now
        line = (
            f"{tally.killed:,} kills, {tally.rounds:,} rounds, {tally.killed / (now - started):.1f} kills/s"
        )
        with contextlib.suppress(BrokenPipeError):
            print(f"\r{line}  " if live else line, end="" if live else "\n", flush=True)

    return tell_now


def tell(error: BaseException, notes: int | None = None) -> str:
    told = ": ".join(str(part)[:TOLD_CHARACTERS] for part in error.args)
    return "; ".join([told, *getattr(error, "__notes__", [])[:notes]])


def summary(tally: Tally, seconds: float) -> str:
    """Returns what was done, as a table of instants by functions."""
    functions = sorted({function for function, _ in tally.kills})
    instants = sorted({instant for _, instant in tally.kills})
    rows = [["", *functions, "all"]]
    for instant in instants:
        counts = [tally.kills[function, instant] for function in functions]
        rows.append([instant, *map(str, counts), str(sum(counts))])
    totals = [sum(tally.kills[function, instant] for instant in instants) for function in functions]
    rows.append(["all", *map(str, totals), str(sum(totals))])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = "\n".join(
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in rows
    )
    return (
        f"{table}\n\n"
        f"{tally.killed:,} kills ({tally.fresh_kills:,} of interpreters of their own), "
        f"{tally.rounds:,} rounds, {seconds:.0f} s, {tally.killed / seconds:.1f} kills/s\n"
        f"{tally.deliveries:,} deliveries, posted {tally.posts:,} times; {tally.invocations:,} invocations; "
        f"{tally.changes:,} writes; {tally.events:,} events and {tally.repeated_events:,} repetitions\n"
        "Nothing lost, nothing doubled."
    )

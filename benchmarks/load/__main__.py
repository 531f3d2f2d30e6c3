"""`python -m benchmarks.load`: the built webhook and the local stack under load, and in black holes."""

import argparse
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType

from benchmarks.contestants import OURS, bare_floor, our_functions
from benchmarks.execution import FunctionFailed
from benchmarks.load import black_holes, local_stack, report, wrk
from benchmarks.load.bench import MAX_PROCESSES, Generator, behind, generator_process
from benchmarks.load.figures import Level, level
from benchmarks.load.process import Process, ProcessFailed, cpu_of
from benchmarks.load.soak import CONNECTIONS as STEADY
from benchmarks.load.soak import soak
from benchmarks.packaging import NotBuilt
from benchmarks.report import describe_machine, say, today
from benchmarks.stub import PUT_EVENTS, Behaviour, Stub
from tests.kills.artefact import BuildFailed
from tests.stack.process import StackProcessError

RESULTS = Path(__file__).parents[1] / "results"
LEVELS = (1, 2, 4, 8, 16, 32)
LEVEL_SECONDS = 4.0
SOAK_SECONDS = 60.0
MAX_SECONDS = 3_600.0
COLD_STARTS = 3  # through each hole

_TROUBLE = {Behaviour.SLOW: "bus slow", Behaviour.HANGS_UP: "bus hangs up"}
_INSTANT = "benchmarks.load.instant"
_WRONG = 1
_CANT_MEASURE = 2
_INTERRUPTED = 130


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=SOAK_SECONDS,
        help="of the steady load; 600 to see memory stay flat",
    )
    parser.add_argument(
        "--connections", type=_connections, default=LEVELS, help="the levels, such as 1,4,16; at most 32"
    )
    parser.add_argument("--level-seconds", type=_seconds, default=LEVEL_SECONDS, help="of each level")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder the results go to")
    options = parser.parse_args()
    if not Path("/proc/self/status").exists():
        say("Processes are measured as Linux tells of them; there is no /proc here.")
        return _CANT_MEASURE
    _interrupt_once()
    try:
        run = measure(options.seconds, options.connections, options.level_seconds)
    except KeyboardInterrupt:
        say("Interrupted; every process is ended.")
        return _INTERRUPTED
    except (NotBuilt, BuildFailed, FunctionFailed, ProcessFailed, StackProcessError, wrk.WrkFailed) as error:
        say(str(error))
        return _CANT_MEASURE
    options.results.mkdir(parents=True, exist_ok=True)
    for name, text in (("load.md", report.as_markdown(run)), ("load.json", report.as_json(run))):
        (options.results / name).write_text(text, encoding="utf-8")
    print(report.as_text(run))
    print(f"The whole report is in {options.results / 'load.md'}.")
    return _WRONG if run.problems else 0


def measure(seconds: float, connections: tuple[int, ...], level_seconds: float) -> report.Run:
    """Returns a whole run.

    Raises:
        NotBuilt, BuildFailed: something could not be built.
        FunctionFailed, ProcessFailed, StackProcessError, WrkFailed: something does not run.
    """
    began, load = time.monotonic(), os.getloadavg()[0]
    levels: list[Level] = []
    trouble: list[Level] = []
    second = None
    with Stub() as stub, generator_process() as generator:
        ours, floor = our_functions(stub)[OURS], bare_floor(stub)
        say("The generator, with nothing behind it …")
        ceiling = _ceiling(generator, level_seconds)
        for function in (ours, floor):
            say(f"{function.name}, over {', '.join(map(str, connections))} connections …")
            with behind(function, stub, generator) as front:
                for each in connections:
                    front.warm(each)
                    told, _ = front.measure(each, level_seconds)
                    levels.append(told if function is ours else replace(told, problems=None))
        with behind(ours, stub, generator) as front:
            if wrk.installed():
                say("wrk …")
                second = wrk.measure(front, STEADY, level_seconds)
            else:
                say("wrk: left out: it is not installed")
            say("The bus in trouble …")
            front.warm(STEADY)
            for behaviour, name in _TROUBLE.items():
                stub.behave({PUT_EVENTS: behaviour})
                trouble.append(front.measure(STEADY, level_seconds, name=name)[0])
                stub.behave({})
        say("The whole stack on this machine …")
        stack = local_stack.measure(generator, level_seconds)
        say(f"A steady load for {seconds:.0f} s …")
        with behind(ours, stub, generator) as front:
            steady = soak(front, seconds, say)
        say("Black holes …")
        cold_starts = list(black_holes.measure_cold_starts(ours, stub, COLD_STARTS))
        cases = []
        for case in black_holes.measure(ours, stub, generator):
            cases.append(case)
            say(
                f"… {case.hole}, {', '.join(case.services)}, {case.connections} connections, {case.stage}: "
                f"{case.function_seconds:.2f} s"
            )
    say(f"Measured in {time.monotonic() - began:.0f} s.")
    return report.Run(
        ceiling=ceiling,
        levels=levels,
        trouble=trouble,
        second=second,
        stack=stack,
        soak=steady,
        cold_starts=cold_starts,
        cases=cases,
        command=f"python -m benchmarks.load --seconds {seconds:.0f} "
        f"--connections {','.join(map(str, connections))}",
        machine=describe_machine(),
        load=f"{load:.1f} before and {os.getloadavg()[0]:.1f} at the end",
        day=today(),
    )


def _ceiling(generator: Process, seconds: float) -> Level:
    with Process(_INSTANT, {}, in_order=True) as instant:
        sending = Generator(generator, "127.0.0.1", instant.started["port"], "/")
        before = cpu_of([instant.pid])
        sent = sending.send(STEADY, seconds=seconds)
        took = {"front": cpu_of([instant.pid]) - before}
    return level("the generator alone", STEADY, sent, cpu_seconds=took)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 1 <= seconds <= MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"{text} is not from 1 to {MAX_SECONDS:.0f}")
    return seconds


def _connections(text: str) -> tuple[int, ...]:
    levels = tuple(int(each) for each in text.split(","))
    if not all(1 <= each <= MAX_PROCESSES for each in levels):
        raise argparse.ArgumentTypeError(f"each of {text} must be from 1 to {MAX_PROCESSES}")
    return levels


def _interrupt_once() -> None:
    """Makes the first SIGINT or SIGTERM a KeyboardInterrupt; the end that follows isn't disturbed."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


if __name__ == "__main__":
    sys.exit(main())

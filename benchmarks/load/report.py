"""What a load run found, as tables to read and as JSON to compute with."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from benchmarks.contestants import DEPLOYED_MB, FLOOR, OURS
from benchmarks.load import black_holes, soak
from benchmarks.load.black_holes import ANSWER_SECONDS, Case, ColdStart
from benchmarks.load.figures import Latency, Level
from benchmarks.load.local_stack import Arrived, StackRun
from benchmarks.load.soak import Soak
from benchmarks.load.wrk import Second
from benchmarks.report import number, table

_METHOD = """\
Everything runs on this one machine and shares its cores: the generator, the front that stands for API Gateway
and Lambda, the function's processes under Lambda's runtime client, and the stub of AWS, over TLS. So a level
with many connections tells what the cores bear, not what Lambda does, where each process has a share of its
own. Every delivery is signed when it is sent and of a booking of its own; none is sent twice. Latency is from
its first byte sent to the answer's last; percentiles are nearest-rank, so that of fewer than a thousand
deliveries p99.9 is the longest. Processes are started and warm before a level is measured."""

_OF_LEVELS = """\
Each connection sends its next delivery as soon as the last one is answered. *In the function* is the part of
the latency from its being handed the event to its answer; the rest is the front's and the machine's, and the
same for the bare floor, which verifies and publishes nothing: what ours takes more is ours."""

_OF_TROUBLE = "At four connections, while the bus is in trouble but answers:"

_OF_STACK = """\
`bookings local up`, over HTTP, at a steady pace. The bare floor is deployed to the same API, so that what it
takes is the emulator's share; the handlers behind the bus, and the emulator as every service, work on the
same cores meanwhile. CPU a delivery of ours is told until all are in the table and at a subscriber."""

_OF_SOAK = """\
A steady pace over four connections, each delivery's latency counted from when it was due. Memory is resident
memory of each process of the function; its growth is the slope of the line through all samples after the
first fifth of the time."""

_OF_HOLES = f"""\
*In the function* is the longest from the event's being handed over to its answer, of which the contract says
at most {ANSWER_SECONDS} s; *waited* is the longest that a client did, a process's start among seven others
included, which on Lambda don't share cores. While the queues alone are dead, what is sent has to go to
quarantine, so that they are called at all."""

_OF_COLD = f"""\
A fresh process, initialized with a whole CPU, whose first delivery meets a dead bus at the CPU share of
{DEPLOYED_MB:,} MB; it has to be in the queue."""


@dataclass(frozen=True, slots=True)
class Run:
    """A whole load run.

    Attributes:
        ceiling: the generator with nothing behind it.
        second: what wrk says; None where it is not installed.
    """

    ceiling: Level
    levels: list[Level]
    trouble: list[Level]
    second: Second | None
    stack: StackRun
    soak: Soak
    cold_starts: list[ColdStart]
    cases: list[Case]
    command: str
    machine: str
    load: str
    day: str

    @property
    def problems(self) -> list[str]:
        """Everything that is not as it should be, whatever the machine."""
        told = []
        for level in (*self.levels, *self.trouble, *self.stack.levels, *self.soak.levels):
            place = f"{level.name}, {level.connections} connections"
            told += [f"{place}: {problem}" for problem in level.problems or []]
            if level.unanswered:
                told.append(f"{place}: {level.unanswered} without an answer")
            if level.problems is not None and set(level.statuses) != {200}:
                told.append(f"{place}: answered {_statuses(level.statuses)}")
        if self.soak.ended:
            told.append("soak: a process of the function ended")
        if self.second:
            told += [f"wrk: {problem}" for problem in self.second.problems]
        for case in self.cases:
            place = f"{case.hole}, {_services(case)}, {case.connections} connections, {case.stage}"
            told += [f"{place}: {problem}" for problem in case.problems]
        for start in self.cold_starts:
            told += [f"cold at {DEPLOYED_MB:,} MB, {start.hole}: {problem}" for problem in start.problems]
        return told


def as_json(run: Run) -> str:
    """Returns every figure, to three digits after the point."""
    told = asdict(run) | {"problems": run.problems}
    return json.dumps(_rounded(told), indent=1) + "\n"


def as_markdown(run: Run) -> str:
    """Returns the report."""
    parts = [
        "# Under load",
        f"`{run.command}` on {run.day}: {run.machine}. Load average of the machine {run.load}.",
        _METHOD,
        "## What is wrong",
        "\n".join(f"- {problem}" for problem in run.problems) or _nothing_wrong(run),
        "## From one connection to many",
        _OF_LEVELS,
        _levels([*run.levels, run.ceiling]),
        "CPU ms a delivery:",
        _cpu([*run.levels, run.ceiling], ("function", "front", "stub of AWS", "generator")),
        "What ours takes over the floor behind the same front:",
        _differences(run.levels),
        _second(run),
        _OF_TROUBLE,
        _levels(run.trouble),
        "## The whole stack on this machine",
        _OF_STACK,
        _levels(run.stack.levels),
        "CPU ms a delivery:",
        _cpu(run.stack.levels, ("function", "handlers", "emulator", "generator")),
        "The emulator's share, and what ours takes over it, its services' answers included:",
        _differences(run.stack.levels),
        *(_arrived(each) for each in run.stack.arrived),
        "## For minutes",
        _OF_SOAK,
        _soak(run.soak),
        _memory(run.soak),
        "## While AWS swallows calls",
        _OF_HOLES,
        _cases(run.cases),
        _OF_COLD,
        _cold_starts(run.cold_starts),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def as_text(run: Run) -> str:
    """Returns the most important, for a terminal."""
    lines = []
    for level in (*run.levels, run.ceiling, *run.trouble, *run.stack.levels):
        latency = level.latency
        lines.append(
            f"{level.name:<26} {level.connections:>3} connections {level.per_second:>8,.0f}/s   "
            f"p50 {latency.p50:>8.2f}  p99 {latency.p99:>8.2f}  p99.9 {latency.p999:>8.2f}  "
            f"max {latency.most:>8.2f} ms"
        )
    for memory in run.soak.memory:
        lines.append(
            f"soak {run.soak.seconds:.0f} s: {memory.start:.1f} MB, warm {memory.after_warm_up:.1f}, "
            f"at the end {memory.end:.1f} ({memory.kb_a_minute:+.0f} KB a minute)"
        )
    longest = max(case.function_seconds for case in run.cases)
    lines.append(f"black holes: {len(run.cases)} cases, the longest answer after {longest:.2f} s")
    cold = max(start.first_call_ms for start in run.cold_starts)
    lines.append(f"cold at {DEPLOYED_MB:,} MB, bus dead: the longest first call {cold:,.0f} ms")
    return "\n".join([*lines, *(f"WRONG: {problem}" for problem in run.problems)])


def _nothing_wrong(run: Run) -> str:
    lasting = f"{run.soak.deliveries:,} in {run.soak.seconds:.0f} s of soak"
    return (
        f"Nothing: of each level's deliveries and of the {lasting}, all that were answered 200 were taken "
        "once, and no more but by the fallback; and whatever was dead, each answer was the right one and "
        f"came within {ANSWER_SECONDS} s."
    )


def _arrived(arrived: Arrived) -> str:
    return (
        f"All {arrived.kept:,} deliveries were in the table and at the subscriber {arrived.seconds:.1f} s "
        "after the last answer."
    )


def _levels(levels: Iterable[Level]) -> str:
    head = (
        *("", "connections", "deliveries/s", "p50 ms", "p99 ms", "p99.9 ms", "max ms"),
        *("in the function p50", "p99", "answers", "processes"),
    )
    rows = []
    for level in levels:
        function = level.function
        inside = (number(function.p50), number(function.p99)) if function else ("", "")
        rows.append(
            (
                *(level.name, str(level.connections), number(level.per_second), *_latency(level.latency)),
                *(*inside, _statuses(level.statuses), str(level.processes or "")),
            )
        )
    return table(head, rows)


def _cpu(levels: Iterable[Level], kinds: tuple[str, ...]) -> str:
    rows = [
        (
            *(level.name, str(level.connections)),
            *(number(level.cpu_ms[kind]) if kind in level.cpu_ms else "" for kind in kinds),
        )
        for level in levels
    ]
    return table(("", "connections", *kinds), rows)


def _differences(levels: Iterable[Level]) -> str:
    """Returns the webhook's levels less the floor's of as many connections."""
    by_name = {(level.name, level.connections): level for level in levels}
    rows = []
    for (name, connections), floor in by_name.items():
        ours = by_name.get((OURS, connections))
        if name == FLOOR and ours:
            rows.append(
                (
                    str(connections),
                    *(number(level.latency.p50) for level in (ours, floor)),
                    number(ours.latency.p50 - floor.latency.p50),
                    number(ours.cpu_ms["function"] - floor.cpu_ms["function"]),
                )
            )
    return table(("connections", "ours p50 ms", "floor p50 ms", "difference ms", "function CPU ms"), rows)


def _second(run: Run) -> str:
    if run.second is None:
        return "wrk is not installed here, so that the generator has no second opinion."
    second = run.second
    told = ", ".join(
        f"{name} {figure} ms"
        for name, figure in zip(("p50", "p99", "p99.9", "max"), _latency(second.latency), strict=True)
    )
    return (
        f"wrk, as a second opinion, over {second.connections} connections: {number(second.per_second)} "
        f"deliveries a second, {told}; {second.errors} errors, {second.answered:,} answered, "
        f"{second.taken:,} taken."
    )


def _soak(run: Soak) -> str:
    rows = [
        (f"from {window.from_seconds:.0f} s", f"{window.deliveries:,}", *_latency(window.latency))
        for window in run.windows
    ]
    pace = f"{soak.PER_SECOND:.0f} deliveries a second for {run.seconds:.0f} s."
    if run.both_ways:
        pace += (
            f" {run.both_ways} are on the bus and in the queue: this machine let the bus's answer wait for "
            "longer than the function does, which then took the other way too."
        )
    return f"{pace}\n\n{table(('', 'deliveries', 'p50 ms', 'p99 ms', 'p99.9 ms', 'max ms'), rows)}"


def _memory(run: Soak) -> str:
    rows = [
        (
            f"process {place}",
            *(f"{mb:.1f}" for mb in (memory.start, memory.after_warm_up, memory.end, memory.most)),
            f"{memory.kb_a_minute:+.0f}",
        )
        for place, memory in enumerate(run.memory, 1)
    ]
    head = ("", "start MB", "after the warm-up MB", "end MB", "most MB", "growth KB a minute")
    return table(head, rows)


def _cases(cases: Iterable[Case]) -> str:
    head = ("hole", "services", "connections", "process", "answers", "in the function s", "waited s", "")
    rows = [
        (
            *(str(case.hole), _services(case), str(case.connections), str(case.stage)),
            *(_statuses(case.statuses), f"{case.function_seconds:.2f}", f"{case.total_seconds:.2f}"),
            "; ".join(case.problems),
        )
        for case in cases
    ]
    return table(head, rows)


def _cold_starts(starts: Iterable[ColdStart]) -> str:
    rows = [
        (
            *(str(start.hole), str(start.status), "yes" if start.in_queue else "**no**"),
            *(number(start.init_ms), number(start.first_call_ms)),
        )
        for start in starts
    ]
    return table(("hole", "answer", "in the queue", "init ms", "first call ms"), rows)


def _latency(latency: Latency) -> tuple[str, ...]:
    return tuple(map(number, (latency.p50, latency.p99, latency.p999, latency.most)))


def _statuses(statuses: Mapping[int, int]) -> str:
    return ", ".join(f"{count:,} × {status}" for status, count in sorted(statuses.items()))


def _services(case: Case) -> str:
    return "all" if case.services == black_holes.CASES[-1] else ", ".join(case.services)


def _rounded(told: object) -> object:
    if isinstance(told, float):
        return round(told, 3)
    if isinstance(told, dict):
        return {str(name): _rounded(value) for name, value in told.items()}
    if isinstance(told, list | tuple):
        return [_rounded(value) for value in told]
    return told

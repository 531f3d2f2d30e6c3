"""What a run measured, as tables to read and as JSON to compute with."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import split
from benchmarks.contestants import FLOOR, OURS, OURS_CANCELED, OURS_CREATED, OURS_EVENTS, RECEIVERS
from benchmarks.cpu_share import WHOLE_CPU_MB
from benchmarks.packaging import Size, node
from benchmarks.rounds import (
    BATCHES,
    HANDLER,
    HANDLER_FORGED,
    SIZES_MB,
    Round,
    Spread,
    cold_key,
    figures,
    part_key,
    ratios,
    record_key,
    warm_key,
)
from benchmarks.targets import Target, targets

NOT_MEASURED = "not measured"

_METHOD = """\
Each round runs everything once in a shuffled order; a ratio is taken within its round. Told is the median,
and in brackets the quartiles."""

_OF_COLD = """\
A fresh process under Lambda's runtime client (in JavaScript a small one that takes its place), from its
making to its first answer, with TLS to the services. Initialization has a whole CPU at any size, the first
call the share of its memory; × is at a whole CPU, over the bare floor, which verifies and publishes nothing.
The last column is a warm call, the runtime client's part of it included. Ours and the idiomatic one ask
Secrets Manager for the token; the others have it in their environment, as their documentation says."""

_OF_WARM = """\
CPU of the handler alone, and what it consists of (measured in processes of their own, where the measuring of
the parts adds a little to each)."""

FUNCTIONS = (OURS, OURS_CREATED, OURS_CANCELED, OURS_EVENTS)


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run.

    Attributes:
        left_out: why a contestant was not measured, by its name.
        sizes: of what is deployed, by name.
        layer: of our functions, as deployed.
    """

    rounds: list[Round] = field(repr=False)
    seed: int
    left_out: Mapping[str, str]
    sizes: Mapping[str, Size]
    layer: Size
    machine: str
    load: str
    day: str

    @property
    def targets(self) -> list[Target]:
        return targets(self.rounds)


def describe_machine() -> str:
    """Returns what the figures were measured on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor() or "a CPU",
    )
    told = (
        f"{os.cpu_count()} shared cores ({platform.machine()}, {model}), CPython {platform.python_version()}"
    )
    if command := node():
        version = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout
        told += f", Node.js {version.strip().removeprefix('v')}"
    return told


def today() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d")


def as_json(run: Run) -> str:
    """Returns everything, each round's figures included."""
    told: dict[str, Any] = asdict(run)
    told["targets"] = [asdict(target) | {"met": target.met} for target in run.targets]
    told["rounds"] = [{key: round(value, 3) for key, value in sorted(each.items())} for each in run.rounds]
    return json.dumps(told, indent=1) + "\n"


def as_markdown(run: Run) -> str:
    """Returns the report."""
    commands = f"`make bench ROUNDS={len(run.rounds)} SEED={run.seed}`"
    return (
        "\n\n".join(
            [
                "# What was measured",
                f"{commands} on {run.day}: {run.machine}. Load average of the machine {run.load}. {_METHOD}",
                "![Cold starts](latest.svg)",
                "## Targets",
                _targets(run),
                "## Cold start, and the whole way through the runtime client",
                _OF_COLD,
                _cold(run),
                "First call in ms, by memory, at its CPU share:",
                _first_calls(run),
                "## Warm",
                _OF_WARM,
                _warm(run),
                "## Records",
                _records(run),
                "## Artefacts",
                "What is deployed, less what Lambda brings. Our functions share the layer.",
                _sizes(run),
            ]
        )
        + "\n"
    )


def as_text(run: Run) -> str:
    """Returns the targets, for a terminal."""
    lines = []
    for target in run.targets:
        lines.append(f"{_verdict(target):<13} {_measured(target):>28}  {_most(target):>12}  {target.claim}")
    return "\n".join(lines)


def _targets(run: Run) -> str:
    rows = [(target.claim, _most(target), _measured(target), _verdict(target)) for target in run.targets]
    return table(("", "target", "measured", ""), rows)


def _verdict(target: Target) -> str:
    if target.met is None:
        return NOT_MEASURED
    return "met" if target.met else "**missed**"


def _most(target: Target) -> str:
    return f"at most {target.most:g}{_unit(target.unit)}"


def _measured(target: Target) -> str:
    if target.measured is None:
        return NOT_MEASURED
    return _spread(target.measured, target.unit)


def _unit(unit: str) -> str:
    return f" {unit}" if unit else ""


def _cold(run: Run) -> str:
    rows = []
    for name in (*RECEIVERS, *FUNCTIONS[1:]):
        if name in run.left_out:
            rows.append((name, f"{NOT_MEASURED}: {run.left_out[name]}", "", "", "", "", ""))
            continue
        total, floor = cold_key(name, WHOLE_CPU_MB, "total_ms"), cold_key(FLOOR, WHOLE_CPU_MB, "total_ms")
        cpu, floor_cpu = cold_key(name, WHOLE_CPU_MB, "cpu_ms"), cold_key(FLOOR, WHOLE_CPU_MB, "cpu_ms")
        rows.append(
            (
                name,
                _ratio(run, total, floor),
                _figure(run, cold_key(name, WHOLE_CPU_MB, "init_ms")),
                _ratio(run, cpu, floor_cpu),
                _figure(run, cpu),
                _figure(run, cold_key(name, WHOLE_CPU_MB, "peak_mb")),
                _figure(run, warm_key(name)),
            )
        )
    head = ("", "init + first call ×", "init ms", "process CPU ×", "CPU ms", "peak MB", "warm, CPU µs a call")
    return table(head, rows)


def _first_calls(run: Run) -> str:
    rows = [
        (name, *(_figure(run, cold_key(name, size, "first_call_ms")) for size in SIZES_MB))
        for name in (*RECEIVERS, *FUNCTIONS[1:])
        if name not in run.left_out
    ]
    return table(("", *(f"{size:,} MB" for size in SIZES_MB)), rows)


def _warm(run: Run) -> str:
    rows = [("webhook, a delivery", HANDLER), ("webhook, a forgery", HANDLER_FORGED)]
    rows += [(f"… {part}", part_key(part)) for part in (*split.WEBHOOK, split.REST)]
    return table(("", "CPU µs"), [(name, _figure(run, key)) for name, key in rows])


def _records(run: Run) -> str:
    rows = [(f"{name}, batches of {size}", _figure(run, record_key(name, size))) for name, size in BATCHES]
    return table(("", "CPU µs a record"), rows)


def _sizes(run: Run) -> str:
    sizes = {"the layer of ours, as deployed (arm64)": run.layer, **run.sizes}
    rows = [(name, f"{size.zipped:,}", f"{size.unzipped:,}") for name, size in sizes.items()]
    return table(("", "bytes zipped", "bytes unzipped"), rows)


def _figure(run: Run, key: str) -> str:
    found = figures(run.rounds, key)
    return _spread(found, "") if found else NOT_MEASURED


def _ratio(run: Run, over: str, under: str) -> str:
    found = ratios(run.rounds, over, under)
    return _spread(found, "") if found else NOT_MEASURED


def _spread(spread: Spread, unit: str) -> str:
    if spread.low == spread.high:
        return f"{number(spread.median)}{_unit(unit)}"
    told = f"{number(spread.median)} [{number(spread.low)}–{number(spread.high)}]"
    return f"{told}{_unit(unit)}"


def number(value: float) -> str:
    """Returns a figure with three digits that count."""
    for limit, digits in ((100, 0), (10, 1), (1, 2)):
        if abs(value) >= limit:
            return f"{value:,.{digits}f}"
    return f"{value:.3f}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Returns a table in Markdown, figures to the right."""
    cells = list(head)
    lines = [cells, ["---", *["---:"] * (len(cells) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

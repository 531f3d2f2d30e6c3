"""The results of a run: JSON to compute with, tables to read, and a chart."""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from html import escape

from benchmarks.contestants import FLOOR, RECEIVERS, WEBHOOK
from benchmarks.execution import WHOLE_CPU_MB
from benchmarks.packages import Size
from benchmarks.targets import TARGETS, Spread, Target, cold, ratio, warm

SIZES_MB = (512, 1_024, WHOLE_CPU_MB)
NOT_MEASURED = "not measured"

_METHOD = """\
Each round measures everything once in a shuffled order. A ratio is taken within its round. A cell has the
median and, in brackets, the quartiles."""

_COLUMNS = """\
A cold start is a fresh process under Lambda's runtime client, from its making to its first answer, with TLS
to AWS. (For JavaScript a small client takes the place of Lambda's.) Initialization has a whole CPU at any
memory size. The first call has the CPU share of its size. The first column is at a whole CPU, over the bare
floor, which verifies and publishes nothing. The CPU of a warm call includes the runtime client's. The webhook
and Powertools ask Secrets Manager for the token. The others have it in their environment, as their
documentation says. A package is everything but Lambda's own; the webhook's includes its layer."""


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run.

    Attributes:
        load: the load average of the machine before and after.
        left_out: the reason for each receiver that was not measured.
        figures: by name, one a round.
    """

    day: str
    machine: str
    load: str
    rounds: int
    seed: int
    left_out: dict[str, str]
    sizes: dict[str, Size]
    figures: dict[str, list[float]]


def as_json(run: Run) -> str:
    """Returns everything, with each round's figures."""
    content = asdict(run) | {"targets": [_target_as_json(run, target) for target in TARGETS]}
    text = json.dumps(content, indent=1, ensure_ascii=False)
    return re.sub(r"\[[^][{}]*\]", lambda numbers: " ".join(numbers[0].split()), text) + "\n"


def from_json(text: str) -> Run:
    """Returns the run of a result."""
    content = json.loads(text)
    content["sizes"] = {name: Size(**size) for name, size in content["sizes"].items()}
    return Run(**{field.name: content[field.name] for field in fields(Run)})


def _target_as_json(run: Run, target: Target) -> dict[str, object]:
    measured = target.measured(run.figures)
    return {
        "claim": target.claim,
        "most": target.most,
        "measured": measured and asdict(measured),
        "met": target.is_met(run.figures),
    }


def as_markdown(run: Run) -> str:
    """Returns the report."""
    command = f"`make bench ROUNDS={run.rounds} SEED={run.seed}`"
    parts = [
        "# Results",
        f"{command} on {run.day}: {run.machine}. Load average {run.load}. {_METHOD}",
        "![Cold starts and memory of the receivers](latest.svg)",
        "## Targets",
        targets_table(run),
        "## Receivers",
        _COLUMNS,
        _receivers_table(run),
    ]
    return "\n\n".join(parts) + "\n"


def targets_table(run: Run) -> str:
    """Returns each target with its ratio."""
    rows = []
    for target in TARGETS:
        met = target.is_met(run.figures)
        verdict = NOT_MEASURED if met is None else "met" if met else "**missed**"
        rows.append((target.claim, f"{target.most:g}", _cell(target.measured(run.figures)), verdict))
    return _table(("ratio", "at most", "measured", ""), rows)


def _receivers_table(run: Run) -> str:
    head = (
        "receiver",
        "cold start × floor",
        "init ms",
        *(f"first call ms, {size:,} MB" for size in SIZES_MB),
    )
    head += ("warm call, CPU µs", "peak MB", "package, KB zipped", "KB unzipped")
    rows = []
    for name in RECEIVERS:
        if name in run.left_out:
            rows.append([name, f"{NOT_MEASURED}: {run.left_out[name]}", *[""] * (len(head) - 2)])
            continue
        total, floor = (cold(each, WHOLE_CPU_MB, "total_ms") for each in (name, FLOOR))
        columns = [cold(name, WHOLE_CPU_MB, "init_ms")]
        columns += [cold(name, size, "first_call_ms") for size in SIZES_MB]
        columns += [warm(name), cold(name, WHOLE_CPU_MB, "peak_mb")]
        cells = [_cell(ratio(run.figures, total, floor))]
        cells += [_cell(ratio(run.figures, column, 1)) for column in columns]
        size = run.sizes[name]
        rows.append([name, *cells, number(size.zipped / 1000), number(size.unzipped / 1000)])
    return _table(head, rows)


def _cell(spread: Spread | None) -> str:
    if spread is None:
        return NOT_MEASURED
    if spread.low == spread.high:
        return number(spread.median)
    return f"{number(spread.median)} [{number(spread.low)}–{number(spread.high)}]"


def number(value: float) -> str:
    """Returns a figure with three significant digits."""
    for limit, digits in ((100, 0), (10, 1), (1, 2)):
        if abs(value) >= limit:
            return f"{value:,.{digits}f}"
    return f"{value:.3f}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    cells = list(head)
    lines = [cells, ["---", *["---:"] * (len(cells) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# ── the chart ──

_WIDTH, _LABEL, _BAR, _GAP, _TITLE, _PANEL = 880, 300, 18, 10, 34, 30
_SCALE = _WIDTH - _LABEL - 120  # room for the figure behind the bar
_PANELS = (
    *((f"Init + first call at {size:,} MB, × the bare floor", size, "total_ms") for size in SIZES_MB),
    ("Peak memory, × the bare floor", WHOLE_CPU_MB, "peak_mb"),
)


def as_svg(run: Run) -> str:
    """Returns the chart: a bar for each median ratio, with a line from quartile to quartile."""
    parts: list[str] = []
    y = 0
    for title, memory_mb, what in _PANELS:
        spreads = {}
        for name in RECEIVERS:
            if spread := ratio(run.figures, cold(name, memory_mb, what), cold(FLOOR, memory_mb, what)):
                spreads[name] = spread
        parts.append(f'<text x="8" y="{y + 22}" font-weight="bold">{escape(title)}</text>')
        y += _TITLE
        scale = _SCALE / max(spread.high for spread in spreads.values())
        for name, spread in spreads.items():
            parts += _bar(name, spread, y, scale)
            y += _BAR + _GAP
        y += _PANEL
    caption = f"{run.rounds} rounds, median and quartiles; {run.machine}; {run.day}"
    parts.append(f'<text x="8" y="{y}" font-size="11" fill="#57606a">{escape(caption)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + 12}" font-size="13" '
        'font-family="Helvetica, Arial, sans-serif" role="img" aria-label="Cold starts of the receivers">\n'
        f'<rect width="{_WIDTH}" height="{y + 12}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _bar(name: str, spread: Spread, y: int, scale: float) -> list[str]:
    color = "#1f6feb" if name == WEBHOOK else "#8b949e"
    low, median, high = (_LABEL + value * scale for value in (spread.low, spread.median, spread.high))
    middle, baseline = y + _BAR / 2, y + _BAR - 4
    return [
        f'<text x="{_LABEL - 8}" y="{baseline}" text-anchor="end">{escape(name)}</text>',
        f'<rect x="{_LABEL}" y="{y}" width="{median - _LABEL:.1f}" height="{_BAR}" fill="{color}"/>',
        f'<path d="M{low:.1f} {middle}H{high:.1f}" stroke="#24292f" stroke-width="2"/>',
        f'<text x="{max(median, high) + 6:.1f}" y="{baseline}">{spread.median:.3g}</text>',
    ]

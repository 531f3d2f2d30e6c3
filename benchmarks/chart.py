"""The chart of a run, one bar a receiver: SVG written by hand, which needs no package and no fonts."""

from html import escape

from benchmarks.contestants import DEPLOYED_MB, FLOOR, OURS, RECEIVERS
from benchmarks.cpu_share import WHOLE_CPU_MB
from benchmarks.report import Run
from benchmarks.rounds import Spread, cold_key, ratios

WIDTH = 880
_LABEL, _BAR, _GAP, _TOP, _PANEL = 330, 18, 10, 34, 30
_SCALE = WIDTH - _LABEL - 120  # room for the figure behind the bar
_OURS_COLOR, _OTHERS_COLOR = "#1f6feb", "#8b949e"

_PANELS = (
    ("Cold start under the runtime client, init + first call, × the bare floor", WHOLE_CPU_MB, "total_ms"),
    (f"The same at the CPU share of {DEPLOYED_MB:,} MB", DEPLOYED_MB, "total_ms"),
    ("Process CPU of a cold start, × the bare floor", WHOLE_CPU_MB, "cpu_ms"),
    ("Peak memory, × the bare floor", WHOLE_CPU_MB, "peak_mb"),
)


def as_svg(run: Run) -> str:
    """Returns the chart: of each receiver the median ratio, with a line from quartile to quartile."""
    parts: list[str] = []
    y = 0
    for title, memory_mb, what in _PANELS:
        found = {
            name: spread
            for name in RECEIVERS
            if (
                spread := ratios(
                    run.rounds, cold_key(name, memory_mb, what), cold_key(FLOOR, memory_mb, what)
                )
            )
        }
        parts.append(f'<text x="8" y="{y + 22}" font-weight="bold">{escape(title)}</text>')
        y += _TOP
        widest = max(spread.high for spread in found.values())
        for name, spread in found.items():
            parts += _bar(name, spread, y, _SCALE / widest)
            y += _BAR + _GAP
        y += _PANEL
    caption = f"{len(run.rounds)} rounds, median and quartiles; {run.machine}; {run.day}"
    parts.append(f'<text x="8" y="{y}" font-size="11" fill="#57606a">{escape(caption)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 12}" font-size="13" '
        f'font-family="Helvetica, Arial, sans-serif" role="img" aria-label="Cold starts of receivers">\n'
        f'<rect width="{WIDTH}" height="{y + 12}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _bar(name: str, spread: Spread, y: int, scale: float) -> list[str]:
    color = _OURS_COLOR if name == OURS else _OTHERS_COLOR
    low, median, high = (_LABEL + value * scale for value in (spread.low, spread.median, spread.high))
    middle, baseline = y + _BAR / 2, y + _BAR - 4
    return [
        f'<text x="{_LABEL - 8}" y="{baseline}" text-anchor="end">{escape(name)}</text>',
        f'<rect x="{_LABEL}" y="{y}" width="{median - _LABEL:.1f}" height="{_BAR}" fill="{color}"/>',
        f'<path d="M{low:.1f} {middle}H{high:.1f}" stroke="#24292f" stroke-width="2"/>',
        f'<text x="{max(median, high) + 6:.1f}" y="{baseline}">{spread.median:.3g}</text>',
    ]

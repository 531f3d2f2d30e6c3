"""The arithmetic of the benchmarks, and the pages against the results of the last run."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.contestants import DEPLOYED_MB, RECEIVERS, RIVET, WEBHOOK
from benchmarks.execution import share_of
from benchmarks.packages import PEERS
from benchmarks.report import SIZES_MB, as_json, as_markdown, as_svg, from_json, number, targets_table
from benchmarks.targets import TARGETS, Spread, Target, cold, ratio, warm

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks/results"
TEXT = (RESULTS / "latest.json").read_text(encoding="utf-8")
RUN = from_json(TEXT)
COLD = ("init_ms", "first_call_ms", "total_ms", "peak_mb")


def test_ratio_is_of_one_round_and_not_of_two_medians() -> None:
    # The second round ran on a machine three times slower. Its ratio is the same.
    figures = {"a": [20.0, 60.0, 22.0], "b": [10.0, 30.0, 11.0]}
    assert ratio(figures, "a", "b") == Spread(2.0, 2.0, 2.0)
    assert ratio(figures, "a", 10) == Spread(2.1, 2.2, 4.1)
    assert ratio(figures, "a", "c") is None
    assert ratio(figures, "c", 10) is None


@pytest.mark.parametrize(
    ("figures", "spread"),
    [
        ([5.0, 1.0, 2.0, 4.0, 3.0], Spread(2.0, 3.0, 4.0)),
        ([1.0, 2.0], Spread(1.25, 1.5, 1.75)),
        ([5.0], Spread(5.0, 5.0, 5.0)),
    ],
)
def test_spread_is_median_and_quartiles(figures: list[float], spread: Spread) -> None:
    assert Spread.of(figures) == spread


@pytest.mark.parametrize(
    ("median", "met"), [(5.0, True), (5.1, False), (None, None)], ids=["at most", "over", "not measured"]
)
def test_target_is_met_up_to_its_most(median: float | None, met: bool | None) -> None:
    figures = {} if median is None else {"a": [0.0, median, 9.0]}
    assert Target("", 5, "a", 1).is_met(figures) is met


@pytest.mark.parametrize(("memory_mb", "share"), [(1_769, 1.0), (3_008, 1.0), (884.5, 0.5)])
def test_memory_size_has_its_share_of_one_cpu(memory_mb: float, share: float) -> None:
    assert share_of(memory_mb) == share


@pytest.mark.parametrize(
    ("value", "text"), [(1_234.5, "1,234"), (12.34, "12.3"), (1.234, "1.23"), (0.1234, "0.123")]
)
def test_figure_has_three_significant_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_results_name_every_receiver_and_target() -> None:
    names = {cold(name, size, what) for name in RECEIVERS for size in SIZES_MB for what in COLD}
    assert RUN.figures.keys() == names | {warm(name) for name in RECEIVERS}
    assert {len(figures) for figures in RUN.figures.values()} == {RUN.rounds}
    assert RUN.sizes.keys() == set(RECEIVERS)
    targets = {target["claim"]: target["most"] for target in json.loads(TEXT)["targets"]}
    assert targets == {target.claim: target.most for target in TARGETS}


def test_report_and_chart_are_those_of_the_results() -> None:
    assert as_json(RUN) == TEXT
    assert as_markdown(RUN) == (RESULTS / "latest.md").read_text(encoding="utf-8")
    assert as_svg(RUN) == (RESULTS / "latest.svg").read_text(encoding="utf-8")


def test_figures_on_the_pages_are_those_of_the_results() -> None:
    assert targets_table(RUN) in (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    ratios = re.findall(r"(?<![\d.])0\.\d+(?![\d.])", (ROOT / "README.md").read_text(encoding="utf-8"))
    medians = {number(spread.median) for each in TARGETS if (spread := each.measured(RUN.figures))}
    assert set(ratios) <= medians


def test_report_without_node_says_so() -> None:
    figures = {name: each for name, each in RUN.figures.items() if not name.startswith(RIVET)}
    report = as_markdown(replace(RUN, figures=figures, left_out={RIVET: "no Node.js"}))
    assert f"| {RIVET} | not measured: no Node.js |" in report
    assert "| 1.1 | not measured | not measured |" in report
    assert RIVET not in as_svg(replace(RUN, figures=figures))


def test_webhook_is_measured_at_its_deployed_memory() -> None:
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    webhook = template.split("\n  WebhookFunction:\n")[1]
    assert re.findall(r"MemorySize: (\d+)", webhook)[0] == str(DEPLOYED_MB)
    assert cold(WEBHOOK, DEPLOYED_MB, "total_ms") in RUN.figures


def test_lock_of_the_javascript_peer_has_hashes_and_no_host() -> None:
    packages = json.loads((PEERS / "package-lock.json").read_text())["packages"]
    assert len(packages) > 1
    for package in (package for path, package in packages.items() if path):
        assert package["integrity"].startswith("sha512-")
        assert "resolved" not in package

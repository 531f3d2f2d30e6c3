"""Names, commands and figures of the pages are those of template, Makefile and code."""

import json
import re
from pathlib import Path

import pytest
import yaml
from samtranslator.yaml_helper import yaml_parse
from typer.testing import CliRunner

from bookings.batch import delay_seconds
from bookings.limits import MAX_BODY_BYTES, SECRET_GRACE
from cli.main import app

ROOT = Path(__file__).parents[2]
README, CONTRIBUTING, OPERATIONS, SUBSCRIBERS = PAGES = [
    (ROOT / page).read_text(encoding="utf-8")
    for page in ("README.md", "CONTRIBUTING.md", "docs/operations.md", "docs/subscribers.md")
]
TEXT = "".join(PAGES)
TEMPLATE, SUBSCRIBER = (
    yaml_parse((ROOT / path).read_text(encoding="utf-8"))
    for path in ("template.yaml", "examples/subscriber/template.yaml")
)


def rows(title: str, page: str = README) -> list[list[str]]:
    """Returns the cells of the tables below a heading, without the heads."""
    section = page.split(f"\n## {title}\n")[1].split("\n## ", maxsplit=1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[1:]]


def test_pages_name_the_parameters_outputs_and_targets() -> None:
    defaults = {name: str(parameter.get("Default", "")) for name, parameter in TEMPLATE["Parameters"].items()}
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert {name.strip("`"): default.strip("`") for name, default, _ in rows("Deploy it")} == defaults
    named = set(re.findall(r"`(\w+(?:Url|Arn|Name))`", TEXT))
    known = TEMPLATE["Outputs"] | TEMPLATE["Parameters"] | SUBSCRIBER["Parameters"]
    assert TEMPLATE["Outputs"].keys() <= named <= known.keys()
    assert {"run", "test", "demo", "deploy"} <= set(re.findall(r"(?:`|\$ )make ([a-z]+)", TEXT)) <= targets


@pytest.mark.parametrize("command", sorted(set(re.findall(r"\.venv/bin/bookings ([a-z-]+)", TEXT))))
def test_named_command_exists_with_its_options(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    lines = re.findall(rf"\.venv/bin/bookings {command}([^`\n]*)", TEXT)
    assert shown.exit_code == 0
    assert set(re.findall(r"--[a-z-]+", " ".join(lines))) <= set(re.findall(r"--[a-z-]+", shown.output))


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")], ids=lambda page: page.name)
def test_linked_files_exist(page: Path) -> None:
    linked = re.findall(r"\]\(((?!https?:)[^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [path for path in linked if not (page.parent / path).exists()] == []


def test_each_place_on_the_map_exists() -> None:
    for cell, *_ in rows("The map of the code", CONTRIBUTING):
        folder = ROOT / ("layers/runtime/bookings" if cell.startswith("…") else "")
        assert [path for path in re.findall(r"`([^`]+)`", cell) if not (folder / path).exists()] == []


def test_sample_event_has_the_form_of_a_domain_event() -> None:
    event = json.loads(SUBSCRIBERS.partition("```json\n")[2].partition("```")[0])
    assert event.keys() == {"metadata", "booking", "previous"}
    assert event["metadata"].keys() == {"schema_version", "id", "booking_id", "revision", "occurred_at"}
    assert event["booking"]["booking_id"] == event["metadata"]["booking_id"]


def test_answers_and_figures_are_those_of_the_code() -> None:
    openapi = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text(encoding="utf-8"))
    described = openapi["paths"]["/webhooks/zoom"]["post"]["responses"]
    receives = TEMPLATE["Resources"]["BookingCreatedQueue"]["Properties"]["RedrivePolicy"]["maxReceiveCount"]

    assert {cells[0].split(",")[0] for cells in rows("What Zoom is answered")} == described.keys()
    assert f"{MAX_BODY_BYTES:,} bytes" in README
    assert "Answered within 2.5 s" in README
    assert f"valid for {SECRET_GRACE.total_seconds() / 3600:.0f} hours" in OPERATIONS
    assert f"intervals for {sum(map(delay_seconds, range(1, receives))) // 60} minutes" in OPERATIONS

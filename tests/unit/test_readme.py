"""The names, commands and figures on the pages are those of the code; other tests show the rest of them."""

import json
import re
from pathlib import Path

import pytest
import yaml
from samtranslator.yaml_helper import yaml_parse
from typer.testing import CliRunner

from bookings.batch import delay_seconds
from bookings.limits import MAX_BODY_BYTES, REQUEST_SECONDS, SECRET_GRACE
from cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *ROOT.glob("CONTRIBUTING.md"), *sorted((ROOT / "docs").glob("*.md"))]
README, OPERATIONS, SUBSCRIBERS = (
    (ROOT / page).read_text(encoding="utf-8")
    for page in ("README.md", "docs/operations.md", "docs/subscribers.md")
)
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def section(title: str, page: str = README) -> str:
    """Returns the text below a heading, up to the next one of its level."""
    return page.split(f"\n## {title}\n")[1].split("\n## ", maxsplit=1)[0]


def first_cells(text: str) -> list[str]:
    """Returns the first cell of each row of a section's tables, without the heads."""
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]
    return [cell for index, cell in enumerate(rows) if not set(cell) <= {"-"} and index > 0 and cell]


def test_each_parameter_of_the_template_is_told_with_its_default() -> None:
    table = {
        cells[1].strip().strip("`"): cells[2].strip().strip("`")
        for line in section("Deploy it").splitlines()
        if line.startswith("| `")
        for cells in [line.split("|")]
    }
    parameters = {
        name: str(parameter.get("Default", "")) for name, parameter in TEMPLATE["Parameters"].items()
    }
    assert table == parameters


def test_each_output_that_is_named_exists() -> None:
    named = set(re.findall(r"`(\w+(?:Url|Arn|Name))`", TEXT))
    assert named <= TEMPLATE["Outputs"].keys()
    assert {"WebhookUrl", "EventBusName", "DashboardUrl", "QuarantineQueueUrl"} <= named


def test_each_make_target_that_is_named_exists() -> None:
    named = set(re.findall(r"(?:`|\$ )make ([a-z]+)", TEXT))
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    assert {"run", "test", "demo", "deploy"} <= named
    assert named <= targets


@pytest.mark.parametrize("command", sorted(set(re.findall(r"\.venv/bin/bookings ([a-z]+)", TEXT))))
def test_each_command_that_is_named_exists_and_knows_its_options(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    for line in re.findall(rf"\.venv/bin/bookings {command}([^`\n]*)", TEXT):
        for option in re.findall(r"--[a-z-]+", line):
            assert option in shown.output


def test_each_place_on_the_map_exists() -> None:
    package = ROOT / "layers/runtime/bookings"
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    cells = first_cells(section("The map of the code", contributing))
    assert len(cells) >= 10
    for cell in cells:
        base = package if cell.startswith("…") else ROOT
        for path in re.findall(r"`([^`]+)`", cell):
            assert (base / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_file_that_is_linked_exists(page: Path) -> None:
    linked = re.findall(r"\]\(((?!https?:)[^)#]+)\)", page.read_text(encoding="utf-8"))
    assert linked or page.parent.name == "docs"
    for path in linked:
        assert (page.parent / path).exists(), path


def test_the_sample_event_has_the_form_of_a_domain_event() -> None:
    (text,) = re.findall(r"```json\n(.*?)```", SUBSCRIBERS, re.DOTALL)
    event = json.loads(text)
    assert event.keys() == {"metadata", "booking", "previous"}
    assert event["metadata"].keys() == {"schema_version", "id", "booking_id", "revision", "occurred_at"}
    assert event["booking"]["booking_id"] == event["metadata"]["booking_id"]


def test_the_answers_are_those_of_the_api_description() -> None:
    told = {cell.split(",")[0] for cell in first_cells(section("What Zoom is answered"))}
    openapi = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text(encoding="utf-8"))
    (operation,) = openapi["paths"]["/webhooks/zoom"].values()
    assert told == operation["responses"].keys()


def test_the_figures_are_those_of_the_code() -> None:
    assert f"{MAX_BODY_BYTES:,} bytes" in README
    assert REQUEST_SECONDS < 2.5
    assert "Answered within 2.5 s" in README
    assert f"live for {SECRET_GRACE.total_seconds() / 3600:.0f} hours" in OPERATIONS
    receives = TEMPLATE["Resources"]["BookingCreatedQueue"]["Properties"]["RedrivePolicy"]["maxReceiveCount"]
    assert f"up to {sum(delay_seconds(n) for n in range(1, receives)) // 60} minutes" in OPERATIONS

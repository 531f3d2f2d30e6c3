"""Import rules beyond import-linter: Zoom's words stay in `zoom/`, and a function imports only its own."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cold_start import REFUSES_CONNECTIONS, SETTINGS

ROOT = Path(__file__).parents[2]
FUNCTIONS = sorted((ROOT / "functions").glob("*/app.py"))
SOURCES = sorted((ROOT / "layers/runtime/bookings").rglob("*.py"))

# Without words of the contract that Zoom uses too: answers, attendees, tracking and cancellation have Zoom's.
ZOOMS_WORDS = re.compile(
    r"\b(scheduled_event|event_ts|invitee_(email|first_name|last_name|counters)|(start|end)_date_time|user_id"
    r"|location_kind|external_location|questions_and_answers|text_phone_number|meeting_notes)\b"
)
POWERTOOLS = "aws_lambda_powertools"
UTILITIES = {f"{POWERTOOLS}.utilities.{name}" for name in ("batch", "data_classes", "idempotency")}
SLOW = {f"{POWERTOOLS}.event_handler", f"{POWERTOOLS}.utilities.parser", "aws_xray_sdk"}
RECEIVING = {f"bookings.use_cases.{name}" for name in ("receive", "publish", "live_secrets")}
RECORDING = {"bookings.use_cases.record", "bookings.use_cases.announce", "bookings.aws.table"}


def at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """Yields everything that runs during an import: all but the bodies of functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            yield from (each for part in getattr(node, "decorator_list", []) for each in ast.walk(part))
        else:
            yield node
            yield from at_import(node)


@pytest.mark.parametrize("path", [*SOURCES, *FUNCTIONS], ids=lambda path: str(path.relative_to(ROOT)))
def test_import_reads_no_environment_clock_or_client(path: Path) -> None:
    too_early = ("os.environ", "os.getenv", "datetime.now(", "time.", "boto3.client(")
    text = path.read_text()
    assert not any(ast.unparse(node).startswith(too_early) for node in at_import(ast.parse(text)))
    assert not re.search(r"sys\.path|reload\(", text)


def test_zooms_words_stay_in_their_folder() -> None:
    used = {path: ZOOMS_WORDS.findall(path.read_text()) for path in SOURCES if path.parent.name != "zoom"}
    assert {path: words for path, words in used.items() if words} == {}


def test_function_folders_hold_one_module() -> None:
    assert sorted(path for path in (ROOT / "functions").rglob("*.*") if path.suffix != ".pyc") == FUNCTIONS


@pytest.mark.parametrize(
    ("function", "not_needed"),
    [
        ("webhook", SLOW | UTILITIES | RECORDING | {"bookings.batch", "bookings.domain.events"}),
        ("booking_created", SLOW | RECEIVING | {"bookings.aws.bus", "bookings.domain.events"}),
        ("booking_events", SLOW | UTILITIES | RECEIVING | {"bookings.batch"}),
    ],
)
def test_function_imports_nothing_it_does_not_use(function: str, not_needed: set[str]) -> None:
    given = os.environ | SETTINGS[function] | {"AWS_ENDPOINT_URL": REFUSES_CONNECTIONS}
    command = [sys.executable, "-c", f"import sys, functions.{function}.app\nprint(*sys.modules)"]
    run = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=True)
    modules = set(run.stdout.split())
    assert {f"{POWERTOOLS}.metrics", "boto3", "pydantic"} <= modules
    assert {name for name in modules for each in not_needed if f"{name}.".startswith(f"{each}.")} == set()

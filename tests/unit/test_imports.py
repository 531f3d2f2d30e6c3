"""The tree's rules beyond import-linter: Zoom's words stay in `zoom/`, a function imports only its own."""

import ast
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from bookings.zoom.events import ScheduledEventCanceled, ScheduledEventCreated
from tests.cold_start import REFUSES_CONNECTIONS, SETTINGS

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers/runtime"
FUNCTIONS = sorted((ROOT / "functions").glob("*/app.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(LAYER).with_suffix("").parts).removesuffix(".__init__")


SOURCES = {name_of(path): path for path in sorted((LAYER / "bookings").rglob("*.py"))}


def test_the_layer_has_the_data_of_the_services_that_are_called() -> None:
    called = set(re.findall(r'client\("(\w+)"', SOURCES["bookings.bootstrap"].read_text()))
    services = re.search(r"^SERVICES := (.+)$", (LAYER / "Makefile").read_text(), re.MULTILINE)
    assert services
    assert called == set(services[1].split())


@pytest.mark.parametrize("path", FUNCTIONS, ids=lambda path: path.parent.name)
def test_a_function_folder_holds_exactly_one_module(path: Path) -> None:
    files = [each for each in path.parent.rglob("*") if each.is_file() and "__pycache__" not in each.parts]
    assert files == [path]


@pytest.mark.parametrize("path", FUNCTIONS, ids=lambda path: path.parent.name)
def test_only_the_webhook_catches_anything_and_of_the_others_nothing_escapes_in_full(path: Path) -> None:
    catches = path.parent.name == "webhook"
    handler = next(
        node
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == "lambda_handler"
    )
    tries = [node for node in ast.walk(handler) if isinstance(node, ast.Try)]
    assert len(tries) == (1 if catches else 0)
    decorators = [ast.unparse(each) for each in handler.decorator_list]
    assert decorators == [
        "metrics.log_metrics",
        "logger.inject_lambda_context(log_event=False)",
        *([] if catches else ["hide_error_details"]),
    ]


def at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """Yields what runs while a module is imported: all but the bodies of its functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from (each for part in getattr(node, "decorator_list", []) for each in ast.walk(part))
        else:
            yield node
            yield from at_import(node)


@pytest.mark.parametrize("path", SOURCES.values(), ids=SOURCES)
def test_nothing_reads_the_environment_the_clock_or_a_client_while_it_is_imported(path: Path) -> None:
    used = {ast.unparse(node) for node in at_import(ast.parse(path.read_text()))}
    too_early = ("os.environ", "os.getenv", "datetime.now(", "time.", "boto3.client(")
    assert not any(each.startswith(too_early) for each in used)


@pytest.mark.parametrize("path", [*SOURCES.values(), *FUNCTIONS], ids=str)
def test_nothing_changes_where_modules_come_from(path: Path) -> None:
    text = path.read_text()
    assert "sys.path" not in text
    assert "reload(" not in text


def fields_of(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield name
        pending: list[object] = [field.annotation]
        while pending:
            part = pending.pop()
            pending.extend(typing.get_args(part))
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from fields_of(part)


# Words of the contract, or of everybody, that Zoom uses as well.
SHARED_WORDS = {
    *("account_id", "active", "answer", "attendees", "canceled_by", "cancellation", "created", "email"),
    *("event", "event_id", "guests", "limit", "location", "manage_url", "object", "payload", "payment"),
    *(
        "position",
        "question",
        "reason",
        "rescheduled",
        "status",
        "summary",
        "time_zone",
        "total",
        "tracking",
        "updated",
    ),
}
ZOOMS_WORDS = {*fields_of(ScheduledEventCreated), *fields_of(ScheduledEventCanceled)} - SHARED_WORDS


def words(path: Path) -> set[str]:
    """Returns the names and the words of the texts in a module, but not of its docstrings."""
    tree = ast.parse(path.read_text())
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.arg | ast.keyword):
            found.add(node.arg or "")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            found.update(node.value.replace(".", " ").split())
    return found


@pytest.mark.parametrize("name", sorted(name for name in SOURCES if not name.startswith("bookings.zoom")))
def test_zooms_words_stay_in_their_folder(name: str) -> None:
    assert "scheduled_event" in ZOOMS_WORDS
    assert "invitee_email" in ZOOMS_WORDS
    assert not words(SOURCES[name]) & ZOOMS_WORDS


def test_the_way_of_finding_words_finds_them() -> None:
    assert {"scheduled_event", "invitee_email", "event_ts"} <= words(SOURCES["bookings.zoom.delivery"])


POWERTOOLS = "aws_lambda_powertools"
NOT_NEEDED = {
    "webhook": {
        *(
            "bookings.batch",
            "bookings.use_cases.record",
            "bookings.use_cases.announce",
            "bookings.domain.events",
        ),
        "bookings.aws.table",
        *(f"{POWERTOOLS}.utilities.{name}" for name in ("batch", "parser", "data_classes", "idempotency")),
        f"{POWERTOOLS}.event_handler",
        "aws_xray_sdk",  # of the tracing
    },
    "booking_created": {
        *(
            "bookings.use_cases.receive",
            "bookings.use_cases.publish",
            "bookings.use_cases.live_secrets",
            "bookings.aws.bus",
        ),
        f"{POWERTOOLS}.utilities.parser",
        *(f"{POWERTOOLS}.event_handler", "aws_xray_sdk"),
    },
    "booking_events": {
        *(
            "bookings.use_cases.receive",
            "bookings.use_cases.publish",
            "bookings.use_cases.live_secrets",
            "bookings.batch",
        ),
        *(f"{POWERTOOLS}.utilities.{name}" for name in ("batch", "parser", "data_classes", "idempotency")),
        *(f"{POWERTOOLS}.event_handler", "aws_xray_sdk"),
    },
}
"""What a function does not use, and what would make its cold start longer; with all that is below it."""


@pytest.mark.parametrize("function", NOT_NEEDED)
def test_a_function_imports_nothing_that_it_does_not_use(function: str) -> None:
    environment = SETTINGS[function] | {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_ENDPOINT_URL": REFUSES_CONNECTIONS,
        "POWERTOOLS_SERVICE_NAME": "tests",
        "POWERTOOLS_METRICS_NAMESPACE": "tests",
    }
    code = f"import sys, functions.{function}.app\nprint(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    modules = set(run.stdout.split())
    assert {f"{POWERTOOLS}.metrics", "boto3", "pydantic"} <= modules
    unwanted = {
        name for each in NOT_NEEDED[function] for name in modules if f"{name}.".startswith(f"{each}.")
    }
    assert unwanted == set()

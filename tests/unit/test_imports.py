"""The tree's rules: imports point one way, Zoom's words stay in `zoom/`, a function is one module."""

import ast
import subprocess
import sys
import typing
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from bookings.zoom.models import ScheduledEventCanceled, ScheduledEventCreated
from pydantic import BaseModel

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers/runtime"
FUNCTIONS = sorted((ROOT / "functions").glob("*/app.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(LAYER).with_suffix("").parts).removesuffix(".__init__")


SOURCES = {name_of(path): path for path in sorted((LAYER / "bookings").rglob("*.py"))}


def imported(path: Path) -> Iterator[str]:
    """Yields each imported module; of `from bookings import x` the module x."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            assert node.module
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in SOURCES else node.module


OURS = {name: {each for each in imported(path) if each in SOURCES} for name, path in SOURCES.items()}
FOREIGN = {
    name: {each.partition(".")[0] for each in imported(path)} - {"bookings"} - sys.stdlib_module_names
    for name, path in SOURCES.items()
}

USE_CASES = {f"bookings.{name}" for name in ("receive", "publish", "record", "announce", "batch")}
OUTERMOST = {name for name in SOURCES if name.startswith("bookings.aws")} | {
    "bookings.bootstrap",
    "bookings.telemetry",
}
DOMAIN = SOURCES.keys() - USE_CASES - OUTERMOST

MODELS = "bookings.zoom.models"  # for developers: the layer leaves it out


def test_imports_make_no_circle() -> None:
    assert list(TopologicalSorter(OURS).static_order())


@pytest.mark.parametrize("name", sorted(DOMAIN))
def test_the_domain_knows_no_use_case_and_no_technology(name: str) -> None:
    assert OURS[name] <= DOMAIN
    assert FOREIGN[name] == KNOWN_TO_THE_DOMAIN.get(name, set())


KNOWN_TO_THE_DOMAIN = {MODELS: {"pydantic"}, "bookings.zoom.compiled": {"pydantic_core"}}


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_nothing_that_is_deployed_knows_the_models(name: str) -> None:
    assert MODELS in SOURCES
    assert MODELS not in OURS[name]


@pytest.mark.parametrize("name", sorted(USE_CASES))
def test_a_use_case_knows_no_technology_but_the_batch_of_powertools(name: str) -> None:
    assert OURS[name] <= DOMAIN | USE_CASES
    assert FOREIGN[name] <= ({"aws_lambda_powertools"} if name == "bookings.batch" else set())


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_nothing_knows_boto3_and_only_bootstrap_knows_the_adapters(name: str) -> None:
    assert not FOREIGN[name] & {"boto3", "botocore"}
    known = {each for each in OURS[name] if each.startswith("bookings.aws")}
    assert not known or name.startswith("bookings.aws") or name == "bookings.bootstrap"


WIRE = {f"bookings.aws.{name}" for name in ("client", "connecting", "connection", "sigv4", "wire")}


@pytest.mark.parametrize("name", sorted(WIRE))
def test_how_aws_is_called_knows_no_service_and_no_booking(name: str) -> None:
    assert FOREIGN[name] == set()
    assert OURS[name] <= WIRE | {"bookings.errors", "bookings.services", "bookings.settings"}


def test_only_the_client_knows_the_wire_and_only_adapters_and_bootstrap_know_the_client() -> None:
    knowing = {each: {name for name in SOURCES if each in OURS[name]} for each in WIRE}
    assert knowing["bookings.aws.connection"] == knowing["bookings.aws.sigv4"] == {"bookings.aws.client"}
    outside = {name for name in knowing["bookings.aws.client"] if not name.startswith("bookings.aws")}
    assert outside == {"bookings.bootstrap"}


def test_the_booking_is_pure_standard_library() -> None:
    assert FOREIGN["bookings.booking"] == set()
    assert OURS["bookings.booking"] == {"bookings.clock"}


@pytest.mark.parametrize("path", SOURCES.values(), ids=SOURCES)
def test_the_package_knows_no_function_no_command_and_no_test(path: Path) -> None:
    assert not {each.partition(".")[0] for each in imported(path)} & {"functions", "cli", "tests"}


@pytest.mark.parametrize("path", FUNCTIONS, ids=lambda path: path.parent.name)
def test_a_function_folder_holds_exactly_one_module(path: Path) -> None:
    files = [each for each in path.parent.rglob("*") if each.is_file() and "__pycache__" not in each.parts]
    assert files == [path]


@pytest.mark.parametrize("path", FUNCTIONS, ids=lambda path: path.parent.name)
def test_a_function_knows_no_adapter_and_no_other_function(path: Path) -> None:
    modules = set(imported(path))
    assert not any(each.startswith(("functions", "boto", "bookings.aws", "cli")) for each in modules)


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
        "observed",
        *([] if catches else ["fit_for_a_log"]),
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
    *("event", "event_id", "guests", "limit", "location", "manage_url", "object", "payload", "position"),
    *("question", "reason", "rescheduled", "status", "summary", "time_zone", "total", "tracking", "updated"),
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


NOT_NEEDED = {
    "receiver": {
        *("bookings.batch", "bookings.record", "bookings.announce", "bookings.aws.table"),
        "aws_lambda_powertools",
    },
    "record_batch": {
        *("bookings.receive", "bookings.publish", "bookings.aws.bus"),
        "aws_lambda_powertools.utilities.parser.models",  # of other services' events
    },
    "announcer": {"bookings.receive", "bookings.publish", "bookings.batch", "aws_lambda_powertools"},
}
"""What the other functions need, and would make this one's cold start longer."""

FUNCTION_OF = {"receiver": "webhook", "record_batch": "booking_created", "announcer": "booking_events"}


@pytest.mark.parametrize("factory", FUNCTION_OF)
def test_a_function_imports_nothing_that_only_others_need(factory: str) -> None:
    places = (
        *("ZOOM_SECRET_ARN", "EVENT_BUS_ARN", "BOOKINGS_TABLE_NAME", "QUEUE_URL", "QUARANTINE_QUEUE_URL"),
        *("BOOKING_CREATED_QUEUE_URL", "BOOKING_CANCELED_QUEUE_URL", "BOOKING_EVENTS_DLQ_URL"),
    )
    environment = dict.fromkeys(places, "arn:aws:service:us-east-1:123456789012:somewhere") | {
        "FAN_OUT": "EventBridge",
        "SIGNATURE_TOLERANCE_SECONDS": "300",
        "BOOKING_RETENTION_DAYS": "0",
        "SHARE_ACCESS_LINKS": "false",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "POWERTOOLS_SERVICE_NAME": "tests",
        "POWERTOOLS_METRICS_NAMESPACE": "tests",
    }
    code = (
        f"import sys, functions.{FUNCTION_OF[factory]}.app\n"
        f"functions.{FUNCTION_OF[factory]}.app.bootstrap.{factory}()\n"
        "print(*sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    modules = set(run.stdout.split())
    assert (NOT_NEEDED[factory] | {"boto3", "botocore.client"}) & modules == set()
    # Its compiled core is loaded by itself, see zoom/compiled.py.
    assert {each for each in modules if each.partition(".")[0] in {"pydantic", "pydantic_core"}} == set()

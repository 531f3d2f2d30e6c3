"""The watch over all tests sees each way in which something is said, and knows what must not be in it."""

import sys
from http import HTTPStatus
from typing import Any, cast

import pytest
import typer
from typer.testing import CliRunner

from bookings.counts import Count
from bookings.errors import BookingsError, RefusedByService
from bookings.observability import count, logger, metrics
from bookings.use_cases import answers, receive
from tests import samples
from tests.adapters.resources import TOKEN
from tests.leaks import WATCH, deliveries, personal_texts
from tests.printed import Printed
from tests.stack.deliveries import CANARY
from tests.unit.cli.conftest import SECRET as SECRET_OF_THE_COMMANDS
from tests.unit.test_live_secrets import NEW, OLD
from tests.zoom_api import CLIENT_SECRET
from tests.zoom_api import TOKEN as ACCESS_TOKEN

EMAIL = "ann@example.com"
SECRETS = [samples.SECRET, TOKEN, SECRET_OF_THE_COMMANDS, OLD, NEW, CLIENT_SECRET, ACCESS_TOKEN]

printing = typer.Typer()


@printing.command()
def show(text: str) -> None:
    typer.echo(text)


@printing.command()
def erase(text: str) -> None:
    typer.echo(text, err=True)


@printing.command()
def recover(text: str) -> None:
    raise KeyError(text)


@pytest.mark.parametrize("text", [*SECRETS, CANARY, EMAIL, EMAIL.upper(), "Ann Example", "Time conflict"])
def test_a_secret_and_what_is_personal_are_known_wherever_they_stand(text: str) -> None:
    with WATCH.expecting() as found:
        WATCH.see("a log", f'{{"reason": "before {text} after"}}')
    assert len(found) >= 1
    assert found[0].startswith("a log: ")


def test_what_json_writes_otherwise_is_known_too() -> None:
    with WATCH.expecting() as found:
        WATCH.see("a log", r"Moving our workshop bookings to Zoom Scheduler \u2013 about 40 a week.")
    assert found


def test_what_a_log_may_hold_is_not_taken_for_personal() -> None:
    with WATCH.expecting() as found:
        WATCH.see(
            "a log", "scheduler.scheduled_event_created of evt-1-0b9fa33cd3ba4ce7, confirmed, Europe/Berlin"
        )
    assert found == []


def test_every_delivery_has_much_that_is_personal() -> None:
    assert min(len(list(personal_texts(body))) for body in deliveries() if "object" in body["payload"]) >= 9


def test_what_is_printed_and_counted_is_seen(capsys: pytest.CaptureFixture[str], printed: Printed) -> None:
    for stream in (sys.stdout, sys.stderr):
        with WATCH.expecting() as found:
            print(EMAIL, file=stream)
            capsys.readouterr()
        assert len(found) == 1
    with WATCH.expecting() as found:
        count(cast("Count", EMAIL))
        metrics.flush_metrics()
        printed.text()
    assert len(found) == 1


def test_a_log_line_is_seen(printed: Printed) -> None:
    with WATCH.expecting() as found:
        logger.info("said", extra={"invitee": EMAIL})
        printed.text()
    assert len(found) == 1


@pytest.mark.parametrize("module", [answers, receive])
def test_a_problem_and_the_log_of_its_answer_are_seen(module: Any) -> None:
    with WATCH.expecting() as found:
        module.problem(HTTPStatus.BAD_REQUEST, EMAIL, log={"reason": EMAIL})
    assert [each.partition(":")[0] for each in found] == ["problem details", "an answer's log"]


@pytest.mark.parametrize("kind", [BookingsError, RefusedByService])
def test_the_message_of_an_error_of_ours_is_seen(kind: type[BookingsError]) -> None:
    with WATCH.expecting() as found:
        kind(f"refused {EMAIL}")
    assert len(found) == 1


@pytest.mark.parametrize(
    ("command", "text", "seen"),
    [
        ("erase", EMAIL, True),
        ("recover", EMAIL, True),
        ("show", EMAIL, False),
        ("show", samples.SECRET, True),
        ("erase", samples.SECRET, True),
    ],
)
def test_a_commands_output_is_seen_and_one_that_shows_bookings_may_show_them_but_no_secret(
    command: str, text: str, seen: bool
) -> None:
    with WATCH.expecting() as found:
        CliRunner().invoke(printing, [command, text])
    assert bool(found) is seen


def test_a_test_in_which_something_is_said_fails(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    pytester.makeconftest("from tests.leaks import pytest_runtest_makereport\n")
    pytester.makepyfile(
        f"def test_one():\n    print('{EMAIL}')\n\n"
        f"def test_two(capsys):\n    print('{EMAIL}')\n\n"
        "def test_three():\n    print('nothing')\n"
    )
    with WATCH.expecting():
        run = pytester.runpytest_inprocess("-p", "no:xdist", "-p", "no:cacheprovider")
        capsys.readouterr()  # it told what was found, so it would be found again
    run.assert_outcomes(passed=1, failed=2)

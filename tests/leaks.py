"""Over the whole run of the tests: nothing personal and no secret is in what the product says of itself.

The tests' deliveries and secrets hold words by which they are known again. All that is printed, logged or
counted in a test, each problem that is answered, each message of an error of ours and each command's output
is searched for them, and the test in which one is found fails. What is meant to show a booking is listed.
"""

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from bookings import errors
from bookings.use_cases import answers, receive
from tests.samples import canceled, created

EVENTS = Path(__file__).parents[1] / "events"

MEANT_TO_SHOW = {
    "show": "prints bookings; that is what it is for",
    "send": "prints what the webhook answered, which is the delivery itself",
}
"""Commands that show what a booking holds, to the operator who asks for it. Not even they show a secret."""

# What a log may hold: which event, which booking, and what is no more than one of a few words or a time.
FIT_FOR_A_LOG = {
    "event", "event_id", "kind", "location_kind", "status", "canceler_type", "time_zone",
    "start_date_time", "end_date_time", "created", "updated", "cancel_at",
}  # fmt: skip

SHORTEST = 8  # characters; what is shorter could be a part of anything

# Tests that care make up their own; and parts of each secret that any test has.
CANARIES = ("canary", "kanarie")
SECRETS = (
    "secret-of-22-c",
    "secret-token-of-",
    "token-of-the-tests",
    "access-token-canary",
    "client-secret-canary",
)


def personal_texts(body: object, field: str = "") -> Iterator[str]:
    """Yields what is personal in a delivery: every text of it but those that are fit for a log."""
    if isinstance(body, dict):
        for name, value in body.items():
            yield from personal_texts(value, name)
    elif isinstance(body, list):
        for item in body:
            yield from personal_texts(item, field)
    elif isinstance(body, str) and field not in FIT_FOR_A_LOG and len(body) >= SHORTEST:
        yield body


def deliveries() -> Iterator[dict[str, Any]]:
    """Yields the deliveries that tests are made of."""
    yield from (created(), canceled())
    for file in (*EVENTS.glob("*.json"), *EVENTS.glob("story/*.json")):
        yield json.loads(file.read_bytes())


def _spelled(*texts: str) -> tuple[str, ...]:
    """Returns texts as they are looked for: in lower case, as they are and as JSON writes them."""
    return tuple(sorted({each.lower() for text in texts for each in (text, json.dumps(text)[1:-1])}))


_SECRET = _spelled(*SECRETS)
_ANY = _spelled(*CANARIES, *SECRETS, *(text for body in deliveries() for text in personal_texts(body)))


def _look(text: str, words: tuple[str, ...]) -> list[str]:
    """Returns the words that are in a text, each with what stands around it."""
    lower = text.lower()
    return [
        f"{word!r} in …{text[max(place - 60, 0) : place + len(word) + 20]!r}…"
        for word in words
        if (place := lower.find(word)) >= 0
    ]


_look_again = lru_cache(maxsize=10_000)(_look)  # the same few messages come in every test
LONGEST_KEPT = 1_000  # characters of a text that is kept for that


class Watch:
    """Sees what the product says, and knows what must not be in it."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def see(self, where: str, text: str, *, secrets_only: bool = False) -> None:
        """Looks through a text."""
        look = _look_again if len(text) <= LONGEST_KEPT else _look
        self._found += [f"{where}: {found}" for found in look(text, _SECRET if secrets_only else _ANY)]

    def see_command(self, arguments: tuple[str, ...], output: str) -> None:
        """Looks through what a command printed, for what it is not meant to show."""
        command = arguments[0] if arguments else ""
        self.see(f"bookings {command}", output, secrets_only=command in MEANT_TO_SHOW)

    def taken(self) -> list[str]:
        """Returns what was found since the last time."""
        found, self._found = self._found, []
        return found

    @contextmanager
    def expecting(self) -> Iterator[list[str]]:
        """Gives what is found in the block to the test, which shows so that it would have been."""
        before = self.taken()
        found: list[str] = []
        try:
            yield found
        finally:
            found += self.taken()
            self._found = before


WATCH = Watch()


def pytest_configure() -> None:
    """Lets the watch see everything that is said from now on."""
    plain_problem, invoke, readouterr = answers.problem, CliRunner.invoke, pytest.CaptureFixture.readouterr

    def problem(*arguments: Any, **more: Any) -> answers.Answer:
        answer = plain_problem(*arguments, **more)
        WATCH.see("problem details", f"{answer.body}")
        WATCH.see("an answer's log", f"{answer.log}")
        return answer

    def initialised(self: errors.BookingsError, *arguments: object) -> None:
        Exception.__init__(self, *arguments)
        WATCH.see(f"message of {type(self).__name__}", f"{arguments}")

    def invoked(runner: CliRunner, app: typer.Typer, args: Any = None, *more: Any, **options: Any) -> Result:
        result = invoke(runner, app, args, *more, **options)
        WATCH.see_command(tuple(args or ()), f"{result.output}{result.exception or ''}")
        return result

    def read(capture: pytest.CaptureFixture[Any]) -> Any:
        captured = readouterr(capture)
        WATCH.see("printed", f"{captured.out}{captured.err}")
        return captured

    for place, name, seen in (
        (answers, "problem", problem),
        (receive, "problem", problem),
        (errors.BookingsError, "__init__", initialised),
        (CliRunner, "invoke", invoked),
        (pytest.CaptureFixture, "readouterr", read),
    ):
        setattr(place, name, seen)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fails the test in which something was found."""
    capsys = getattr(item, "funcargs", {}).get("capsys")
    if call.when == "call" and isinstance(capsys, pytest.CaptureFixture):
        capsys.readouterr()  # what the test itself has not looked at
    report = yield
    for name, text in report.sections:
        if name.endswith(f" {call.when}"):  # it holds those of the earlier phases as well
            WATCH.see(name, text)
    found = WATCH.taken()
    if found and report.passed:
        report.outcome = "failed"
        report.longrepr = "\n".join(["personal data, or a secret, in what was said:", *found])
    return report

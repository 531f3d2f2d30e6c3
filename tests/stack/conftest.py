"""One running stack for all tests of this folder, in a process of its own; each test has its own event id.

def test_a_created_booking_is_confirmed(stack, event_id):
    stack.deliver(created(event_id))
    assert stack.booking(event_id)["status"] == "confirmed"
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack import recorder
from tests.stack.process import stack_in_a_process
from tests.stack.running import StackUnderTest


@pytest.fixture(scope="session")
def stack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the stack runs: a command that is called there finds it by `.local`."""
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="session")
def calls_file(stack_folder: Path) -> Path:
    """Where each call of a function to AWS is written down, over the whole run."""
    return stack_folder / "calls.jsonl"


@pytest.fixture(scope="session")
def stack(stack_folder: Path, calls_file: Path) -> Iterator[StackUnderTest]:
    """The whole stack, from template.yaml, behind its HTTP door."""
    secret = secrets.token_urlsafe(16)
    program = (recorder.__file__, str(calls_file))
    with stack_in_a_process(stack_folder / ".local", secret=secret, program=program) as running:
        yield StackUnderTest(running, secret)


@pytest.fixture(autouse=True)
def nothing_given_up(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves something in a DLQ which it didn't expect and take from there."""
    stack = request.getfixturevalue("stack") if "stack" in request.fixturenames else None
    yield
    if isinstance(stack, StackUnderTest):
        assert [text for dlq in stack.dlqs for text in dlq.take()] == []


@pytest.fixture
def event_id() -> str:
    """An `event_id` that no other test uses."""
    return secrets.token_hex(13)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs last what looks at all logs and calls, for then they hold what every test has left there."""
    last = ("test_least_privilege.py", "test_personal_data.py")
    items.sort(key=lambda item: item.path.name in last)

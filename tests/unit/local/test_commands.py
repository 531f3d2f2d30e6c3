"""`bookings local`: wrong calls, failures and exit codes."""

import json
from typing import Any
from unittest.mock import MagicMock, Mock

import pytest
from typer.testing import CliRunner, Result

from cli.output import CommandError
from local import commands
from local.demo import Outcome
from local.stack import DeploymentError, RunningStack
from local.template import TemplateError
from local.workarounds import EmulatorError

SECRET = "the-secret-token-of-these-tests"
STATE: dict[str, Any] = {"endpoint_url": "http://e", "region": "r", "webhook_url": "http://w", "pid": 1}
STATE |= {"outputs": {}, "credentials": {}}
CTRL_C = KeyboardInterrupt()
PROBLEMS = Outcome(problems=["a.json: answered 503"])


@pytest.fixture
def local_stack(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Starts the stack. Ctrl-C ends what stays up."""
    started = MagicMock()
    started.return_value.__enter__.return_value = (RunningStack(**STATE), [])
    started.return_value.__exit__.return_value = None
    started.play.return_value = Outcome()
    monkeypatch.setattr(commands, "local_stack", started)
    monkeypatch.setattr(commands, "Subscriber", Mock(**{"return_value.receive.side_effect": CTRL_C}))
    monkeypatch.setattr("local.demo.play", started.play)
    monkeypatch.setattr("signal.signal", Mock())
    return started


def call(command: str) -> Result:
    return CliRunner().invoke(commands.app, command.split(), env={"SECRET": SECRET, "COLUMNS": "200"})


@pytest.mark.parametrize(
    ("command", "start", "story", "exit_code", "printed"),
    [
        ("demo", None, None, 0, "Everything arrived"),
        ("demo", None, [PROBLEMS], 1, "Not everything arrived"),
        ("demo", None, CTRL_C, 130, "Ended. Nothing is left running."),
        *((command, None, None, 0, "Ended. Nothing is left running.") for command in ("run", "up")),
        ("run", CTRL_C, None, 130, "Ended."),
        ("up", EmulatorError("why"), None, 1, "The local stack can't start\n    why\n"),
        ("up", TemplateError("why"), None, 1, "The template can't be used\n    why\n"),
        ("up", DeploymentError("a\nb"), None, 1, "The template can't be deployed\n    a\n    b\n"),
        ("run", None, CommandError("why"), 1, "The samples can't be posted\n    why\n"),
        ("up --secret short", None, None, 2, "at least 16 characters"),
        ("up --parameter FanOut", None, None, 2, "'FanOut' is not NAME=VALUE"),
    ],
)
def test_end_has_its_exit_code(
    local_stack: Any, command: str, start: Any, story: Any, exit_code: int, printed: str
) -> None:
    local_stack.return_value.__enter__.side_effect, local_stack.play.side_effect = start, story
    result = call(command)
    assert (result.exit_code, printed in result.output, SECRET in result.output) == (exit_code, True, False)


def test_options_reach_the_stack_and_json_the_program(local_stack: Any) -> None:
    local_stack.play.return_value = PROBLEMS
    result = call("demo --json --port 0 --parameter FanOut=SQS --parameter A=b=c")
    assert json.loads(result.stdout) == STATE | {"deliveries": [], "problems": PROBLEMS.problems}
    given = [local_stack.call_args.kwargs[name] for name in ("port", "secret", "parameters")]
    assert given == [0, SECRET, {"FanOut": "SQS", "A": "b=c"}]

"""The `bookings` command as a whole."""

import re
import sys

import pytest

from cli import entry, posting

from .conftest import EVENTS, SECRET, bookings


def test_its_commands_are_listed() -> None:
    result = bookings("--help")

    assert result.exit_code == 0
    assert re.findall(r"^│ (\w+) ", result.stdout, re.MULTILINE) == [
        *("send", "show", "erase", "recover", "announce", "local")
    ]


def test_the_entry_point_runs_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["bookings", "show", "--local", "--stack", "dev"])

    with pytest.raises(SystemExit) as ended:
        entry.main()

    assert ended.value.code == 2
    assert capsys.readouterr().err == "Error: --local and --stack exclude each other.\n"


@pytest.mark.parametrize("command", ["show", "erase", "announce"])
def test_a_booking_id_with_a_dash_needs_two_dashes_before(command: str) -> None:
    result = bookings(command, "-abc-0123456789abcdef")
    assert result.exit_code == 2
    assert "comes last, after --" in result.output


def test_a_bug_does_not_print_the_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(posting, "sign", broken)
    file = str(EVENTS / "url_validation.json")
    monkeypatch.setattr(
        sys, "argv", ["bookings", "send", file, "--url", "http://127.0.0.1:1", "--secret", SECRET]
    )

    with pytest.raises(RuntimeError) as caught:
        entry.main()
    sys.excepthook(caught.type, caught.value, caught.tb)

    printed = capsys.readouterr().err
    assert "RuntimeError: a bug" in printed
    assert SECRET not in printed

"""Where the command begins."""

import builtins
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli import entry


def test_ctrl_c_while_the_command_is_imported_ends_it_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def interrupted(name: str, *arguments: Any) -> Any:
        if name == "cli.main":
            raise KeyboardInterrupt
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 130


def test_the_installed_command_begins_there() -> None:
    command = Path(sys.executable).with_name("bookings")
    shown = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    assert "erase" in shown.stdout
    assert "cli.entry" in command.read_text()

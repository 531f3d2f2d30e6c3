"""The output of the commands: for a person, or as JSON for a program.

Strangers type the texts of a booking into a public page. No text may reach the terminal as a control sequence
or as markup.
"""

import json
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.status import Status
from rich.text import Text

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# Marks that let text be shown in another order than it is written.
_BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class CommandError(Exception):
    """A command can't do what it was asked. The message says what to do about it and is shown as it is."""

    exit_code = 1


class WrongCallError(CommandError):
    """The command was not called as it must be."""

    exit_code = 2


@contextmanager
def errors_shown() -> Iterator[None]:
    """Shows a `CommandError` on the error stream and ends the command with its exit code."""
    try:
        yield
    except CommandError as error:
        message = Text.assemble(("Error: ", "bold red"), printable(str(error)))
        Console(stderr=True, highlight=False).print(message, soft_wrap=True)
        raise typer.Exit(error.exit_code) from None


def console() -> Console:
    return Console(highlight=False)


def progress(text: str) -> Status:
    """Shows a line while a block runs, on the error stream if that is a terminal. Print nothing in it."""
    return Console(stderr=True, highlight=False).status(Text(text))


def at_terminal() -> bool:
    """Returns whether a person can be asked."""
    return sys.stdin.isatty()


def print_json(value: object) -> None:
    """Prints JSON in ASCII, which no terminal and no locale can misread."""
    typer.echo(json.dumps(value, indent=2))


def object_in(data: str | bytes) -> dict[str, Any] | None:
    """Returns the JSON object in a text, None if there is none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def printable(text: str) -> str:
    """Returns the text with a replacement for each character that would steer the terminal."""
    return "".join(_REPLACEMENT if _steers(character) else character for character in text)


def _steers(character: str) -> bool:
    if character in "\n\t":
        return False
    return unicodedata.category(character) in {"Cc", "Cs"} or character in _BIDIRECTIONAL

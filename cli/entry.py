"""Where the `bookings` command begins: nothing is imported yet that takes time."""

import sys

_INTERRUPTED = 130  # as a shell says it


def main() -> None:
    """Runs the command; a Ctrl-C while it is still being imported ends it without a word."""
    try:
        from cli.main import app  # noqa: PLC0415 - the import is what may be interrupted
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    app()

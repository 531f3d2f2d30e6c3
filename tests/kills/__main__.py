"""`python -m tests.kills`: the command, which ends without a traceback when it is interrupted early, too."""

import signal
import sys


def run() -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it at first
    try:
        from tests.kills.command import main  # noqa: PLC0415 - the imports take a while, in which Ctrl-C may come

        return main()
    except KeyboardInterrupt:
        print("\nInterrupted; every process is ended.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(run())

"""A process that has imported what the tests import, and forks for each run over a seeded bug.

Most of a short run is importing pytest, Hypothesis, pydantic, boto3 and moto; so the hundred runs share that.
Nothing of this project is imported before a fork: each run gets the code as it stands on the disk then.

It reads a line of JSON for each run, `{"module": name, "arguments": […], "output": path, "seconds": …}`, and
writes one, `{"exit_code": …}`: the module's own, or minus a signal's number where the run was ended by one.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import sys
import traceback

FOREIGN = (
    "greenlet", "pytest", "hypothesis", "hypothesis.strategies", "pydantic", "aws_lambda_powertools",
    "aws_lambda_powertools.metrics", "aws_lambda_powertools.utilities.batch",
    "aws_lambda_powertools.utilities.data_classes.sqs_event", "boto3", "boto3.dynamodb.types", "moto",
    "moto.dynamodb.models", "moto.dynamodb.responses", "moto.dynamodbstreams.models", "moto.events.models",
    "moto.secretsmanager.models", "moto.sqs.models", "samtranslator.translator.translator", "typer",
)  # fmt: skip
OURS = {"bookings", "cli", "examples", "functions"}


def main() -> None:
    for name in FOREIGN:
        importlib.import_module(name)
    early = OURS & {name.partition(".")[0] for name in sys.modules}
    assert not early, f"{early} would be the same in every run"
    gc.freeze()
    for line in sys.stdin:
        print(json.dumps({"exit_code": run(**json.loads(line))}), flush=True)


def run(module: str, arguments: list[str], output: str, seconds: int) -> int:
    """Runs a module in a child of this process, as `python -m` does, and returns how it ended."""
    child = os.fork()
    if not child:
        _run_here(module, arguments, output, seconds)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _run_here(module: str, arguments: list[str], output: str, seconds: int) -> None:
    """Runs the module and ends the process, whatever happens."""
    code = 70  # an internal error, in none of pytest's meanings
    try:
        signal.alarm(seconds)
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(file, stream)
        sys.argv[1:] = arguments
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - a child must never go on with its parent's work
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()

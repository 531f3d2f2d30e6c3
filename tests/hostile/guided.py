"""Fuzzes one target, guided by the product's coverage: `python -m tests.hostile.guided TARGET --seconds N`.

It starts from the corpus that is kept and from what earlier runs found, and writes what it finds to
`.local/fuzz/TARGET`. An input that fails is written beside it, and ends the run.
"""

import argparse
import sys
from pathlib import Path
from random import Random

import atheris

import tests.conftest  # noqa: F401 - sets the environment before anything of the product is imported

with atheris.instrument_imports(include=["bookings", "functions"]):
    from tests.hostile import garbage
    from tests.hostile.targets import CORPUS, MAX_BYTES, TARGETS

FOUND = Path(__file__).parents[2] / ".local/fuzz"
STRUCTURED = 0.5
"""Share of the mutations that know JSON; the others know bytes."""


def mutated(data: bytes, max_size: int, seed: int) -> bytes:
    """Changes a body as JSON, or as bytes; keeps the two lines that stand before the body for `verify`."""
    random = Random(seed)  # noqa: S311 - the fuzzer's own seed
    if random.random() >= STRUCTURED:
        return bytes(atheris.Mutate(data, max_size))
    head, separator, body = data.rpartition(b"\n")
    if not head.startswith(b"@"):
        head, separator, body = b"", b"", data
    return (head + separator + garbage.broken(random, body))[:max_size]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.guided", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="of the fuzzer's chance; 0 for a fresh one")
    parser.add_argument("--merge", type=Path, help="write the smallest corpus with the same coverage there")
    parser.add_argument(
        "--found", type=Path, default=FOUND, help="where new inputs go (default: .local/fuzz)"
    )
    arguments, inner = parser.parse_known_args()
    found = arguments.found / arguments.target
    found.mkdir(parents=True, exist_ok=True)
    kept = CORPUS / arguments.target
    options = [f"-max_len={MAX_BYTES}", "-timeout=60", "-rss_limit_mb=4096", "-print_final_stats=1"]
    if inner:
        options, folders = inner, []
    elif arguments.merge:
        arguments.merge.mkdir(parents=True, exist_ok=True)
        options += ["-merge=1"]
        folders = [arguments.merge, kept, found]
    else:
        options += [
            f"-max_total_time={arguments.seconds}",
            f"-seed={arguments.seed}",
            f"-artifact_prefix={found.parent}/{arguments.target}-",
        ]
        folders = [found, kept]
    atheris.enabled_hooks.add("RegEx")
    atheris.enabled_hooks.add("str")
    # A merge calls itself in a shell, with options of its own, once for each input that ends a process.
    itself = f"{sys.executable} -m tests.hostile.guided {arguments.target}"
    target = TARGETS[arguments.target]
    atheris.Setup([itself, *options, *map(str, folders)], target, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

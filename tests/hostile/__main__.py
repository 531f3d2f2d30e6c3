"""Attacks the door until somebody has seen enough: `python -m tests.hostile --seconds …`.

The attacks by chance share the first half of the time, the targets that are guided by coverage the other
one; those start from the corpus and go on from what earlier runs found, in `.local/fuzz/`. `--keep` takes
what they found into the corpus, less all that covers nothing new.
"""

import argparse
import importlib.util
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import tests.conftest  # noqa: F401 - sets the environment before anything of the product is imported
from tests.hostile.attempts import ATTACKS, run
from tests.hostile.targets import CORPUS, TARGETS

CHUNK = 500
"""Tries between two looks at the clock."""

GUIDED = [sys.executable, "-m", "tests.hostile.guided"]
FAILED, INTERRUPTED = 1, 130


def attack(name: str, first_seed: int, *, seconds: float, tries: int | None) -> bool:
    """Tries one attack for so long, or so often, and returns whether it was repelled."""
    tried = ATTACKS[name]()
    started = time.monotonic()
    done = 0
    print(f"{name}: seeds from {first_seed} on", flush=True)
    for chunk in itertools.count():
        left = CHUNK if tries is None else min(CHUNK, tries - done)
        if left <= 0 or (tries is None and time.monotonic() - started >= seconds):
            break
        try:
            run(tried, first_seed + chunk * CHUNK, left)
        except Exception:  # noqa: BLE001 - whatever it is, it is what was looked for
            traceback.print_exc()
            return False
        done += left
    took = time.monotonic() - started
    print(f"  {done:,} tries in {took:,.0f} s, {done / took:,.0f} a second")
    print("  " + ", ".join(f"{number:,} {what}" for what, number in tried.tally().items()), flush=True)
    return True


def fuzz(name: str, seconds: int) -> bool:
    """Fuzzes one target; what fails is named by the fuzzer."""
    print(f"{name}: guided by coverage, {seconds} s", flush=True)
    command = [*GUIDED, name, "--seconds", str(seconds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    lines = done.stdout.decode(errors="replace").splitlines()
    if done.returncode:
        print("\n".join(lines[-60:]))
        return False
    told = [line for line in lines if " cov: " in line][-1:] + [line for line in lines if "stat::n" in line]
    print("\n".join(f"  {line.strip()}" for line in told), flush=True)
    return True


def keep(name: str) -> None:
    """Makes the corpus of a target the smallest one that covers all that it and the finds cover."""
    with tempfile.TemporaryDirectory() as folder:
        merged = Path(folder) / name
        subprocess.run([*GUIDED, name, "--merge", merged], capture_output=True, check=True)
        assert any(merged.iterdir()), "a merge that leaves nothing has gone wrong"
        shutil.rmtree(CORPUS / name)
        shutil.copytree(merged, CORPUS / name)
    sizes = [path.stat().st_size for path in (CORPUS / name).iterdir()]
    print(f"{name}: {len(sizes)} files, {sum(sizes):,} bytes")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long in all (default: 60)")
    parser.add_argument("--attack", choices=ATTACKS, help="this one alone")
    parser.add_argument("--tries", type=int, help="how often each attack, instead of how long")
    parser.add_argument("--seed", type=int, help="make this one try of an attack again")
    parser.add_argument("--from-seed", type=int, help="the first seed (default: a fresh one)")
    parser.add_argument("--keep", action="store_true", help="take what was found into the corpus")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        if not arguments.attack:
            parser.error("--seed needs --attack")
        return 0 if attack(arguments.attack, arguments.seed, seconds=0, tries=1) else FAILED
    guided = importlib.util.find_spec("atheris") is not None
    if arguments.keep:
        if not guided:
            parser.error("--keep needs atheris, which has no wheel for this machine")
        for name in TARGETS:
            keep(name)
        return 0
    first = arguments.from_seed
    if first is None:
        first = int.from_bytes(os.urandom(6)) // CHUNK * CHUNK
    names = [arguments.attack] if arguments.attack else list(ATTACKS)
    alone = arguments.attack or arguments.tries or not guided
    seconds = arguments.seconds / len(names) / (1 if alone else 2)
    try:
        failed = [name for name in names if not attack(name, first, seconds=seconds, tries=arguments.tries)]
        if not guided:
            print(
                "NOT guided by coverage: atheris has no wheel for this machine. The corpus is in `make test`."
            )
        elif not alone:
            each = max(1, round(arguments.seconds / 2 / len(TARGETS)))
            failed += [name for name in TARGETS if not fuzz(name, each)]
    except KeyboardInterrupt:
        return INTERRUPTED
    if failed:
        print(f"The door did not hold; see above: {', '.join(failed)}.")
        return FAILED
    print("Nothing came through, and nothing was lost.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

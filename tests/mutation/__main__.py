"""`python -m tests.mutation`: changes the code that decides about a booking, and sees the unit tests fail.

Ends with 1 if a change is noticed by no test and is not explained in explained.toml, or if one that is
explained there is noticed now, or is no change of today's code.
"""

import argparse
import sys
import time

from tests.mutation.explained import explanations
from tests.mutation.judge import Judge, Verdict
from tests.mutation.mutants import CODE, TESTS, mutants


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument(
        "modules", nargs="*", default=list(TESTS), help="such as zoom/signature.py; all unless said"
    )
    options = parser.parse_args()

    explained = {key: reason for key, reason in explanations().items() if key[0] in options.modules}
    judge, survivors, alive = Judge(), [], set()
    for module in options.modules:
        started, counted = time.monotonic(), dict.fromkeys(Verdict, 0)
        source = (CODE / module).read_text(encoding="utf-8")
        if judge.verdict(module, source, TESTS[module]) is not Verdict.SURVIVED:
            print(f"{module}: its tests fail as it is", file=sys.stderr)
            return 1
        for mutant in mutants(module, source):
            verdict = judge.verdict(module, mutant.source, TESTS[module])
            counted[verdict] += 1
            if verdict is Verdict.SURVIVED:
                alive.add(mutant.key)
                if mutant.key not in explained:
                    survivors.append(mutant)
                    print(f"survived: {mutant}", flush=True)
        told = ", ".join(f"{count} {verdict.value}" for verdict, count in counted.items())
        print(
            f"{module}: {sum(counted.values())} mutants, {told}, in {time.monotonic() - started:.0f} s",
            flush=True,
        )

    outdated = sorted(explained.keys() - alive)
    for module, scope, before, after in outdated:
        told = f"{module} {scope}\n    - {before}\n    + {after}"
        print(f"explained, but no survivor any more: {told}", file=sys.stderr)
    print(f"{len(alive)} survived, {len(survivors)} of them unexplained")
    return 1 if survivors or outdated else 0


if __name__ == "__main__":
    sys.exit(main())

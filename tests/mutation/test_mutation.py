"""The mutants are programs, their judge can tell, and each that is explained is one of today's code."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.explained import explanations
from tests.mutation.mutants import CODE, ROOT, TESTS, mutants

WORDS_OF_A_REASON = 5

PROGRAM = '''"""A program."""

LIMIT = 3


def within(value: int | None, *, values: list[int] = []) -> bool:
    """Says so."""
    values.append(value or 0)
    return value is not None and value < LIMIT
'''


def test_everything_that_decides_is_changed_once() -> None:
    changes = {(mutant.before, mutant.after) for mutant in mutants("program.py", PROGRAM)}
    result = "return value is not None and value < LIMIT"

    assert {
        ("LIMIT = 3", "LIMIT = 4"),
        (result, "return value is not None or value < LIMIT"),
        (result, "return value is None and value < LIMIT"),
        (result, "return value is not None and value <= LIMIT"),
        (result, "return None"),
        ("values.append(value or 0)", "pass"),
        ("values.append(value or 0)", "values.append(value and 0)"),
    } <= changes


def test_neither_words_nor_types_are_changed() -> None:
    changed = {mutant.before for mutant in mutants("program.py", PROGRAM)}

    assert changed == {
        "LIMIT = 3",
        "values.append(value or 0)",
        "return value is not None and value < LIMIT",
    }


def test_no_mutant_comes_twice_and_each_is_told_by_its_place() -> None:
    found = list(mutants("program.py", PROGRAM))

    assert len({mutant.source for mutant in found}) == len(found)
    assert len({mutant.key for mutant in found}) == len(found)
    assert str(next(mutant for mutant in found if mutant.after == "pass")) == (
        "program.py:8 within\n    - values.append(value or 0)\n    + pass"
    )


@pytest.mark.parametrize("module", TESTS)
def test_a_module_and_its_tests_are_there(module: str) -> None:
    assert (CODE / module).is_file()
    assert [test for test in TESTS[module] if not (ROOT / "tests/unit" / test).is_file()] == []


def test_verify_parse_merge_and_publish_are_changed() -> None:
    of_zoom = {f"zoom/{path.name}" for path in (CODE / "zoom").glob("*.py") if path.name != "__init__.py"}

    assert TESTS.keys() == of_zoom | {"domain/booking.py", "use_cases/publish.py", "domain/events.py"}


@pytest.mark.parametrize("key", explanations(), ids=lambda key: f"{key[0]}-{key[1]}")
def test_what_is_explained_is_about_todays_code_and_has_its_reason(key: tuple[str, str, str, str]) -> None:
    # `python -m tests.mutation` checks that it is one of the mutants and survives. That takes too long here.
    module, scope, before, after = key
    lines = [line.strip() for line in (CODE / module).read_text().splitlines()]

    assert before in lines
    assert after not in lines
    assert any(
        line.startswith((f"def {name}(", f"class {name}"))
        for line in lines
        for name in [scope.split(".")[-1]]
    )
    assert len(explanations()[key].split()) >= WORDS_OF_A_REASON


def test_only_modules_that_are_changed_are_explained() -> None:
    assert {module for module, *_ in explanations()} <= TESTS.keys()


def test_a_mutant_is_explained_once(tmp_path: Path) -> None:
    entry = '[[mutant]]\nmodule = "a.py"\nscope = "f"\nbefore = "a"\nafter = "b"\nreason = "c"\n'
    (tmp_path / "list.toml").write_text(entry * 2)

    with pytest.raises(AssertionError, match="twice"):
        explanations(tmp_path / "list.toml")


JUDGED = """
from tests.mutation.judge import Judge
from tests.mutation.mutants import CODE

source = (CODE / "zoom/challenge.py").read_text()
changed = source.replace("if not ", "if ")
assert changed != source
judge = Judge()
for text in (source, changed, "raise SystemExit(0)"):
    print(judge.verdict("zoom/challenge.py", text, ["zoom/test_challenge.py"]).name)
"""


def test_the_judge_lets_the_code_as_it_is_live_and_kills_what_is_wrong() -> None:
    # In a process of its own: the code that is judged must not have been imported in the judge's.
    run = subprocess.run(
        [sys.executable, "-c", JUDGED], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )

    assert run.stdout.split() == ["SURVIVED", "KILLED", "KILLED"], run.stderr

"""The tests are tested: over each seeded bug, the tests that are to catch it fail."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.seeded_bugs.bugs import Catcher, Replace, SeededBug, Simulation, StalePatch
from tests.seeded_bugs.catalogue import CATALOGUE
from tests.seeded_bugs.hunted import HUNTED
from tests.seeded_bugs.patched_tree import ROOT, PatchedTree
from tests.seeded_bugs.witness import FIRST_CASE, without_case

LEAST_BUGS = 25
LEAST_HUNTED = 25
SIMULATION_SECONDS = 300
ALL_SECONDS = 600

FAILED = 1  # pytest's exit code for tests that ran and failed, and the simulation's for an invariant violated

ALL_NODES = sorted({without_case(node) for bug in CATALOGUE for node in bug.nodes})


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PatchedTree]:
    with PatchedTree(tmp_path_factory.mktemp("seeded")) as patched:
        yield patched


def test_without_a_bug_the_same_tests_pass(tree: PatchedTree) -> None:
    run = tree.pytest([FIRST_CASE, *ALL_NODES], timeout_seconds=ALL_SECONDS)
    assert (run.exit_code, run.failed, run.broken) == (0, (), ()), run.output
    assert {without_case(node) for node in run.passed} == set(ALL_NODES)


def hunts() -> Iterator[tuple[SeededBug, Catcher]]:
    for bug in CATALOGUE:
        for catcher in bug.caught_by:
            yield bug, catcher


def by(catcher: Catcher) -> str:
    return "by simulation" if isinstance(catcher, Simulation) else "by tests"


@pytest.mark.parametrize(
    ("bug", "catcher"), list(hunts()), ids=[f"{bug.name} {by(catcher)}" for bug, catcher in hunts()]
)
def test_a_seeded_bug_is_caught(tree: PatchedTree, bug: SeededBug, catcher: Catcher) -> None:
    with tree.seeded(bug.replacements):
        if isinstance(catcher, Simulation):
            hunt = tree.run(catcher.command(), timeout_seconds=SIMULATION_SECONDS)
            assert hunt.exit_code == FAILED, hunt.output
            assert f"violated: {catcher.violated}" in hunt.output, hunt.output
            return
        run = tree.pytest(catcher.nodes)
    assert run.exit_code == FAILED, run.output
    assert run.broken == (), run.output
    assert [node for node in catcher.nodes if not run.has_failed(node)] == [], run.output


@pytest.mark.parametrize("bug", CATALOGUE, ids=lambda bug: bug.name)
def test_a_seeded_bug_is_a_patch_of_the_code_as_it_stands(bug: SeededBug) -> None:
    assert bug.replacements
    for each in bug.replacements:
        text = (ROOT / each.path).read_text()
        assert each.applied(text) != text
        assert not each.path.startswith("tests/"), "it is the product that has the bug"


def test_there_are_many_bugs_and_each_has_a_name_of_its_own() -> None:
    assert len(CATALOGUE) >= LEAST_BUGS
    assert len({bug.name for bug in CATALOGUE}) == len(CATALOGUE)


def test_the_simulation_catches_many_bugs_by_itself_and_each_is_in_the_catalogue() -> None:
    hunted = {bug.name for bug in CATALOGUE if any(isinstance(each, Simulation) for each in bug.caught_by)}
    assert hunted == HUNTED.keys()
    assert len(hunted) >= LEAST_HUNTED


@pytest.mark.parametrize("text", ["nothing of it", "a line\na line\n"])
def test_a_stale_patch_says_so(text: str) -> None:
    with pytest.raises(StalePatch, match=r"^a\.py holds this \d times, and must hold it once:\na line$"):
        Replace("a.py", "a line", "another").applied(text)


def test_after_a_bug_the_code_is_as_it_was(tree: PatchedTree) -> None:
    bug = CATALOGUE[0]
    file = tree.root / bug.replacements[0].path
    before = file.read_text()
    with tree.seeded(bug.replacements):
        assert file.read_text() != before
    assert file.read_text() == before == (ROOT / bug.replacements[0].path).read_text()


def test_nothing_of_a_bug_is_written_where_a_part_of_it_is_stale(tree: PatchedTree) -> None:
    good = CATALOGUE[0].replacements[0]
    before = (tree.root / good.path).read_text()
    with pytest.raises(StalePatch), tree.seeded([good, Replace(good.path, "not there at all", "")]):
        pytest.fail("it was applied")
    assert (tree.root / good.path).read_text() == before


def test_a_run_tells_a_test_that_failed_from_one_that_could_not_begin(tree: PatchedTree) -> None:
    folder = Path("tests/unit/test_seeded_only_here.py")
    (tree.root / folder).write_text(
        "import pytest\n\n"
        "@pytest.fixture\n"
        "def broken():\n"
        "    raise RuntimeError\n\n"
        "def test_one(broken):\n"
        "    pass\n\n"
        "def test_two():\n"
        "    assert False\n\n"
        "def test_three():\n"
        "    pass\n"
    )
    try:
        run = tree.pytest([str(folder)])
    finally:
        (tree.root / folder).unlink()
    assert run.exit_code == FAILED
    assert run.broken == (f"{folder}::test_one",)
    assert run.failed == (f"{folder}::test_two",)
    assert run.passed == (f"{folder}::test_three",)
    assert run.has_failed(f"{folder}::test_two")
    assert not run.has_failed(f"{folder}::test_t")


def test_a_command_runs_over_the_copys_code_and_its_end_is_told(tree: PatchedTree) -> None:
    module = tree.root / "tests/only_here.py"
    module.write_text("import sys, bookings\nprint('violated:', bookings.__file__)\nsys.exit(1)\n")
    try:
        done = tree.run(("tests.only_here",), timeout_seconds=60)
    finally:
        module.unlink()
    assert done.exit_code == FAILED
    assert done.output == f"violated: {tree.root}/layers/runtime/bookings/__init__.py\n"


def test_a_simulation_is_asked_for_by_its_number_of_schedules() -> None:
    asked = Simulation(violated="durable", schedules=500).command()
    told = (*("--processes", "1"), *("--from-seed", "0"), *("--schedules", "500"))
    assert asked == ("tests.simulation", *told)

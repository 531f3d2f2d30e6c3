"""A pytest plugin for the runs over a seeded bug: tells which tests failed, and which code they ran.

One case that fails is enough: the other cases of its test are not run any more, and it is not made smaller.
"""

import json
import os
from pathlib import Path

import pytest
from hypothesis import Phase, settings

import bookings

REPORT = "SEEDED_BUG_REPORT"
"""The environment variable that names the file to write."""

FIRST_CASE = "--first-case"

_passed: list[str] = []
_failed: list[str] = []
_broken: list[str] = []


def without_case(node: str) -> str:
    """Returns a test's id without its case."""
    return node.partition("[")[0]


def pytest_pycollect_makemodule() -> None:
    """Keeps Hypothesis from making failing examples smaller; before the tests take on its settings."""
    settings.register_profile(
        "seeded", parent=settings(), phases=(Phase.explicit, Phase.generate), print_blob=False
    )
    settings.load_profile("seeded")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(FIRST_CASE, action="store_true", help="one case that passes is enough, too")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    done = [*_failed, *_passed] if item.config.getoption(FIRST_CASE) else _failed
    if any(without_case(each) == without_case(item.nodeid) for each in done):
        pytest.skip("another case was enough")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed:
        _passed.append(report.nodeid)
    elif report.when == "call" and report.failed:
        _failed.append(report.nodeid)
    elif report.failed:
        _broken.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _broken.append(report.nodeid)


def pytest_sessionfinish() -> None:
    told = {"bookings": bookings.__file__, "passed": _passed, "failed": _failed, "broken": _broken}
    Path(os.environ[REPORT]).write_text(json.dumps(told))

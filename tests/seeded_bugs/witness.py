"""A pytest plugin for the runs over a seeded bug: tells which tests failed, and which code they ran."""

import json
import os
from pathlib import Path

import bookings
import pytest

REPORT = "SEEDED_BUG_REPORT"
"""The environment variable that names the file to write."""

_passed: list[str] = []
_failed: list[str] = []
_broken: list[str] = []


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

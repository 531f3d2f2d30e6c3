"""What the functions print: log lines, metrics, anything else."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bookings.observability import logger, metrics


class Printed:
    """All that the functions printed since the test began: log lines, metrics, whatever else."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._seen = ""

    def text(self) -> str:
        captured = self._capsys.readouterr()
        self._seen += captured.out + captured.err
        return self._seen

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]

    def logs(self, message: str | None = None) -> list[dict[str, Any]]:
        """Returns the log lines, all or those with one message."""
        lines = [line for line in self.lines() if "_aws" not in line]
        return lines if message is None else [line for line in lines if line["message"] == message]

    def metrics(self) -> list[dict[str, Any]]:
        return [line for line in self.lines() if "_aws" in line]

    def counts(self) -> dict[str, float]:
        """Returns what was counted, summed over all invocations."""
        sums: dict[str, float] = {}
        for line in self.metrics():
            for name in metric_names(line):
                sums[name] = sums.get(name, 0) + sum(line[name])
        return sums


def metric_names(line: dict[str, Any]) -> list[str]:
    return [
        metric["Name"] for directive in line["_aws"]["CloudWatchMetrics"] for metric in directive["Metrics"]
    ]


class _LiveStdout:
    """The present standard output. Powertools' logger keeps the stream of its start, which pytest
    replaces."""

    def write(self, text: str) -> None:
        print(text, end="")

    def flush(self) -> None:
        """Has nothing to flush."""


@contextmanager
def captured(capsys: pytest.CaptureFixture[str]) -> Iterator[Printed]:
    """Yields what the functions print inside the block. Metrics of before are dropped."""
    metrics.clear_metrics()
    handler: Any = logger.registered_handler
    before = handler.setStream(_LiveStdout())
    try:
        yield Printed(capsys)
    finally:
        handler.setStream(before)

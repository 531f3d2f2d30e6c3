"""Hypothesis as these tests want it, and what the functions print."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.printed import Printed, captured

# No time limit an example: two cores may be busy with something else. A failing example prints its seed.
settings.register_profile(
    "unit", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unit")


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Iterator[Printed]:
    with captured(capsys) as printed:
        yield printed

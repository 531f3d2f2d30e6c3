"""The settings of Hypothesis. A failing example prints the blob that repeats it."""

import pytest
from hypothesis import HealthCheck, settings

# No deadline: other processes may keep the cores busy.
settings.register_profile(
    "properties", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("properties")


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker("no_cover")  # measuring doubles the time, and the unit tests cover the same lines

"""Each contract script runs twice: in the strict world, and in moto's."""

from collections.abc import Iterator

import pytest
from moto import mock_aws  # before any client is made, which moto has to see being made

from tests.aws.worlds import MotoWorld, StrictWorld, World


@pytest.fixture(params=["strict", "moto"])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    if request.param == "strict":
        yield StrictWorld()
        return
    with mock_aws():
        yield MotoWorld(monkeypatch)


@pytest.fixture
def strict() -> StrictWorld:
    return StrictWorld()

"""Which clients each function makes, with which time-outs and attempts."""

import pytest

from bookings import bootstrap
from tests.cold_start import SETTINGS


@pytest.mark.parametrize(
    ("factory", "clients"),
    [
        ("receiver", {"sqs": {}, "events": {}, "secretsmanager": {}}),
        ("record_batch", {"dynamodb": {"read_seconds": 1.0, "attempts": 2}, "sqs": {}}),
        (
            "announcer",
            {"events": {"read_seconds": 3.0, "attempts": 2}, "sqs": {"read_seconds": 3.0, "attempts": 2}},
        ),
    ],
)
def test_function_gets_its_clients(
    monkeypatch: pytest.MonkeyPatch, factory: str, clients: dict[str, dict[str, float]]
) -> None:
    # failure matrix: 22
    requested: dict[str, dict[str, float]] = {}
    monkeypatch.setattr(bootstrap, "client", lambda name, **options: requested.update({name: options}))
    for name, value in (
        SETTINGS["webhook"] | SETTINGS["booking_created"] | SETTINGS["booking_events"]
    ).items():
        monkeypatch.setenv(name, value)
    getattr(bootstrap, factory)()
    assert requested == clients

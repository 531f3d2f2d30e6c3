"""What the commands show of a booking, and to whom it is meant: of the others nothing of it is printed."""

from dataclasses import replace
from pathlib import Path

import pytest

from bookings.domain.booking import Booking, merge
from bookings.zoom.delivery import to_delivery

from ... import canaries, samples, zoom_api
from ...leaks import MEANT_TO_SHOW
from .conftest import SECRET, STACK_NAME, Deployed, Server, bookings

ON_THE_STACK = ("--stack", STACK_NAME)
ID = "BOOKING_ID"

CALLS = (
    ("show",),
    ("show", "--json"),
    ("show", ID),
    ("show", ID, "--events"),
    ("show", ID, "--events", "--json"),
    ("send", "delivery.json"),
    ("send", "delivery.json", "--json"),
    ("announce", ID),
    ("announce", "--all", "--yes", "--json"),
    ("announce", "--updated-since", "7d"),
    ("recover",),
    ("recover", "--delivered", "--json"),
    ("erase", ID, "--yes"),
    ("erase", ID, "--yes", "--json"),
)
"""Every command and every form of its output; what erases comes last."""

SHOW_NOTHING_ALL_THE_SAME = {("send", "delivery.json")}  # the body came back as it was sent


@pytest.fixture
def booking() -> Booking:
    body = canaries.body_of(canaries.CREATED, well_formed_times=True)
    return replace(merge(None, to_delivery(body, "request-1")), revision=1)


def with_id(call: tuple[str, ...], booking: Booking) -> list[str]:
    return [booking.booking_id if each == ID else each for each in call]


def test_every_command_is_looked_at() -> None:
    from cli.main import app  # noqa: PLC0415 - the commands as they are called

    names = {command.callback.__name__ for command in app.registered_commands if command.callback}
    assert {call[0] for call in CALLS} == names
    assert MEANT_TO_SHOW.keys() <= names


@pytest.mark.parametrize("answer", ["as it was sent", "refused", "none"])
def test_a_command_prints_of_a_booking_what_it_is_meant_to_and_no_secret(
    deployed: Deployed, webhook: Server, zoom: zoom_api.FakeZoom, booking: Booking, answer: str
) -> None:
    delivery = samples.raw(canaries.body_of(canaries.CREATED))
    Path("delivery.json").write_bytes(delivery)
    deployed.put(booking)
    zoom.log(delivery, "request-1", 503, 503)
    webhook.body, webhook.status = (delivery, 200) if answer == "as it was sent" else (b'["canary"]', 400)
    deployed.point_webhook_at(webhook.url if answer != "none" else "http://127.0.0.1:2/webhooks/zoom")

    for call in CALLS:
        if answer != "as it was sent" and call[0] not in ("send", "recover"):
            continue  # it posts nothing
        said = bookings(*with_id(call, booking), *ON_THE_STACK).output
        assert said
        if call[0] not in MEANT_TO_SHOW:
            assert "canary" not in said, call
        elif answer == "as it was sent" and call not in SHOW_NOTHING_ALL_THE_SAME:
            assert "canary" in said, call
        for secret in (SECRET, zoom_api.CLIENT_SECRET, zoom_api.TOKEN):
            assert secret not in said, call

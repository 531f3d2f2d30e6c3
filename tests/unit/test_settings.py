"""Settings: each field comes from the variable of its name, and an error names the variable."""

import dataclasses

import pytest

from bookings.counts import Count
from bookings.settings import (
    BookingEventsSettings,
    BookingSettings,
    EventHandler,
    FanOut,
    SettingsError,
    WebhookSettings,
)
from bookings.zoom.events import CANCELED, CREATED
from tests.cold_start import SETTINGS

WEBHOOK, HANDLER, ANNOUNCER = (SETTINGS[name] for name in ("webhook", "booking_created", "booking_events"))

type Settings = type[WebhookSettings | BookingSettings | BookingEventsSettings]
ALL: list[tuple[Settings, dict[str, str]]] = [
    (WebhookSettings, WEBHOOK), (BookingSettings, HANDLER), (BookingEventsSettings, ANNOUNCER),
]  # fmt: skip


def test_each_variable_is_read_in_the_type_of_its_field() -> None:
    webhook = WebhookSettings.from_environment(WEBHOOK | {"FAN_OUT": "SQS", "OTHER": "x"})
    share = [
        BookingEventsSettings.from_environment(ANNOUNCER | {"SHARE_ACCESS_LINKS": text}).share_access_links
        for text in ("true", "false")
    ]
    assert (webhook.fan_out, webhook.signature_tolerance_seconds) == (FanOut.SQS, 300)
    assert webhook.handlers() == {
        CREATED: EventHandler("https://queue/created", Count.CREATED_PUBLISHED),
        CANCELED: EventHandler("https://queue/canceled", Count.CANCELED_PUBLISHED),
    }
    assert BookingSettings.from_environment(HANDLER).booking_retention_days == 0
    assert share == [True, False]


@pytest.mark.parametrize(("settings", "environment"), ALL)
def test_wrong_variable_is_named_without_its_value(settings: Settings, environment: dict[str, str]) -> None:
    fields = {field.name.upper(): field for field in dataclasses.fields(settings)}
    assert fields.keys() == environment.keys()
    for name, field in fields.items():
        others = {key: value for key, value in environment.items() if key != name}
        for changed in (others, others | {name: ""}, others | {name: "  "}):
            with pytest.raises(SettingsError, match=f"^{name} is not set$"):
                settings.from_environment(changed)
        if field.type != "str":
            with pytest.raises(SettingsError, match=f"^{name} is not a valid {field.type}$") as refused:
                settings.from_environment(others | {name: "canary"})
            assert refused.value.__cause__ is None

"""The settings: every field from its variable, and a clear word on what is wrong."""

import dataclasses

import pytest

from bookings.settings import BookingEventsSettings, BookingSettings, FanOut, SettingsError, WebhookSettings
from tests.cold_start import SETTINGS

WEBHOOK, HANDLER, ANNOUNCER = (SETTINGS[name] for name in ("webhook", "booking_created", "booking_events"))
ALL = [(WebhookSettings, WEBHOOK), (BookingSettings, HANDLER), (BookingEventsSettings, ANNOUNCER)]


def test_every_field_is_read_from_the_variable_of_its_name_in_its_type() -> None:
    webhook = WebhookSettings.from_environment(WEBHOOK | {"FAN_OUT": "SQS", "OTHER": "x"})
    assert webhook.fan_out is FanOut.SQS
    assert webhook.signature_tolerance_seconds == 300
    assert webhook.booking_created_queue_url == "https://queue/created"
    assert BookingSettings.from_environment(HANDLER).booking_retention_days == 0
    assert BookingEventsSettings.from_environment(ANNOUNCER).share_access_links is False
    assert BookingEventsSettings.from_environment(
        ANNOUNCER | {"SHARE_ACCESS_LINKS": "true"}
    ).share_access_links


@pytest.mark.parametrize(("settings", "environment"), ALL)
def test_the_fields_are_exactly_the_variables(
    settings: type[WebhookSettings], environment: dict[str, str]
) -> None:
    assert {field.name.upper() for field in dataclasses.fields(settings)} == environment.keys()


@pytest.mark.parametrize(
    ("settings", "environment", "name"),
    [(settings, environment, name) for settings, environment in ALL for name in environment],
)
@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_a_missing_or_blank_variable_is_named(
    settings: type[WebhookSettings], environment: dict[str, str], name: str, nothing: str | None
) -> None:
    changed = {key: value for key, value in environment.items() if key != name}
    if nothing is not None:
        changed[name] = nothing
    with pytest.raises(SettingsError, match=f"^{name} is not set$"):
        settings.from_environment(changed)


@pytest.mark.parametrize(
    ("settings", "environment", "name"),
    [
        (WebhookSettings, WEBHOOK, "FAN_OUT"),
        (WebhookSettings, WEBHOOK, "SIGNATURE_TOLERANCE_SECONDS"),
        (BookingSettings, HANDLER, "BOOKING_RETENTION_DAYS"),
        (BookingEventsSettings, ANNOUNCER, "SHARE_ACCESS_LINKS"),
    ],
)
def test_a_variable_of_another_type_is_named_and_its_value_is_not(
    settings: type[WebhookSettings], environment: dict[str, str], name: str
) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is not a valid") as refused:
        settings.from_environment(environment | {name: "canary"})
    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None

"""The functions' modules, imported anew as a cold start imports them."""

import importlib.util
from pathlib import Path
from types import ModuleType

FUNCTIONS = Path(__file__).parents[1] / "functions"

_BUS = "arn:aws:events:us-east-1:123456789012:event-bus/bookings"
_BOOKING_SETTINGS = {
    "BOOKINGS_TABLE_NAME": "bookings",
    "BOOKING_RETENTION_DAYS": "0",
    "QUEUE_URL": "https://queue/created",
    "QUARANTINE_QUEUE_URL": "https://queue/quarantine",
}
SETTINGS = {
    "webhook": {
        "EVENT_BUS_ARN": _BUS,
        "FAN_OUT": "EventBridge",
        "BOOKING_CREATED_QUEUE_URL": "https://queue/created",
        "BOOKING_CANCELED_QUEUE_URL": "https://queue/canceled",
        "QUARANTINE_QUEUE_URL": "https://queue/quarantine",
        "ZOOM_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:zoom",
        "SIGNATURE_TOLERANCE_SECONDS": "300",
    },
    "booking_created": _BOOKING_SETTINGS,
    "booking_canceled": _BOOKING_SETTINGS,
    "booking_events": {
        "EVENT_BUS_ARN": _BUS,
        "BOOKING_EVENTS_DLQ_URL": "https://queue/dlq",
        "SHARE_ACCESS_LINKS": "false",
    },
}
"""The environment variables that each function reads, with valid values."""

REFUSES_CONNECTIONS = "http://127.0.0.1:9"
"""An `AWS_ENDPOINT_URL` at which every call fails at once."""


def load_app(function: str) -> ModuleType:
    """Returns a new `app` of `functions/{function}`. It reads `bootstrap` and the environment now."""
    path = FUNCTIONS / function / "app.py"
    spec = importlib.util.spec_from_file_location(f"functions.{function}.app", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

"""The stack's names, as both sides of the wire know them: the functions' environment, and the cloud."""

from bookings.zoom.events import CANCELED, CREATED

REGION = "us-east-1"
ACCOUNT = "123456789012"

TOKEN = "token-of-the-tests-22c"
SECRET_NAME = "zoom"
BUS = "bookings"
TABLE = "bookings"

WEBHOOK = "webhook"
BOOKING_EVENTS = "booking_events"
HANDLERS = {"booking_created": "BookingCreatedQueue", "booking_canceled": "BookingCanceledQueue"}
FUNCTIONS = (WEBHOOK, *HANDLERS, BOOKING_EVENTS)

HANDLER_QUEUES = tuple(HANDLERS.values())
DLQS = ("BookingCreatedDLQ", "BookingCanceledDLQ", "BookingEventsDLQ")
QUARANTINE = "QuarantineQueue"

DELIVERIES = {CREATED: "booking_created", CANCELED: "booking_canceled"}


def settings_of(function: str, url: str, fan_out: str) -> dict[str, str]:
    """Returns the environment variables of a function; AWS is at `url`."""

    def queue(name: str) -> str:
        return f"{url}/{ACCOUNT}/{name}"

    return {
        "AWS_ENDPOINT_URL": url,
        "EVENT_BUS_ARN": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{BUS}",
        "FAN_OUT": fan_out,
        "BOOKING_CREATED_QUEUE_URL": queue("BookingCreatedQueue"),
        "BOOKING_CANCELED_QUEUE_URL": queue("BookingCanceledQueue"),
        "QUARANTINE_QUEUE_URL": queue(QUARANTINE),
        "ZOOM_SECRET_ARN": SECRET_NAME,  # GetSecretValue takes either
        "SIGNATURE_TOLERANCE_SECONDS": "300",
        "BOOKINGS_TABLE_NAME": TABLE,
        "BOOKING_RETENTION_DAYS": "0",
        "QUEUE_URL": queue(HANDLERS.get(function, "BookingCreatedQueue")),
        "BOOKING_EVENTS_DLQ_URL": queue("BookingEventsDLQ"),
        "SHARE_ACCESS_LINKS": "false",
    }

"""What a call can't do without, measured by itself: an HMAC, compiled validation, one call of boto3.

`python -m benchmarks.yardsticks` measures and prints them as JSON; the job is on standard input.
"""

import hmac
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import boto3
from bookings.zoom.models import ScheduledEventCreated

HMAC = "hmac_us"
HMAC_AND_VALIDATION = "hmac_and_validation_us"
PUT_ITEM = "put_item_us"
PUT_EVENTS = "put_events_us"

_CHEAP_CALLS = 10_000
_SERVICE_CALLS = 200
_WARM_UP = 10


def cpu_us(call: Callable[[], object], calls: int) -> float:
    """Returns the microseconds of this process's CPU that a call takes on the average."""
    for _ in range(_WARM_UP):
        call()
    begun = time.process_time_ns()
    for _ in range(calls):
        call()
    return (time.process_time_ns() - begun) / calls / 1000


def measure(secret: bytes, content: bytes, body: bytes, item: dict[str, Any]) -> dict[str, float]:
    """Returns each yardstick.

    Args:
        content: what the signature is over.
        item: in attribute-value form.
    """
    # In one call of OpenSSL, the cheapest way there is, with the comparison that any receiver must make.
    right = "v0=" + hmac.digest(secret, content, "sha256").hex()

    def verify() -> None:
        if not hmac.compare_digest("v0=" + hmac.digest(secret, content, "sha256").hex(), right):
            raise AssertionError

    validate = ScheduledEventCreated.__pydantic_validator__.validate_json

    def verify_and_validate() -> None:
        verify()
        validate(body)

    dynamodb, events = boto3.client("dynamodb"), boto3.client("events")
    entry: Any = {
        "EventBusName": "bus",
        "Source": "zoom.scheduler",
        "DetailType": "event",
        "Detail": body.decode(),
    }
    return {
        HMAC: cpu_us(verify, _CHEAP_CALLS),
        HMAC_AND_VALIDATION: cpu_us(verify_and_validate, _CHEAP_CALLS),
        PUT_ITEM: cpu_us(lambda: dynamodb.put_item(TableName="bookings", Item=item), _SERVICE_CALLS),
        PUT_EVENTS: cpu_us(lambda: events.put_events(Entries=[entry]), _SERVICE_CALLS),
    }


def main() -> None:
    job = json.load(sys.stdin)
    secret, content, body = (job[name].encode() for name in ("secret", "content", "body"))
    print(json.dumps(measure(secret, content, body, job["item"])))


if __name__ == "__main__":
    main()

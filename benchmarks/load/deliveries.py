"""Signed deliveries as Zoom sends them, each of a booking of its own, as whole HTTP requests."""

import json
import secrets
import time
from enum import StrEnum

from benchmarks.contestants import zoom_body
from bookings.zoom.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

RUN_BYTES = 7  # of chance, in hex with the number 26 characters: the length of Zoom's own ids

_ID = "{event id}"
_TIME = 1


class Kind(StrEnum):
    """What the deliveries of a run are."""

    CREATED = "valid, of a new booking"
    UNUSABLE = "without an event_id, so that they go to quarantine"


def new_run() -> str:
    """Returns the beginning of all ids of a run; no other run has it."""
    return secrets.token_hex(RUN_BYTES)


def event_id(run: str, number: int) -> str:
    return f"{run}{number:012}"


class Deliveries:
    """Makes the requests of a run, signed at the moment they are made."""

    def __init__(self, host: str, path: str, token: str, run: str, kind: Kind = Kind.CREATED) -> None:
        self._token = token
        self._run = run
        body = json.loads(zoom_body()) | {"event_ts": _TIME}
        event = body["payload"]["object"]["scheduled_event"]
        event["event_id"] = _ID
        if kind is Kind.UNUSABLE:
            event["no_event_id"] = event.pop("event_id")
        text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
        start, rest = text.split(f'"event_ts":{_TIME}')
        middle, end = rest.split(_ID)
        self._parts = f'{start}"event_ts":', middle, end
        self._head = (
            f"POST {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: Zoom Marketplace/1.0a\r\n"
            "content-type: application/json; charset=utf-8\r\n"
        )

    def request(self, number: int) -> bytes:
        """Returns the request of that number."""
        now = time.time()
        timestamp, name = str(int(now)), event_id(self._run, number)
        start, middle, end = self._parts
        body = f"{start}{int(now * 1000)}{middle}{name}{end}".encode()
        return (
            f"{self._head}x-zm-request-id: {name}\r\n{TIMESTAMP_HEADER}: {timestamp}\r\n"
            f"{SIGNATURE_HEADER}: {sign(self._token, timestamp, body)}\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode() + body

"""EventBridgeBus: entries, partial failures, and the split of a batch into calls."""

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from bookings.aws.bus import EventBridgeBus
from bookings.envelope import Envelope
from bookings.limits import PUT_EVENTS_BYTES

ARN = "arn:aws:events:us-east-1:123456789012:event-bus/bookings"


def event(name: str, source: str = "bookings", size: int = 0) -> Envelope:
    detail = json.dumps({"text": "é" * (size // 2)}, ensure_ascii=False)
    return Envelope(source, name, detail, request_id="abc_1-2")


A, B, C, D = (event(name) for name in "ABCD")
CHECK = event("T", "bookings.check")
HALF = event("H", size=480_000)
TOO_LARGE = event("L", size=PUT_EVENTS_BYTES)

OVER = "RefusedByService EventBridge: over 1,000,000 bytes"
INVALID = "RefusedByService EventBridge: ValidationException"
DOWN = "ServiceUnavailable EventBridge: InternalException"
# Codes of failed entries, in an answer of 200.
REFUSED = ["MalformedDetail", "InvalidArgument", "SerializationException", "ValidationException"]
FAILED = ["ThrottlingException", "InternalFailure", "NotAuthorizedForSourceException", "SomethingNew"]

Calls = list[tuple[list[Envelope], str | list[str]]]
"""The events of each expected call, and its answer: an error code, or the code of each entry."""

BATCHES: dict[str, tuple[list[Envelope], Calls, list[str | None]]] = {
    "nothing": ([], [], []),
    "ten in a call": ([A] * 21, [([A] * 10, []), ([A] * 10, []), ([A], [])], [None] * 21),
    "a megabyte in a call": ([A, HALF, HALF, HALF, B], [([A, HALF, HALF], []), ([HALF, B], [])], [None] * 5),
    "one source in a call": ([A, B, CHECK, C], [([A, B], []), ([CHECK], []), ([C], [])], [None] * 4),
    "results in the order of the events": (
        [A, *[B] * 4, *[C] * 4],
        [([A, *[B] * 4, *[C] * 4], ["", *REFUSED, *FAILED])],
        [
            None,
            *(f"RefusedByService EventBridge: {code}" for code in REFUSED),
            *(f"ServiceUnavailable EventBridge: {code}" for code in FAILED),
        ],
    ),
    "too large an event is refused alone": ([A, TOO_LARGE, B], [([A], []), ([B], [])], [None, OVER, None]),
    "the refused event is found": (
        [A, B, C],
        [([A, B, C], "ValidationException"), ([A], []), ([B], "ValidationException"), ([C], [])],
        [None, INVALID, None],
    ),
    "a failure ends the search for the refused event": (
        [A, B, C, D],
        [([A, B, C, D], "ValidationException"), ([A], []), ([B], "InternalException")],
        [None, DOWN, DOWN, DOWN],
    ),
    "a failure ends the batch": ([A] * 12, [([A] * 10, "InternalException")], [DOWN] * 12),
    "a failed entry ends the batch": (
        [A] * 11,
        [([A] * 10, [""] * 9 + ["InternalException"])],
        [None] * 9 + [DOWN] * 2,
    ),
}


@pytest.mark.parametrize(("events", "calls", "results"), BATCHES.values(), ids=BATCHES)
def test_batch_is_published(events: list[Envelope], calls: Calls, results: list[str | None]) -> None:
    # failure matrix: 10, 12, 14, 26, 27
    client: Any = boto3.client("events")
    with Stubber(client) as stub:
        for envelopes, answer in calls:
            names = ("EventBusName", "Source", "DetailType", "Detail", "Resources")
            values = [(ARN, each.source, each.detail_type, each.detail, each.resources) for each in envelopes]
            expected = {"Entries": [dict(zip(names, entry, strict=True)) for entry in values]}
            if isinstance(answer, str):
                stub.add_client_error("put_events", answer, "canary", expected_params=expected)
                continue
            codes = answer or [""] * len(envelopes)
            entries = [{"ErrorCode": code} if code else {"EventId": "1"} for code in codes]
            failed = len(codes) - codes.count("")
            stub.add_response("put_events", {"FailedEntryCount": failed, "Entries": entries}, expected)
        published = EventBridgeBus(client, ARN).publish_all(events)
        stub.assert_no_pending_responses()
    assert [error and f"{type(error).__name__} {error}" for error in published] == results

"""The four handlers as Lambda starts and calls them, put together by `bootstrap`, on moto's services.

A delivery goes from the request to the bus, and by a rule into a queue and the table. A stream record becomes
the domain event for a subscriber. The tests search all that the handlers print.
"""

import base64
import copy
import json
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.retries.standard import ExponentialBackoff
from botocore.session import Session

from bookings.counts import Count
from bookings.limits import RESERVED_SECONDS
from bookings.settings import FanOut, SettingsError
from bookings.zoom.delivery import to_delivery
from bookings.zoom.events import CANCELED, CREATED
from tests.adapters.deliveries import ROOT, sample, with_object
from tests.adapters.handlers import (
    CANARY,
    CLIENT,
    Context,
    Functions,
    Outage,
    http_event,
    now_ms,
    raw,
    sqs_event,
    stream_event,
)
from tests.adapters.loopback import Reply, Service
from tests.adapters.resources import TOKEN, Queue, Stack
from tests.printed import Printed, metric_names


def deliver(functions: Functions, body: dict[str, Any]) -> dict[str, Any]:
    answer = functions.call("webhook", http_event(raw(body)))
    assert answer["statusCode"] == 200
    return answer


def items(stack: Stack) -> list[dict[str, Any]]:
    return [dict(item) for item in boto3.client("dynamodb").scan(TableName=stack.table_name)["Items"]]


# ── the way of a booking ─────────────────────────────────────────────────────────────────────────────────


def test_a_booking_goes_all_the_way_from_the_request_to_a_subscriber(
    stack: Stack, functions: Functions, output: Printed
) -> None:
    body = sample("created", event_ts=now_ms())
    answer = deliver(functions, body)
    assert json.loads(answer["body"]) == body
    assert answer["headers"] == {"content-type": "application/json"}

    assert functions.call("booking_created", sqs_event(stack.created)) == {"batchItemFailures": []}
    (item,) = items(stack)
    assert item["status"] == {"S": "confirmed"}
    assert item["request_id"] == {"S": "6f1f4f0e_9c55_4f63_8f0e_2b7a3a4d9c11"}

    assert functions.call("booking_events", stream_event(stack.table_name)) == {"batchItemFailures": []}
    (event,) = stack.subscriber.bodies()
    assert (event["source"], event["detail-type"]) == ("bookings", "BookingCreated")
    assert event["resources"] == ["zoom-request/6f1f4f0e_9c55_4f63_8f0e_2b7a3a4d9c11"]
    assert event["detail"]["booking"]["booking_id"] == item["booking_id"]["S"]
    assert event["detail"]["booking"]["location"]["online_meeting"] == {
        "kind": "zoom",
        "meeting_id": "94777886776",
        "personal_meeting_id": "98656786887",
    }  # neither passcode nor link
    assert output.counts() == {
        Count.DELIVERY_PUBLISHED: 1,
        Count.BOOKING_WRITTEN: 1,
        Count.EVENT_ANNOUNCED: 1,
    }


def test_a_cancel_that_comes_first_is_a_canceled_booking_announced_once(
    stack: Stack, functions: Functions
) -> None:
    # failure matrix: 4
    moment = now_ms()
    deliver(functions, with_object(sample("canceled", event_ts=moment), rescheduled=False))
    functions.call("booking_canceled", sqs_event(stack.canceled))
    deliver(functions, with_object(sample("created", event_ts=moment - 60_000), rescheduled=False))
    functions.call("booking_created", sqs_event(stack.created))
    (item,) = items(stack)
    assert (item["status"], item["revision"]) == ({"S": "canceled"}, {"N": "2"})
    functions.call("booking_events", stream_event(stack.table_name))
    assert [event["detail-type"] for event in stack.subscriber.bodies()] == ["BookingCanceled"]


def test_the_same_delivery_again_is_one_write_and_one_event(
    stack: Stack, functions: Functions, output: Printed
) -> None:
    # failure matrix: 1, 16
    body = sample("created", event_ts=now_ms())
    for _ in range(3):
        deliver(functions, body)
    assert functions.call("booking_created", sqs_event(stack.created)) == {"batchItemFailures": []}
    functions.call("booking_events", stream_event(stack.table_name))
    assert len(stack.subscriber.bodies()) == 1
    counts = output.counts()
    assert (counts[Count.BOOKING_WRITTEN], counts[Count.DUPLICATE]) == (1, 2)


def test_a_test_booking_reaches_the_table_and_no_subscriber(stack: Stack, functions: Functions) -> None:
    twin = Queue("twin")
    stack.bus.subscribe(twin, {"source": ["bookings.check"]})
    body = with_object(sample("created", event_ts=now_ms()), scheduled_event__event_id="bookings-check-1")
    deliver(functions, body)
    functions.call("booking_created", sqs_event(stack.created))
    functions.call("booking_events", stream_event(stack.table_name))
    assert len(items(stack)) == 1
    assert stack.subscriber.bodies() == []
    assert [event["detail-type"] for event in twin.bodies()] == ["BookingCreated"]


def test_by_queue_a_delivery_reaches_its_handler_and_no_rule(
    stack: Stack, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAN_OUT", str(FanOut.SQS))
    everything = Queue("everything")
    stack.bus.subscribe(everything, {"source": ["zoom.scheduler"]})
    deliver(functions, sample("created", event_ts=now_ms()))
    assert everything.bodies() == []
    assert functions.call("booking_created", sqs_event(stack.created)) == {"batchItemFailures": []}
    assert len(items(stack)) == 1


# ── services that fail ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "code",
    ["InternalFailure", "AccessDeniedException", "ResourceNotFoundException", "KMSAccessDeniedException"],
)
def test_a_bus_that_fails_costs_no_booking(
    stack: Stack, functions: Functions, output: Printed, outage: Outage, code: str
) -> None:
    # failure matrix: 11, 14, 47
    outage.of("PutEvents", code)
    deliver(functions, sample("created", event_ts=now_ms()))
    assert functions.call("booking_created", sqs_event(stack.created)) == {"batchItemFailures": []}
    assert len(items(stack)) == 1
    # The stream waits, and goes on when the bus is back.
    changes = stream_event(stack.table_name)
    number = changes["Records"][0]["dynamodb"]["SequenceNumber"]
    assert functions.call("booking_events", changes) == {"batchItemFailures": [{"itemIdentifier": number}]}
    outage.ends()
    assert functions.call("booking_events", changes) == {"batchItemFailures": []}
    assert [event["detail-type"] for event in stack.subscriber.bodies()] == ["BookingCreated"]
    counts = output.counts()
    assert (counts[Count.FALLBACK_USED], counts[Count.ANNOUNCEMENT_DELAYED]) == (1, 1)
    assert CANARY not in output.text()


def test_with_no_durable_place_zoom_is_told_to_try_again(
    stack: Stack, functions: Functions, output: Printed, outage: Outage
) -> None:
    # failure matrix: 13
    outage.of("PutEvents")
    outage.of("SendMessage")
    answer = functions.call("webhook", http_event(raw(sample("created", event_ts=now_ms()))))
    assert answer["statusCode"] == 503
    assert json.loads(answer["body"])["status"] == 503
    (line,) = output.logs("answered")
    assert (line["outcome"], line["reason"]) == ("not_durable", "SQS: InternalFailure")
    assert output.counts() == {Count.NOT_DURABLE: 1}


def test_an_authentic_delivery_that_is_not_valid_stands_in_quarantine_before_the_answer(
    stack: Stack, functions: Functions, output: Printed
) -> None:
    # failure matrix: 38
    body = raw(with_object(sample("created"), invitee_email=5))
    answer = functions.call("webhook", http_event(body, encoded=True))
    assert answer["statusCode"] == 400
    assert answer["headers"] == {"content-type": "application/problem+json"}
    assert [error["field"] for error in json.loads(answer["body"])["errors"]] == [
        "payload.object.invitee_email"
    ]
    (message,) = stack.quarantine.bodies()
    assert base64.b64decode(message["body_base64"]) == body
    assert output.counts() == {Count.QUARANTINED: 1}


@pytest.mark.parametrize("code", ["AWS.SimpleQueueService.NonExistentQueue", "KMS.AccessDeniedException"])
def test_a_quarantine_that_is_down_is_a_503(
    stack: Stack, functions: Functions, outage: Outage, code: str
) -> None:
    # failure matrix: 39, 47
    outage.of("SendMessage", code)
    answer = functions.call("webhook", http_event(b'{"event": 5}'))
    assert answer["statusCode"] == 503


def test_a_forgery_costs_no_call_but_the_secret_once(
    stack: Stack, functions: Functions, output: Printed, outage: Outage
) -> None:
    # failure matrix: 32
    event = http_event(raw(sample("created")))
    event["headers"]["x-zm-signature"] = "v0=" + "0" * 64
    for _ in range(5):
        assert functions.call("webhook", event)["statusCode"] == 401
    # Read for the first request; refreshed once since, as the secret may have been changed.
    assert outage.calls.count("GetSecretValue") == len(outage.calls) <= 4
    assert output.counts() == {Count.SIGNATURE_MISMATCH: 5}


@pytest.mark.parametrize("code", ["InternalServiceError", "DecryptionFailure", "AccessDeniedException"])
def test_without_a_secret_nothing_is_accepted(
    stack: Stack, functions: Functions, output: Printed, outage: Outage, code: str
) -> None:
    # failure matrix: 30, 47
    outage.of("GetSecretValue", code)
    functions.start("webhook")
    event = http_event(raw(sample("created", event_ts=now_ms())))
    assert functions.call("webhook", event)["statusCode"] == 503
    assert output.counts() == {Count.NOTHING_TO_VERIFY_WITH: 1}
    outage.ends()
    assert functions.call("webhook", event)["statusCode"] == 200


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "InternalServerError", "KMSAccessDeniedException"]
)
def test_a_table_that_is_down_makes_a_record_come_back_later_each_time(
    stack: Stack, functions: Functions, output: Printed, outage: Outage, code: str
) -> None:
    # failure matrix: 22, 47
    delays: list[int] = []

    def visibility(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        if operation == "ChangeMessageVisibilityBatch":
            delays.extend(entry["VisibilityTimeout"] for entry in arguments["Entries"])
            arguments = copy.deepcopy(arguments)
            for entry in arguments["Entries"]:
                entry["VisibilityTimeout"] = 0  # to be received again at once
        return watched(client, operation, arguments)

    watched = CLIENT._make_api_call
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CLIENT, "_make_api_call", visibility)
        outage.of("PutItem", code)
        deliver(functions, sample("created", event_ts=now_ms()))
        for receives in (1, 2, 9):
            event = sqs_event(stack.created, receives=receives)
            (message,) = event["Records"]
            assert functions.call("booking_created", event) == {
                "batchItemFailures": [{"itemIdentifier": message["messageId"]}]
            }
        assert delays == [60, 120, 900]
        outage.ends()
        assert functions.call("booking_created", sqs_event(stack.created)) == {"batchItemFailures": []}
    assert len(items(stack)) == 1
    (line, *_) = output.logs("record failed")
    assert (line["error"], line["reason"]) == ("ServiceUnavailable", f"DynamoDB: {code}")
    assert output.counts()[Count.RECORD_FAILED] == 3


def take(functions: Functions, queue: Queue, function: str) -> list[str]:
    """Lets a function take what waits in its queue, as Lambda does; returns the event ids in its messages.

    Lambda deletes what the handler doesn't return.
    """
    event = sqs_event(queue)
    failures = functions.call(function, event)["batchItemFailures"] if event["Records"] else []
    failed = {failure["itemIdentifier"] for failure in failures}
    for record in event["Records"]:
        if record["messageId"] not in failed:
            queue.client.delete_message(QueueUrl=queue.url, ReceiptHandle=record["receiptHandle"])
    details = [json.loads(record["body"])["detail"] for record in event["Records"]]
    return [detail["payload"]["object"]["scheduled_event"]["event_id"] for detail in details]


def test_a_bug_brings_its_record_back_ten_times_and_then_into_the_dlq_while_others_go_on(
    stack: Stack, functions: Functions, template: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # failure matrix: 19
    dlq = Queue("created-dlq")
    receives = template["BookingCreatedQueue"]["Properties"]["RedrivePolicy"]["maxReceiveCount"]
    redrive = {"deadLetterTargetArn": dlq.arn, "maxReceiveCount": receives}
    stack.created.client.set_queue_attributes(
        QueueUrl=stack.created.url,
        Attributes={"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": "0"},
    )

    def bug(body: dict[str, Any], *rest: Any) -> Any:
        if body["payload"]["object"]["scheduled_event"]["event_id"] == "bug":
            raise ZeroDivisionError
        return to_delivery(body, *rest)

    monkeypatch.setattr("bookings.use_cases.record.to_delivery", bug)
    deliver(functions, with_object(sample("created", event_ts=now_ms()), scheduled_event__event_id="bug"))
    tries = []
    for number in range(12):
        deliver(
            functions,
            with_object(sample("created", event_ts=now_ms()), scheduled_event__event_id=f"good-{number}"),
        )
        tries += take(functions, stack.created, "booking_created")
    assert tries.count("bug") == 10
    assert {item["event_id"]["S"] for item in items(stack)} == {f"good-{number}" for number in range(12)}
    (letter,) = dlq.bodies()
    assert letter["detail"]["payload"]["object"]["scheduled_event"]["event_id"] == "bug"

    # Mended, and redriven.
    monkeypatch.setattr("bookings.use_cases.record.to_delivery", to_delivery)
    stack.created.client.send_message(QueueUrl=stack.created.url, MessageBody=json.dumps(letter))
    assert take(functions, stack.created, "booking_created") == ["bug"]
    assert len(items(stack)) == 13


def test_a_bad_message_fails_alone(stack: Stack, functions: Functions, output: Printed) -> None:
    # failure matrix: 18, 21
    deliver(functions, sample("created", event_ts=now_ms()))
    event = sqs_event(stack.created)
    bad = copy.deepcopy(event["Records"][0]) | {"messageId": "bad", "body": f"{CANARY} is no event"}
    event["Records"].insert(0, bad)
    assert functions.call("booking_created", event) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert len(items(stack)) == 1
    assert CANARY not in output.text()


def test_a_handler_without_time_begins_no_record(stack: Stack, functions: Functions) -> None:
    deliver(functions, sample("created", event_ts=now_ms()))
    event = sqs_event(stack.created)
    enough_ms = int(RESERVED_SECONDS * 1000)
    response = functions.call("booking_created", event, Context(remaining_ms=enough_ms - 1))
    assert [failure["itemIdentifier"] for failure in response["batchItemFailures"]] == [
        event["Records"][0]["messageId"]
    ]
    assert items(stack) == []
    response = functions.call("booking_created", event, Context(remaining_ms=enough_ms))
    assert response == {"batchItemFailures": []}
    assert len(items(stack)) == 1


def test_a_change_that_can_not_be_read_goes_to_the_dlq_whole_and_the_others_go_on(
    stack: Stack, functions: Functions, output: Printed
) -> None:
    # failure matrix: 26
    deliver(functions, sample("created", event_ts=now_ms()))
    functions.call("booking_created", sqs_event(stack.created))
    changes = stream_event(stack.table_name)
    unreadable = copy.deepcopy(changes["Records"][0])
    unreadable["dynamodb"]["NewImage"]["status"] = {"S": CANARY}
    unreadable["dynamodb"]["NewImage"]["zoom_events"] = {"S": CANARY}
    changes["Records"].insert(0, unreadable)
    assert functions.call("booking_events", changes) == {"batchItemFailures": []}
    (message,) = stack.events_dlq.bodies()
    assert (message["reason"], message["record"]) == ("unreadable_record", unreadable)
    assert [event["detail-type"] for event in stack.subscriber.bodies()] == ["BookingCreated"]
    (line,) = output.logs("event refused")
    assert line["reason"] == "unreadable_record"
    assert CANARY not in output.text()


# ── what is printed ──────────────────────────────────────────────────────────────────────────────────────


def with_canaries(value: Any, path: str = "") -> Any:
    """Returns the body with a canary in every string but the event's name and id."""
    if isinstance(value, dict):
        return {name: with_canaries(item, f"{path}.{name}") for name, item in value.items()}
    if isinstance(value, list):
        return [with_canaries(item, path) for item in value]
    if isinstance(value, str) and path not in {".event", ".payload.object.scheduled_event.event_id"}:
        return f"{CANARY}{path}"
    return value


HEADERS = {
    "clientid": f"{CANARY}-client",
    "user-agent": f"{CANARY}-agent",
    "x-zm-trackingid": f"{CANARY}-tracking",
    "traceparent": f"{CANARY}-trace",
    "authorization": f"{CANARY}-authorization",
    "x-zm-request-id": f"{CANARY} of another shape",
}


@pytest.mark.parametrize("kind", ["created", "canceled"])
def test_nothing_personal_is_printed_on_the_way_of_a_booking(
    stack: Stack, functions: Functions, output: Printed, kind: str
) -> None:
    # failure matrix: 43
    body = with_canaries(sample(kind, event_ts=now_ms()))
    assert json.dumps(body).count(CANARY) >= 25
    answer = functions.call("webhook", http_event(raw(body), headers=HEADERS))
    assert answer["statusCode"] == 200
    assert functions.call(f"booking_{kind}", sqs_event(getattr(stack, kind))) == {"batchItemFailures": []}
    assert functions.call("booking_events", stream_event(stack.table_name)) == {"batchItemFailures": []}
    assert len(stack.subscriber.bodies()) == 1
    printed = output.text()
    assert "answered" in printed
    assert "recorded" in printed
    assert CANARY not in printed
    assert TOKEN not in printed


@pytest.mark.parametrize(
    "broken",
    [
        {"payload": CANARY},
        {"payload": {"object": {"questions_and_answers": [{"question": CANARY, CANARY: [CANARY]}]}}},
        {"payload": {"object": {"scheduled_event": {"event_id": [CANARY]}}}},
        {"event": CANARY},
        {"event": f"scheduler.{CANARY} "},
        {"event_ts": CANARY},
    ],
    ids="-".join,
)
def test_nothing_personal_is_printed_or_answered_of_a_delivery_that_is_refused(
    stack: Stack, functions: Functions, output: Printed, broken: dict[str, Any]
) -> None:
    # failure matrix: 43
    body = with_canaries(sample("created")) | broken
    answer = functions.call("webhook", http_event(raw(body), headers=HEADERS))
    assert answer["statusCode"] in {204, 400}
    assert CANARY not in output.text()
    assert CANARY not in json.dumps(answer)


def test_nothing_personal_is_printed_when_services_fail_and_code_breaks(
    stack: Stack, functions: Functions, output: Printed, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # failure matrix: 43, 49
    body = raw(with_canaries(sample("created", event_ts=now_ms())))
    assert functions.call("webhook", http_event(body, headers=HEADERS))["statusCode"] == 200
    event = sqs_event(stack.created)
    outage.of("PutItem", "ValidationException")
    assert len(functions.call("booking_created", event)["batchItemFailures"]) == 1
    outage.of("PutEvents")
    outage.of("SendMessage")
    assert functions.call("webhook", http_event(body, headers=HEADERS))["statusCode"] == 503

    def fail(*_: object, **__: object) -> None:
        raise KeyError(CANARY)

    monkeypatch.setattr("bookings.use_cases.receive.identify", fail)
    monkeypatch.setattr("bookings.use_cases.record.to_delivery", fail)
    assert functions.call("webhook", http_event(body, headers=HEADERS))["statusCode"] == 503
    assert len(functions.call("booking_created", event)["batchItemFailures"]) == 1
    assert output.counts()[Count.UNEXPECTED_ERROR] == 1
    assert [line["error"] for line in output.logs("unexpected error")] == ["KeyError"]
    assert CANARY not in output.text()


def test_metrics_carry_the_namespace_the_service_and_known_names_only(
    stack: Stack, functions: Functions, output: Printed
) -> None:
    deliver(functions, sample("created", event_ts=now_ms()))
    functions.call("webhook", {"headers": {}, "body": ""})
    functions.call("booking_created", sqs_event(stack.created))
    functions.call("booking_events", stream_event(stack.table_name))
    lines = output.metrics()
    assert len(lines) == 4
    for line in lines:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "ZoomSchedulerBookings/tests"
        assert directive["Dimensions"] == [["service"]]
        assert line["service"] == "tests"
        assert {metric["Unit"] for metric in directive["Metrics"]} == {"Count"}
        assert set(metric_names(line)) <= set(Count)


# ── starting ─────────────────────────────────────────────────────────────────────────────────────────────


CLIENTS = {
    "webhook": ["events", "secretsmanager", "sqs"],
    "booking_created": ["dynamodb", "sqs"],
    "booking_canceled": ["dynamodb", "sqs"],
    "booking_events": ["events", "sqs"],
}


@pytest.mark.parametrize("function", CLIENTS)
def test_start_makes_all_clients_and_reads_the_secret(
    stack: Stack, functions: Functions, outage: Outage, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    event = json.loads((ROOT / f"events/lambda/{function}.json").read_text())
    if function == "webhook":
        event = http_event(raw(sample("created", event_ts=now_ms())))
    created: list[str] = []
    create = Session.create_client

    def create_client(session: Session, service: str, *rest: Any, **options: Any) -> Any:
        created.append(service)
        return create(session, service, *rest, **options)

    monkeypatch.setattr(Session, "create_client", create_client)
    functions.start(function)
    assert sorted(created) == CLIENTS[function]
    # Both versions of the secret are read, for the current one is younger than a day.
    assert outage.calls == (["GetSecretValue"] * 2 if function == "webhook" else [])
    functions.call(function, event)
    functions.call(function, event)
    assert "GetSecretValue" not in outage.calls[2:]
    assert len(outage.calls) >= 2, "no service was called"
    assert len(created) == len(CLIENTS[function])


@pytest.mark.parametrize(
    ("function", "setting"),
    [
        ("webhook", "ZOOM_SECRET_ARN"),
        ("booking_created", "BOOKINGS_TABLE_NAME"),
        ("booking_canceled", "QUEUE_URL"),
        ("booking_events", "EVENT_BUS_ARN"),
    ],
)
def test_missing_setting_fails_the_start(
    stack: Stack, functions: Functions, monkeypatch: pytest.MonkeyPatch, function: str, setting: str
) -> None:
    # failure matrix: 49
    monkeypatch.delenv(setting)
    with pytest.raises(SettingsError, match=f"^{setting} is not set$"):
        functions.start(function)


def test_wrong_setting_fails_the_start_without_its_value(
    stack: Stack, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    # failure matrix: 49
    monkeypatch.setenv("FAN_OUT", CANARY)
    with pytest.raises(SettingsError, match=r"^FAN_OUT is not a valid FanOut$"):
        functions.start("webhook")


def test_a_write_that_the_table_throttles_once_is_made_again_within_the_invocation(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    # failure matrix: 22
    throttled = Reply({"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"}, 400)
    replies = [throttled, Reply()]
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.0)
    with Service(lambda *_: replies.pop(0)) as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", service.url)
        event = json.loads((ROOT / "events/lambda/booking_created.json").read_text())
        response = functions.call("booking_created", {"Records": event["Records"][:1]})
    assert response == {"batchItemFailures": []}
    assert [operation for operation, _ in service.calls] == ["PutItem", "PutItem"]


def test_the_context_of_these_tests_has_what_lambda_passes() -> None:
    assert {name for name in vars(Context()) if name != "remaining_ms"} <= set(dir(LambdaContext))


@pytest.mark.parametrize("name", [CREATED, CANCELED])
def test_a_sample_is_published_under_its_own_name(stack: Stack, functions: Functions, name: str) -> None:
    kind = "created" if name == CREATED else "canceled"
    deliver(functions, sample(kind, event_ts=now_ms()))
    queue = stack.created if name == CREATED else stack.canceled
    assert [message["detail-type"] for message in queue.bodies()] == [name]

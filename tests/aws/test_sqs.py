"""The contract of SQS, standard queues."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from tests.aws.sqs import MAX_MESSAGE_BYTES
from tests.aws.worlds import StrictWorld, World, only_aws_refuses, said
from tests.fakes import NOW

UNKNOWN = "https://sqs.us-east-1.amazonaws.com/123456789012/unknown"
NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"
# SQS goes on telling the codes of its older protocol, and botocore hands them on (`awsQueryCompatible`).
PREFIX = "AWS.SimpleQueueService."


class Queue:
    """One queue in either world, and its API."""

    def __init__(self, world: World, name: str = "q", **attributes: Any) -> None:
        self.client = world.client("sqs")
        self.url = world.queue(name, **attributes)

    def send(self, body: str = "x", **more: Any) -> Any:
        return said(lambda: self.client.send_message(QueueUrl=self.url, MessageBody=body, **more))

    def receive(self, most: int = 10, **more: Any) -> list[dict[str, Any]]:
        answer = self.client.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=most, MessageSystemAttributeNames=["All"], **more
        )
        return list(answer.get("Messages", []))

    def bodies(self) -> list[str]:
        return sorted(message["Body"] for message in self.receive())

    def hide(self, handle: str, seconds: int) -> Any:
        return said(
            lambda: self.client.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=handle, VisibilityTimeout=seconds
            )
        )

    def hide_all(self, *entries: dict[str, Any]) -> Any:
        return said(
            lambda: self.client.change_message_visibility_batch(QueueUrl=self.url, Entries=list(entries))
        )

    def delete(self, handle: str) -> Any:
        return said(lambda: self.client.delete_message(QueueUrl=self.url, ReceiptHandle=handle))

    def delete_all(self, *entries: dict[str, Any]) -> Any:
        return said(lambda: self.client.delete_message_batch(QueueUrl=self.url, Entries=list(entries)))

    def counts(self) -> tuple[str, str]:
        answer = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])
        attributes = answer["Attributes"]
        return (
            attributes["ApproximateNumberOfMessages"],
            attributes["ApproximateNumberOfMessagesNotVisible"],
        )


# ── sending ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_is_answered_with_its_id_and_digest_and_received_to_the_character(world: World) -> None:
    queue = Queue(world)
    body = 'Grüße 🏝\t\r\n"\\u0000" \ue000\ufffd\U0010ffff'
    sent = queue.send(body)
    assert sent.keys() == {"MessageId", "MD5OfMessageBody"}
    digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
    (message,) = queue.receive()
    assert message.keys() == {"MessageId", "ReceiptHandle", "MD5OfBody", "Body", "Attributes"}
    assert (message["MessageId"], message["Body"]) == (sent["MessageId"], body)
    assert (sent["MD5OfMessageBody"], message["MD5OfBody"]) == (digest, digest)


def test_a_message_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(world: World) -> None:
    queue = Queue(world)
    largest = "é" * (MAX_MESSAGE_BYTES // 2)
    assert "MessageId" in queue.send(largest)
    assert queue.send("x" * (MAX_MESSAGE_BYTES + 1)) == "InvalidParameterValue"
    # moto counts characters; "Amazon SQS message quotas" in the developer guide says bytes.
    only_aws_refuses(world, queue.send(largest + "x"), "InvalidParameterValue")


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x0b", "\x1f", "\ufffe", "\uffff"])
def test_a_message_with_a_character_outside_the_set_is_refused(world: World, character: str) -> None:
    # The set stands at "SendMessage" in the API Reference.
    only_aws_refuses(world, Queue(world).send(f"a{character}b"), "InvalidMessageContents")


def test_an_empty_message_is_refused(world: World) -> None:
    # "The minimum size is one character", says "SendMessage" in the API Reference.
    only_aws_refuses(world, Queue(world).send(""), "MissingParameter")


def test_a_delayed_message_is_received_when_its_delay_is_over(world: World) -> None:
    queue = Queue(world)
    queue.send("later", DelaySeconds=900)
    assert queue.bodies() == []
    world.wait(901)
    assert queue.bodies() == ["later"]


def test_a_delay_over_15_minutes_is_refused(world: World) -> None:
    assert Queue(world).send("x", DelaySeconds=901) == "InvalidParameterValue"


# ── receiving ────────────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_queue_answers_without_messages(world: World) -> None:
    queue = Queue(world)
    assert said(lambda: queue.client.receive_message(QueueUrl=queue.url)) == {}


def test_a_receive_takes_one_message_unless_told_and_ten_at_most(world: World) -> None:
    queue = Queue(world)
    for number in range(12):
        queue.send(str(number))
    assert len(queue.client.receive_message(QueueUrl=queue.url)["Messages"]) == 1
    assert len(queue.receive(10)) == 10
    assert len(queue.receive(10)) == 1


@pytest.mark.parametrize(
    "limits",
    [
        {"MaxNumberOfMessages": 0},
        {"MaxNumberOfMessages": 11},
        {"VisibilityTimeout": 43_201},
        {"WaitTimeSeconds": 21},
    ],
    ids=str,
)
def test_a_receive_beyond_its_limits_is_refused(world: World, limits: dict[str, int]) -> None:
    queue = Queue(world)
    assert said(lambda: queue.client.receive_message(QueueUrl=queue.url, **limits)) == "InvalidParameterValue"


def test_a_visibility_that_would_be_past_is_refused(world: World) -> None:
    # "The minimum is 0 seconds", says "ChangeMessageVisibility" in the API Reference.
    queue = Queue(world)
    receive = queue.client.receive_message
    only_aws_refuses(
        world, said(lambda: receive(QueueUrl=queue.url, VisibilityTimeout=-1)), "InvalidParameterValue"
    )
    queue.send()
    (message,) = queue.receive()
    only_aws_refuses(world, queue.hide(message["ReceiptHandle"], -1), "InvalidParameterValue")


def test_attributes_tell_the_first_and_the_latest_of_a_message(world: World) -> None:
    queue = Queue(world)
    queue.send()
    world.clock.advance(5)
    (first,) = queue.receive()
    world.wait(30)
    (second,) = queue.receive()
    sent, received = (str(round((NOW + timedelta(seconds=s)).timestamp() * 1000)) for s in (0, 5))
    told = [
        tuple(
            message["Attributes"][name]
            for name in ("ApproximateReceiveCount", "SentTimestamp", "ApproximateFirstReceiveTimestamp")
        )
        for message in (first, second)
    ]
    assert told == [("1", sent, received), ("2", sent, received)]


@pytest.mark.parametrize("parameter", ["AttributeNames", "MessageSystemAttributeNames"])
def test_only_the_attributes_asked_for_are_told(world: World, parameter: str) -> None:
    queue = Queue(world)
    queue.send()
    wanted = {parameter: ["ApproximateReceiveCount"]}
    (message,) = queue.client.receive_message(QueueUrl=queue.url, VisibilityTimeout=0, **wanted)["Messages"]
    assert message["Attributes"] == {"ApproximateReceiveCount": "1"}
    (message,) = queue.client.receive_message(QueueUrl=queue.url)["Messages"]
    assert "Attributes" not in message


def test_the_caller_may_choose_which_visible_messages_come_and_in_which_order(strict: StrictWorld) -> None:
    queue = Queue(strict)
    for number in range(4):
        queue.send(str(number))
    strict.sqs.choose = lambda visible: [each for each in reversed(visible) if each.body != "2"]
    assert [message["Body"] for message in queue.receive()] == ["3", "1", "0"]
    strict.sqs.choose = None
    assert [message["Body"] for message in queue.receive()] == ["2"]


# ── visibility ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_received_message_is_hidden_until_its_time_is_over(world: World) -> None:
    queue = Queue(world, visibility_seconds=60)
    queue.send()
    (first,) = queue.receive()
    world.clock.advance(59)
    assert queue.receive() == []
    world.wait(1)
    (second,) = queue.receive()
    assert second["MessageId"] == first["MessageId"]
    assert second["ReceiptHandle"] != first["ReceiptHandle"]


def test_a_receive_may_hide_its_messages_for_a_time_of_its_own(world: World) -> None:
    queue = Queue(world, visibility_seconds=60)
    queue.send()
    assert len(queue.receive(VisibilityTimeout=5)) == 1
    world.wait(5)
    assert len(queue.receive()) == 1


def test_a_hidden_message_comes_again_when_it_is_told_to(world: World) -> None:
    queue = Queue(world, visibility_seconds=60)
    for body in ("now", "late"):
        queue.send(body)
    handles = {message["Body"]: message["ReceiptHandle"] for message in queue.receive()}
    assert queue.hide(handles["now"], 0) == {}
    assert queue.hide(handles["late"], 900) == {}
    world.wait(0)
    assert queue.bodies() == ["now"]
    world.clock.advance(899)
    assert queue.bodies() == ["now"]
    world.wait(1)
    assert queue.bodies() == ["late"]


def test_a_visibility_beyond_12_hours_is_refused(world: World) -> None:
    queue = Queue(world)
    queue.send()
    (message,) = queue.receive()
    assert queue.hide(message["ReceiptHandle"], 43_201) == "InvalidParameterValue"


def test_all_extensions_of_a_receive_together_last_12_hours(world: World) -> None:
    queue = Queue(world, visibility_seconds=43_200)
    queue.send()
    world.wait(3600)
    (message,) = queue.receive()
    world.clock.advance(1)
    assert queue.hide(message["ReceiptHandle"], 43_200) == "InvalidParameterValue"
    # "Visibility timeout" in the developer guide: from the receive on. moto counts from the sending on.
    assert queue.hide(message["ReceiptHandle"], 43_199) == world.either(aws={}, moto="InvalidParameterValue")


def test_what_is_no_receipt_handle_is_refused(world: World) -> None:
    queue = Queue(world)
    assert queue.hide("no-handle", 60) == "ReceiptHandleIsInvalid"
    assert queue.delete("no-handle") == world.either(
        aws="ReceiptHandleIsInvalid", moto="ReceiptHandleIsInvalid"
    )


def test_a_handle_of_another_queue_is_none(strict: StrictWorld) -> None:
    queue, other = Queue(strict), Queue(strict, "other")
    queue.send()
    (message,) = queue.receive()
    assert other.hide(message["ReceiptHandle"], 60) == "ReceiptHandleIsInvalid"
    assert other.delete(message["ReceiptHandle"]) == "ReceiptHandleIsInvalid"


def test_a_message_that_is_gone_can_not_be_hidden(world: World) -> None:
    # aws/aws-sdk-java issue 1628 tells the two codes apart: a handle that was real is an invalid value.
    queue = Queue(world)
    queue.send()
    (message,) = queue.receive()
    queue.delete(message["ReceiptHandle"])
    assert queue.hide(message["ReceiptHandle"], 60) == world.either(
        aws="InvalidParameterValue", moto="ReceiptHandleIsInvalid"
    )


def test_a_message_received_again_can_not_be_hidden_by_its_older_handle(world: World) -> None:
    queue = Queue(world)
    queue.send()
    (first,) = queue.receive()
    world.wait(30)
    queue.receive()
    assert queue.hide(first["ReceiptHandle"], 60) == world.either(aws="InvalidParameterValue", moto={})


def test_a_message_that_is_visible_again_is_not_in_flight(world: World) -> None:
    queue = Queue(world)
    queue.send()
    (message,) = queue.receive()
    world.wait(30)
    assert queue.hide(message["ReceiptHandle"], 60) == world.either(
        aws="AWS.SimpleQueueService.MessageNotInflight", moto={}
    )


# ── deleting ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_deleted_message_never_comes_again_and_can_be_deleted_twice(world: World) -> None:
    queue = Queue(world)
    queue.send()
    (message,) = queue.receive()
    assert queue.delete(message["ReceiptHandle"]) == {}
    assert queue.delete(message["ReceiptHandle"]) == {}
    world.wait(3600)
    assert queue.receive() == []


def test_a_message_that_is_visible_again_can_still_be_deleted(world: World) -> None:
    queue = Queue(world)
    queue.send()
    (message,) = queue.receive()
    world.wait(30)
    assert queue.delete(message["ReceiptHandle"]) == {}
    assert queue.receive() == []


def test_an_older_handle_is_taken_but_deletes_nothing(world: World) -> None:
    # "If you use an old ReceiptHandle, the request will succeed, but the message might not be deleted."
    queue = Queue(world)
    queue.send()
    (first,) = queue.receive()
    world.wait(30)
    queue.receive()
    assert queue.delete(first["ReceiptHandle"]) == {}
    world.wait(30)
    assert len(queue.receive()) == world.either(aws=1, moto=0)


# ── batches ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_batch_answers_for_each_entry(world: World) -> None:
    queue = Queue(world)
    for number in range(3):
        queue.send(str(number))
    handles = {message["Body"]: message["ReceiptHandle"] for message in queue.receive()}
    answer = queue.hide_all(
        {"Id": "a", "ReceiptHandle": handles["0"], "VisibilityTimeout": 0},
        {"Id": "b", "ReceiptHandle": "no-handle", "VisibilityTimeout": 0},
        {"Id": "c", "ReceiptHandle": handles["1"], "VisibilityTimeout": 43_201},
    )
    assert answer["Successful"] == [{"Id": "a"}]
    assert [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in answer["Failed"]] == [
        ("b", "ReceiptHandleIsInvalid", True),
        ("c", "InvalidParameterValue", True),
    ]
    world.wait(0)
    assert queue.bodies() == ["0"]


def test_a_batch_deletes_what_it_can(world: World) -> None:
    queue = Queue(world)
    for number in range(2):
        queue.send(str(number))
    handles = {message["Body"]: message["ReceiptHandle"] for message in queue.receive()}
    answer = queue.delete_all(
        {"Id": "a", "ReceiptHandle": handles["0"]}, {"Id": "b", "ReceiptHandle": "no-handle"}
    )
    assert answer["Successful"] == [{"Id": "a"}]
    assert [(entry["Id"], entry["Code"]) for entry in answer["Failed"]] == [("b", "ReceiptHandleIsInvalid")]
    world.wait(30)
    assert queue.bodies() == ["1"]


# The other errors stand in the API Reference, and in the model, of both operations.
KNOWN_TO_MOTO = {("delete_all", "EmptyBatchRequest")}
ELEVEN = [{"Id": str(number)} for number in range(11)]


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([], "EmptyBatchRequest"),
        (ELEVEN, "TooManyEntriesInBatchRequest"),
        ([{"Id": "same"}, {"Id": "same"}], "BatchEntryIdsNotDistinct"),
        ([{"Id": "not an id"}], "InvalidBatchEntryId"),
        ([{"Id": "x" * 81}], "InvalidBatchEntryId"),
        ([{"Id": ""}], "InvalidBatchEntryId"),
    ],
    ids=str,
)
@pytest.mark.parametrize("operation", ["delete_all", "hide_all"])
def test_a_batch_that_is_none_is_refused_whole(
    world: World, operation: str, entries: list[dict[str, str]], code: str
) -> None:
    queue = Queue(world)
    for _ in range(11):
        queue.send()
    received = queue.receive() + queue.receive()
    whole = [
        entry
        | {"ReceiptHandle": message["ReceiptHandle"]}
        | ({"VisibilityTimeout": 0} if operation == "hide_all" else {})
        for entry, message in zip(entries, received, strict=False)
    ]
    answer = getattr(queue, operation)(*whole)
    if (operation, code) in KNOWN_TO_MOTO:
        assert answer == PREFIX + code
    else:
        only_aws_refuses(world, answer, PREFIX + code)
    if isinstance(world, StrictWorld):
        assert queue.counts() == ("0", "11")


# ── dead letters, retention, moving ──────────────────────────────────────────────────────────────────────


def test_the_receive_beyond_the_most_moves_a_message_to_the_dead_letters_with_its_age(world: World) -> None:
    dead = Queue(world, "dead", retention_seconds=1_209_600)
    queue = Queue(world, dead_letters=dead.url, max_receives=2)
    sent = queue.send("poison")
    received = []
    for _ in range(2):
        received += queue.receive()
        world.wait(30)
    assert [message["Attributes"]["ApproximateReceiveCount"] for message in received] == ["1", "2"]
    assert dead.receive() == []  # only a receive moves it
    assert queue.receive() == []
    (message,) = dead.receive()
    assert (message["MessageId"], message["Body"]) == (sent["MessageId"], "poison")
    assert message["Attributes"]["SentTimestamp"] == received[0]["Attributes"]["SentTimestamp"]
    # "ReceiveMessage" in the API Reference lists it; moto doesn't tell it.
    assert message["Attributes"].get("DeadLetterQueueSourceArn") == world.either(
        aws=world.arn(queue.url), moto=None
    )
    assert queue.counts() == ("0", "0")


def test_a_message_is_gone_when_its_retention_is_over(world: World) -> None:
    queue = Queue(world, retention_seconds=3600)
    queue.send()
    world.clock.advance(3599)
    assert queue.counts() == ("1", "0")
    world.wait(1)
    assert queue.receive() == []
    assert queue.counts() == world.either(aws=("0", "0"), moto=("0", "1"))  # moto counts it for ever


def test_a_message_received_before_can_be_gone_too(strict: StrictWorld) -> None:
    queue = Queue(strict, retention_seconds=60, visibility_seconds=43_200)
    queue.send()
    (message,) = queue.receive()
    strict.clock.advance(60)
    assert strict.sqs.messages(queue.url) == []
    assert queue.delete(message["ReceiptHandle"]) == {}


def test_the_dead_letters_keep_a_message_from_its_first_sending_on(world: World) -> None:
    # "Setting-up dead-letter queue retention in Amazon SQS", developer guide.
    dead = Queue(world, "dead", retention_seconds=7200)
    queue = Queue(world, dead_letters=dead.url, max_receives=1, retention_seconds=3600)
    queue.send()
    queue.receive()
    world.wait(3599)
    assert queue.receive() == []
    assert dead.counts() == ("1", "0")
    world.wait(3601)
    assert dead.receive() == []
    assert dead.counts() == world.either(aws=("0", "0"), moto=("0", "1"))


def test_an_older_message_may_come_to_the_dead_letters_later_and_is_gone_first(strict: StrictWorld) -> None:
    dead = Queue(strict, "dead", retention_seconds=3600)
    queue = Queue(strict, dead_letters=dead.url, max_receives=1)
    queue.send("older")
    (older,) = queue.receive()
    queue.hide(older["ReceiptHandle"], 1000)
    strict.clock.advance(100)
    queue.send("newer")
    for seconds in (0, 500, 500):  # the newer one is buried first
        strict.clock.advance(seconds)
        queue.receive()
    assert [each.body for each in strict.sqs.messages(dead.url)] == ["newer", "older"]
    strict.clock.advance(3600 - 1100)
    assert [each.body for each in strict.sqs.messages(dead.url)] == ["newer"]
    strict.clock.advance(100)
    assert strict.sqs.messages(dead.url) == []


def test_a_moved_message_is_a_new_one(strict: StrictWorld) -> None:
    # "Learn how to configure a dead-letter queue redrive in Amazon SQS", developer guide. moto has no moving.
    dead = Queue(strict, "dead", retention_seconds=1_209_600)
    queue = Queue(strict, dead_letters=dead.url, max_receives=1)
    sent = queue.send("poison")
    queue.receive()
    strict.clock.advance(30)
    queue.receive()
    strict.clock.advance(300_000)
    assert strict.sqs.move(dead.url, queue.url) == 1
    (message,) = queue.receive()
    assert dead.counts() == ("0", "0")
    assert message["Body"] == "poison"
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert message["MessageId"] != sent["MessageId"]
    sent_at = round((NOW + timedelta(seconds=300_030)).timestamp() * 1000)
    assert message["Attributes"]["SentTimestamp"] == str(sent_at)


# ── a queue as a whole ───────────────────────────────────────────────────────────────────────────────────


def test_attributes_count_what_is_visible_and_what_is_not(world: World) -> None:
    queue = Queue(world, visibility_seconds=60, retention_seconds=86_400)
    for _ in range(3):
        queue.send()
    queue.send(DelaySeconds=60)
    queue.receive(1)
    answer = said(lambda: queue.client.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["All"]))
    expected = {
        "ApproximateNumberOfMessages": "2",
        "ApproximateNumberOfMessagesNotVisible": "1",
        "ApproximateNumberOfMessagesDelayed": "1",
        "VisibilityTimeout": "60",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "86400",
        "QueueArn": "arn:aws:sqs:us-east-1:123456789012:q",
    }
    assert {name: answer["Attributes"][name] for name in expected} == expected


def test_an_attribute_that_is_none_is_refused(world: World) -> None:
    queue = Queue(world)
    answer = said(lambda: queue.client.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["Colour"]))
    assert answer == "InvalidAttributeName"
    # The model of ReceiveMessage has no such error.
    answer = said(
        lambda: queue.client.receive_message(QueueUrl=queue.url, MessageSystemAttributeNames=["Colour"])
    )
    only_aws_refuses(world, answer, "InvalidParameterValue")


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("send_message", {"MessageBody": "x"}),
        ("receive_message", {}),
        ("delete_message", {"ReceiptHandle": "h"}),
        ("delete_message_batch", {"Entries": [{"Id": "a", "ReceiptHandle": "h"}]}),
        ("change_message_visibility", {"ReceiptHandle": "h", "VisibilityTimeout": 1}),
        (
            "change_message_visibility_batch",
            {"Entries": [{"Id": "a", "ReceiptHandle": "h", "VisibilityTimeout": 1}]},
        ),
        ("get_queue_attributes", {"AttributeNames": ["All"]}),
    ],
)
def test_a_queue_that_is_not_there_is_told_by_every_operation(
    world: World, operation: str, parameters: dict[str, Any]
) -> None:
    client = world.client("sqs")
    with pytest.raises(client.exceptions.QueueDoesNotExist) as raised:
        getattr(client, operation)(QueueUrl=UNKNOWN, **parameters)
    assert raised.value.response["Error"]["Code"] == NO_QUEUE


def test_what_the_queue_keeps_can_be_looked_at_without_being_received(strict: StrictWorld) -> None:
    queue = Queue(strict, visibility_seconds=60)
    assert strict.sqs.next_visible_at(queue.url) is None
    queue.send("one")
    queue.send("two", DelaySeconds=10)
    queue.receive()
    kept = strict.sqs.messages(queue.url)
    assert [(each.body, each.receives, each.sent_at) for each in kept] == [("one", 1, NOW), ("two", 0, NOW)]
    assert [each.visible_at - NOW for each in kept] == [timedelta(seconds=60), timedelta(seconds=10)]
    assert strict.sqs.next_visible_at(queue.url) == NOW + timedelta(seconds=10)


def test_what_is_not_known_here_is_never_ignored(strict: StrictWorld) -> None:
    queue = Queue(strict)
    with pytest.raises(NotImplementedError, match="SendMessage with MessageGroupId"):
        queue.send(MessageGroupId="g")
    with pytest.raises(NotImplementedError, match="PurgeQueue"):
        queue.client.purge_queue(QueueUrl=queue.url)

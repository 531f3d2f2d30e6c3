"""The contract of EventBridge: PutEvents, rules, patterns."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.events.models import EventPattern
from samtranslator.yaml_helper import yaml_parse

from tests.aws.errors import AWSError
from tests.aws.events import (
    MAX_DETAIL_TYPE,
    MAX_ENTRIES_BYTES,
    MAX_NESTING,
    MAX_SOURCE,
    EventBridge,
    check_pattern,
    entry_size,
    matches,
)
from tests.aws.worlds import StrictWorld, World, only_aws_refuses, said
from tests.fakes import NOW

ROOT = Path(__file__).parents[2]


class Bus:
    """One bus in either world, with a queue that gets everything of source "s"."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.client = world.client("events")
        self.arn = world.bus("bookings")
        self.queue = world.queue("everything")
        world.rule("bookings", "everything", {"source": [{"prefix": "s"}]}, self.queue)

    def entry(self, detail: str = "{}", **more: Any) -> dict[str, Any]:
        return {"EventBusName": self.arn, "Source": "s", "DetailType": "T", "Detail": detail} | more

    def put(self, *entries: dict[str, Any]) -> Any:
        return said(lambda: self.client.put_events(Entries=list(entries)))

    def put_one(self, detail: str = "{}", **more: Any) -> Any:
        """Returns the code of the one entry's error, or the answer."""
        answer = self.put(self.entry(detail, **more))
        if isinstance(answer, dict) and answer["FailedEntryCount"] == 1:
            return answer["Entries"][0]["ErrorCode"]
        return answer

    def texts(self) -> list[str]:
        answer = self._world.client("sqs").receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", [])]

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.texts()]


# ── what is taken ────────────────────────────────────────────────────────────────────────────────────────


def test_a_target_gets_the_event_in_eventbridges_form(world: World) -> None:
    bus = Bus(world)
    detail = '{ "text" : "Gr\\u00fc\\u00dfe 🏝", "number": 1.50, "none": null, "list": [true, -7] }\n'
    answer = bus.put(bus.entry(detail, Source="s.x", DetailType="Booking Ä", Resources=["zoom-request/1"]))
    (event,) = bus.events()
    assert answer == {"FailedEntryCount": 0, "Entries": [{"EventId": event["id"]}]}
    # "Events structure" in the user guide; moto leaves the account out.
    expected = {
        "version": "0",
        "detail-type": "Booking Ä",
        "source": "s.x",
        "region": "us-east-1",
        "resources": ["zoom-request/1"],
        "detail": {"text": "Grüße 🏝", "number": 1.5, "none": None, "list": [True, -7]},
    }
    assert {name: event[name] for name in expected} == expected
    assert event.keys() == {*expected, "id", "time", *world.either(aws=["account"], moto=[])}
    assert event["time"] == "2026-11-22T12:00:00Z"
    assert len(event["id"]) == 36


def test_the_detail_is_written_again_and_keeps_its_order(strict: StrictWorld) -> None:
    bus = Bus(strict)
    bus.put(bus.entry('{ "b": 1,\n "a": {"ü": "\\u00fc\\n"} }'))
    (text,) = bus.texts()
    assert text == (
        '{"version":"0","id":"00000000-0000-4003-8000-000000000001","detail-type":"T","source":"s",'
        '"account":"123456789012","time":"2026-11-22T12:00:00Z","region":"us-east-1","resources":[],'
        '"detail":{"b":1,"a":{"ü":"ü\\n"}}}'
    )
    (event,) = strict.events.accepted[bus.arn]
    assert event.text == text
    assert event.fields == json.loads(text)


def test_an_event_goes_where_a_rule_matches_and_nowhere_else(world: World) -> None:
    bus = Bus(world)
    other = world.queue("other")
    world.rule("bookings", "other", {"source": ["s.other"]}, other)
    bus.put(bus.entry('{"n": 1}'), bus.entry('{"n": 2}', Source="x"))
    assert [event["detail"]["n"] for event in bus.events()] == [1]
    assert said(lambda: world.client("sqs").receive_message(QueueUrl=other)) == {}


def test_a_rule_put_again_replaces_the_one_of_its_name(strict: StrictWorld) -> None:
    bus = Bus(strict)
    strict.rule("bookings", "everything", {"source": ["other"]}, bus.queue)
    bus.put(bus.entry())
    assert bus.texts() == []


def test_an_event_may_say_when_it_was(world: World) -> None:
    bus = Bus(world)
    bus.put(bus.entry(Time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)))
    (event,) = bus.events()
    assert event["time"] == "2026-01-02T03:04:05Z"


def test_ids_are_the_same_in_every_run_and_differ_within_one(strict: StrictWorld) -> None:
    bus = Bus(strict)
    bus.put(bus.entry(), bus.entry("no json"), bus.entry())
    assert [event.id for event in strict.events.accepted[bus.arn]] == [
        "00000000-0000-4003-8000-000000000001",
        "00000000-0000-4003-8000-000000000002",
    ]


def test_the_caller_decides_when_a_target_gets_an_event(strict: StrictWorld) -> None:
    bus = Bus(strict)
    told: list[tuple[str, str]] = []
    strict.events.deliver = lambda event, rule: told.append((event.id, rule.name))
    bus.put(bus.entry())
    assert told == [("00000000-0000-4003-8000-000000000001", "everything")]
    assert bus.texts() == []


def test_events_for_a_bus_that_is_not_there_are_answered_as_taken_and_dropped(world: World) -> None:
    # Reported to AWS and confirmed in aws/aws-sdk issue 186 and aws/aws-cli issue 9186; moto tells it.
    bus = Bus(world)
    answer = bus.put(bus.entry(EventBusName=bus.arn + "-deleted"))
    if isinstance(world, StrictWorld):
        assert answer["FailedEntryCount"] == 0
        assert [event.id for event in world.events.dropped] == [answer["Entries"][0]["EventId"]]
        assert world.events.accepted == {bus.arn: []}
    else:
        assert answer == "ResourceNotFoundException"


def test_a_deleted_bus_drops_what_comes(strict: StrictWorld) -> None:
    bus = Bus(strict)
    bus.put(bus.entry())
    strict.events.delete_event_bus(bus.arn)
    bus.put(bus.entry())
    assert (len(strict.events.accepted[bus.arn]), len(strict.events.dropped)) == (1, 1)


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────────


def test_each_entry_is_answered_in_its_place(world: World) -> None:
    bus = Bus(world)
    answer = bus.put(bus.entry('{"n": 1}'), bus.entry("no json"), bus.entry(Source=""), bus.entry('{"n": 2}'))
    assert answer["FailedEntryCount"] == 2
    assert [entry.get("ErrorCode") for entry in answer["Entries"]] == [
        *(None, "MalformedDetail", "InvalidArgument", None)
    ]
    assert [sorted(entry) for entry in answer["Entries"]] == [
        *(["EventId"], ["ErrorCode", "ErrorMessage"], ["ErrorCode", "ErrorMessage"], ["EventId"])
    ]
    assert [event["detail"]["n"] for event in bus.events()] == [1, 2]


@pytest.mark.parametrize("name", ["Source", "DetailType", "Detail"])
@pytest.mark.parametrize("empty", [True, False])
def test_an_entry_without_what_it_needs_fails(world: World, name: str, empty: bool) -> None:
    # The reference says that a call fails whole in which no entry has them; recorded answers of AWS
    # (localstack's validated tests, December 2024) fail the entry even then.
    bus = Bus(world)
    entry = bus.entry()
    if empty:
        entry[name] = ""
    else:
        del entry[name]
    answer = bus.put(entry)
    assert (answer["FailedEntryCount"], answer["Entries"][0]["ErrorCode"]) == (1, "InvalidArgument")


@pytest.mark.parametrize("detail", ["", "no json", '{"a": 1', '{"a": NaN}', '{"a": 1} x'])
def test_a_detail_that_is_no_json_fails(world: World, detail: str) -> None:
    code = Bus(world).put_one(detail)
    if detail == '{"a": NaN}':  # moto takes Python's JSON for JSON
        only_aws_refuses(world, code, "MalformedDetail")
    else:
        assert code == ("MalformedDetail" if detail else "InvalidArgument")


@pytest.mark.filterwarnings("ignore:EventDetail should be of type dict")  # moto's own, and all it does
@pytest.mark.parametrize("detail", ["[]", "7"])
def test_a_detail_that_is_no_object_fails(world: World, detail: str) -> None:
    # "A valid JSON object", says "PutEventsRequestEntry" in the API Reference.
    only_aws_refuses(world, Bus(world).put_one(detail), "MalformedDetail")


@pytest.mark.parametrize("detail", ['"text"', "null"])
def test_a_detail_on_which_moto_fails_itself_fails(strict: StrictWorld, detail: str) -> None:
    assert Bus(strict).put_one(detail) == "MalformedDetail"


@pytest.mark.parametrize(
    ("detail", "taken"),
    [
        ('{"n": 9223372036854775807}', True),
        ('{"n": 9223372036854775808}', False),
        ('{"n": [{"m": -9223372036854775808}]}', True),
        ('{"n": [{"m": -9223372036854775809}]}', False),
        ('{"n": 1e300}', True),
        ('{"n": 1e400}', False),  # a choice: what AWS makes of it isn't documented
        ('{"n": "\\ud83d"}', False),  # the same: half a character can't be written again
        ('{"a":' * MAX_NESTING + "1" + "}" * MAX_NESTING, True),
        ('{"a":' * (MAX_NESTING + 1) + "1" + "}" * (MAX_NESTING + 1), False),
        ('{"a": "' + "{[" * MAX_NESTING + '"}', True),
    ],
    ids=lambda value: str(value)[:40],
)
def test_integers_are_of_64_bits_and_nesting_has_its_limit(
    strict: StrictWorld, detail: str, taken: bool
) -> None:
    # "PutEvents" in the API Reference; moto checks neither.
    bus = Bus(strict)
    answer = bus.put_one(detail)
    if taken:
        assert json.loads(bus.texts()[0])["detail"] == json.loads(detail)
    else:
        assert answer == "MalformedDetail"


@pytest.mark.parametrize(("name", "most"), [("Source", MAX_SOURCE), ("DetailType", MAX_DETAIL_TYPE)])
def test_source_and_detail_type_have_a_longest_length(world: World, name: str, most: int) -> None:
    # "PutEventsRequestEntry" in the API Reference; the source's is that of EventBridge's schema registry.
    bus = Bus(world)
    assert "Entries" in bus.put_one(**{name: "s" * most})
    only_aws_refuses(world, bus.put_one(**{name: "s" * (most + 1)}), "InvalidArgument")


def test_a_call_takes_one_to_ten_entries(world: World) -> None:
    bus = Bus(world)
    assert bus.put(*[bus.entry()] * 10)["FailedEntryCount"] == 0
    assert bus.put(*[bus.entry()] * 11) == "ValidationException"
    with pytest.raises(ParamValidationError):
        bus.put()
    assert len(bus.events()) == 10


def test_a_call_without_entries_that_botocore_did_not_stop_is_refused(strict: StrictWorld) -> None:
    with pytest.raises(AWSError, match="ValidationException"):
        strict.events.call("PutEvents", {"Entries": []})


def test_the_entries_of_a_call_stay_under_a_mebibyte_together(strict: StrictWorld) -> None:
    # "Calculating PutEvents event entry size" in the user guide; moto knows no size.
    bus = Bus(strict)
    fixed = bus.entry('{"t":""}')
    half = (MAX_ENTRIES_BYTES - 2 * entry_size(fixed)) // 2
    one, other = bus.entry(json.dumps({"t": "x" * half})), bus.entry(json.dumps({"t": "x" * (half - 2)}))
    one["Detail"], other["Detail"] = one["Detail"].replace(": ", ":"), other["Detail"].replace(": ", ":")
    assert entry_size(one) + entry_size(other) == MAX_ENTRIES_BYTES - 2
    assert bus.put(one, other)["FailedEntryCount"] == 0
    assert bus.put(one, other | {"Resources": ["é"]}) == "ValidationException"
    assert bus.put(one, other | {"Time": NOW}) == "ValidationException"
    assert len(strict.events.accepted[bus.arn]) == 2


def test_the_size_of_an_entry_is_that_of_its_parts_in_utf_8() -> None:
    entry = {"Source": "sé", "DetailType": "T", "Detail": '{"a":"🏝"}', "EventBusName": "not counted"}
    assert entry_size(entry) == 3 + 1 + 12
    assert entry_size(entry | {"Time": NOW, "Resources": ["é", "xy"]}) == 16 + 14 + 4


def test_what_is_not_known_here_is_never_ignored(strict: StrictWorld) -> None:
    bus = Bus(strict)
    with pytest.raises(NotImplementedError):
        bus.put(bus.entry(TraceHeader="Root=1"))
    with pytest.raises(NotImplementedError):
        bus.client.list_rules()


# ── patterns ─────────────────────────────────────────────────────────────────────────────────────────────

EVENT: dict[str, Any] = {
    "source": "bookings",
    "detail-type": "BookingCreated",
    "detail": {"n": 5, "f": 2.5, "none": None, "yes": True, "tags": ["a", "b"], "in": {"x": "Y"}},
}
PATTERNS = [
    ({"source": ["bookings"]}, True),
    ({"source": ["x", "bookings"]}, True),
    ({"source": ["booking"]}, False),
    ({"source": ["bookings"], "detail-type": ["BookingUpdated"]}, False),
    ({"source": [{"prefix": "book"}]}, True),
    ({"source": [{"prefix": "x"}, "bookings"]}, True),
    ({"source": [{"prefix": "x"}]}, False),
    ({"source": [{"suffix": "ings"}]}, True),
    ({"source": [{"suffix": "x"}]}, False),
    ({"source": [{"equals-ignore-case": "BookingS"}]}, True),
    ({"source": [{"anything-but": "x"}]}, True),
    ({"source": [{"anything-but": ["x", "bookings"]}]}, False),
    ({"source": [{"anything-but": {"prefix": "book"}}]}, False),
    ({"source": [{"anything-but": {"prefix": "x"}}]}, True),
    ({"detail": {"n": [5]}}, True),
    ({"detail": {"n": ["5"]}}, False),
    ({"detail": {"n": [{"numeric": [">", 4, "<=", 5]}]}}, True),
    ({"detail": {"n": [{"numeric": [">", 5]}]}}, False),
    ({"detail": {"f": [{"numeric": ["=", 2.5]}]}}, True),
    ({"detail": {"in": {"x": ["Y"]}}}, True),
    ({"detail": {"in": {"x": ["y"]}}}, False),
    ({"detail": {"tags": ["b"]}}, True),
    ({"detail": {"tags": ["c"]}}, False),
    ({"detail": {"n": [{"exists": True}]}}, True),
    ({"detail": {"n": [{"exists": False}]}}, False),
    ({"detail": {"absent": [{"exists": True}]}}, False),
    ({"detail": {"absent": [{"exists": False}]}}, True),
    ({"absent": {"absent": [{"exists": False}]}}, True),
    ({"detail": {"absent": ["x"]}}, False),
    ({"detail": {"none": [None]}}, True),
    ({"detail": {"yes": [True]}}, True),
    ({"detail": {"yes": [1]}}, False),
]
# What moto makes of its own accord: it has no suffix and takes no operator inside anything-but.
UNKNOWN_TO_MOTO = ("suffix", "equals-ignore-case", "anything-but")


def by_moto(pattern: dict[str, Any], event: Any) -> bool:
    return EventPattern(None, pattern).matches_event(event)


@pytest.mark.parametrize(("pattern", "matching"), PATTERNS, ids=str)
def test_a_pattern_matches_as_documented(pattern: dict[str, Any], matching: bool) -> None:
    # "Event patterns" and "Comparison operators" in the user guide.
    check_pattern(pattern)
    assert matches(pattern, EVENT) is matching


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        each
        for each in PATTERNS
        if not any(operator in json.dumps(each[0]) for operator in UNKNOWN_TO_MOTO)
        and each[0] != {"detail": {"yes": [1]}}  # Python's True is 1
    ],
    ids=str,
)
def test_moto_matches_the_same(pattern: dict[str, Any], matching: bool) -> None:
    assert by_moto(pattern, EVENT) is matching


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["source", "detail-type"]),
        st.lists(
            st.sampled_from(["a", "b", {"prefix": "a"}, {"exists": True}, {"exists": False}]),
            min_size=1,
            max_size=3,
        ),
        min_size=1,
    ),
    st.dictionaries(st.sampled_from(["source", "detail-type"]), st.sampled_from(["a", "b", "ab", "c"])),
)
def test_moto_and_the_strict_bus_match_alike(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    assert matches(pattern, event) is by_moto(pattern, event)


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": [{"wildcard": "book*"}]},
        {"source": [{"cidr": "10.0.0.0/24"}]},
        {"detail": {"n": [{"anything-but": {"wildcard": "x"}}]}},
        {"$or": [{"source": ["x"]}]},
        {"source": [{"prefix": {"equals-ignore-case": "x"}}]},
    ],
    ids=str,
)
def test_an_operator_that_is_not_known_here_never_matches_in_silence(pattern: dict[str, Any]) -> None:
    bus = EventBridge(lambda: NOW)
    bus.create_event_bus("bookings")
    with pytest.raises(NotImplementedError):
        bus.put_rule("bookings", "rule", pattern, "arn:aws:sqs:us-east-1:123456789012:q")
    if "$or" not in pattern:
        with pytest.raises(NotImplementedError):
            matches(pattern, EVENT)


@pytest.mark.parametrize("pattern", [{}, {"source": []}, {"source": "bookings"}, {"detail": {}}], ids=str)
def test_what_is_no_pattern_is_refused(pattern: dict[str, Any]) -> None:
    bus = EventBridge(lambda: NOW)
    bus.create_event_bus("bookings")
    with pytest.raises(AWSError, match="InvalidEventPatternException"):
        bus.put_rule("bookings", "rule", pattern, "arn:aws:sqs:us-east-1:123456789012:q")


@pytest.mark.parametrize("template", ["template.yaml", "examples/subscriber/template.yaml"])
def test_the_patterns_of_our_templates_are_known(template: str) -> None:
    resources = yaml_parse((ROOT / template).read_text())["Resources"]
    patterns = [
        resource["Properties"]["EventPattern"]
        for resource in resources.values()
        if "EventPattern" in resource.get("Properties", {})
    ]
    assert patterns
    for pattern in patterns:
        check_pattern(pattern)
        source, *_ = pattern["source"]
        event = {"source": source, "detail-type": pattern.get("detail-type", ["any"])[0]}
        assert matches(pattern, event)
        assert not matches(pattern, event | {"source": source + ".other"})


def test_a_bus_that_is_not_there_has_no_rules() -> None:
    with pytest.raises(AWSError, match="ResourceNotFoundException"):
        EventBridge(lambda: NOW).put_rule("none", "rule", {"source": ["x"]}, "arn")

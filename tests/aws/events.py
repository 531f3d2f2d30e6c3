"""A strict EventBridge: buses, rules, and what PutEvents takes and refuses.

Rules: "PutEvents" in the Amazon EventBridge API Reference; "Calculating PutEvents event entry size", "Events
structure" and "Event patterns" in the user guide; read in November 2026. When an accepted event reaches a
target, and how often, is for the caller to decide: `EventBridge.deliver` is told of each match.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from tests.aws.account import ACCOUNT, REGION, counted_uuid
from tests.aws.errors import AWSError

MAX_ENTRIES = 10
MAX_ENTRIES_BYTES = 1_048_576  # the entries of a call together stay under it
MAX_SOURCE = 256
MAX_DETAIL_TYPE = 128
MAX_NESTING = 1000
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1
_TIME_BYTES = 14
_REMEMBERED_LENGTH = 16_384

_SERVICE_NUMBER = 3
_BUS_NAME = re.compile(r"[.\-_A-Za-z0-9]{1,256}")
_ENTRY_FIELDS = {"Time", "Source", "Resources", "DetailType", "Detail", "EventBusName"}
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')

type Pattern = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """An accepted event.

    Attributes:
        fields: in EventBridge's own form; not to be changed.
        text: what a queue gets that is a rule's target.
    """

    fields: Mapping[str, Any]
    text: str

    @property
    def id(self) -> str:
        return str(self.fields["id"])


@dataclass(frozen=True, slots=True)
class Rule:
    bus_arn: str
    name: str
    pattern: Pattern
    target_arn: str


class Refused(Exception):
    """One entry is refused, while others may be taken."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class EventBridge:
    """Keeps buses and their rules.

    Attributes:
        accepted: events by the ARN of their bus, the oldest first.
        dropped: events for a bus that isn't there. EventBridge answers as if it had taken them.
        deliver: is told of each accepted event and each rule that matches it.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._rules: dict[str, list[Rule]] = {}
        self._events = 0
        self.accepted: dict[str, list[Event]] = {}
        self.dropped: list[Event] = []
        self.deliver: Callable[[Event, Rule], None] = lambda _event, _rule: None

    def create_event_bus(self, name: str) -> str:
        arn = bus_arn(name)
        if not _BUS_NAME.fullmatch(name):
            raise AWSError("ValidationException", "The event bus's name is not valid.")
        if arn in self._rules:
            raise AWSError("ResourceAlreadyExistsException", f"Event bus {name} already exists.")
        self._rules[arn] = []
        self.accepted[arn] = []
        return arn

    def delete_event_bus(self, arn: str) -> None:
        """Takes the bus away with its rules; what it accepted can still be looked at."""
        del self._rules[arn]

    def put_rule(self, bus: str, name: str, pattern: Pattern, target_arn: str) -> Rule:
        """Makes a rule with one target.

        Raises:
            AWSError: the bus isn't there, or the pattern is none.
            NotImplementedError: the pattern has an operator that isn't known here.
        """
        arn = bus_arn(bus)
        if arn not in self._rules:
            raise AWSError("ResourceNotFoundException", f"Event bus {bus} does not exist.")
        check_pattern(pattern)
        rule = Rule(arn, name, pattern, target_arn)
        self._rules[arn] = [each for each in self._rules[arn] if each.name != name] + [rule]
        return rule

    def call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Answers PutEvents.

        Raises:
            AWSError: the call is refused as a whole.
            NotImplementedError: for an operation or a parameter beyond what is needed here.
        """
        if operation != "PutEvents" or parameters.keys() != {"Entries"}:
            raise NotImplementedError(f"{operation} with {sorted(parameters)}")
        entries: Sequence[Mapping[str, Any]] = parameters["Entries"]
        if not 1 <= len(entries) <= MAX_ENTRIES:
            raise AWSError(
                "ValidationException",
                "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must "
                f"have length between 1 and {MAX_ENTRIES}",
            )
        if sum(map(entry_size, entries)) >= MAX_ENTRIES_BYTES:
            raise AWSError(
                "ValidationException", "Total size of the entries in the request is over the limit."
            )
        results = [self._put(entry) for entry in entries]
        failed = sum("ErrorCode" in result for result in results)
        return {"FailedEntryCount": failed, "Entries": results}

    def _put(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        if not entry.keys() <= _ENTRY_FIELDS:
            raise NotImplementedError(f"PutEvents with {sorted(entry)}")
        try:
            detail, written = check_entry(entry)
        except Refused as refusal:
            return {"ErrorCode": refusal.code, "ErrorMessage": refusal.message}
        self._events += 1
        event = self._event(entry, detail, written)
        arn = bus_arn(entry.get("EventBusName", "default"))
        rules = self._rules.get(arn)
        if rules is None:
            self.dropped.append(event)
        else:
            self.accepted[arn].append(event)
            for rule in rules:
                if matches(rule.pattern, event.fields):
                    self.deliver(event, rule)
        return {"EventId": event.id}

    def _event(self, entry: Mapping[str, Any], detail: dict[str, Any], written: str) -> Event:
        at: datetime = entry.get("Time") or self._now()
        fields: dict[str, Any] = {
            "version": "0",
            "id": counted_uuid(_SERVICE_NUMBER, self._events),
            "detail-type": entry["DetailType"],
            "source": entry["Source"],
            "account": ACCOUNT,
            "time": _time_text(at),
            "region": REGION,
            "resources": list(entry.get("Resources", ())),
        }
        text = f'{_compact(fields)[:-1]},"detail":{written}}}'
        fields["detail"] = detail
        return Event(fields, text)


def bus_arn(name_or_arn: str) -> str:
    if name_or_arn.startswith("arn:"):
        return name_or_arn
    return f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{name_or_arn}"


def _time_text(at: datetime) -> str:
    return f"{at.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat()}Z"


_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


# ── what an entry may be ─────────────────────────────────────────────────────────────────────────────────


def entry_size(entry: Mapping[str, Any]) -> int:
    """Returns the size of an entry in bytes, by the formula of the user guide."""
    size = _TIME_BYTES if entry.get("Time") is not None else 0
    for name in ("Source", "DetailType", "Detail"):
        text = entry.get(name)
        if text is not None:
            size += _bytes(text)
    return size + sum(map(_bytes, entry.get("Resources", ())))


def check_entry(entry: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Returns an entry's detail, parsed, and written again as EventBridge does.

    Raises:
        Refused: EventBridge fails an entry like this one.
    """
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            raise Refused(
                "InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument."
            )
    for name, most in (("Source", MAX_SOURCE), ("DetailType", MAX_DETAIL_TYPE)):
        if len(entry[name]) > most:
            raise Refused(
                "InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is over {most} characters."
            )
    detail = entry["Detail"]
    return _detail_seen_before(detail) if len(detail) <= _REMEMBERED_LENGTH else _detail(detail)


def _detail(text: str) -> tuple[dict[str, Any], str]:
    try:
        if text.count("{") + text.count("[") > MAX_NESTING and _nesting(text) > MAX_NESTING:
            raise ValueError
        detail = _decoder.decode(text)
        if not isinstance(detail, dict):
            raise Refused("MalformedDetail", "Detail is no JSON object.")
        written = _compact(detail)
        written.encode()  # an escaped half of a surrogate pair is no text
    except (ValueError, RecursionError):
        raise Refused("MalformedDetail", "Detail is malformed.") from None
    return detail, written


# Retries and replays publish the same text again and again.
_detail_seen_before = lru_cache(maxsize=1024)(_detail)


def _integer(text: str) -> int:
    number = int(text)
    if not MIN_INTEGER <= number <= MAX_INTEGER:
        raise ValueError(text)
    return number


def _float(text: str) -> float:
    """A number that is infinite as a double is refused; what EventBridge makes of one isn't documented."""
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number


def _constant(text: str) -> float:
    raise ValueError(text)  # NaN, Infinity: Python's own, not JSON


_decoder = json.JSONDecoder(parse_int=_integer, parse_float=_float, parse_constant=_constant)


def _nesting(text: str) -> int:
    deepest = depth = 0
    for token in _BRACKETS.findall(text):
        if token in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token in "]}":
            depth -= 1
    return deepest


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


# ── patterns ─────────────────────────────────────────────────────────────────────────────────────────────


def matches(pattern: Pattern, event: Mapping[str, Any]) -> bool:
    """Returns whether an event, in EventBridge's form, matches a pattern.

    Raises:
        NotImplementedError: the pattern has an operator that isn't known here.
    """
    for name, wanted in pattern.items():
        found = event.get(name, _ABSENT)
        if isinstance(wanted, Mapping):
            if not matches(wanted, found if isinstance(found, Mapping) else {}):
                return False
        elif not any(_meets(each, found) for each in wanted):
            return False
    return True


def check_pattern(pattern: Pattern) -> None:
    """Refuses what is no pattern.

    Raises:
        AWSError: InvalidEventPatternException.
        NotImplementedError: it has an operator that isn't known here.
    """
    if not pattern:
        raise _no_pattern("it is empty")
    for name, wanted in pattern.items():
        if isinstance(wanted, Mapping):
            if name == "$or":
                raise NotImplementedError("$or")
            check_pattern(wanted)
        elif not isinstance(wanted, list) or not wanted:
            raise _no_pattern(f"{name} must be an object or an array that is not empty")
        else:
            if name == "$or":
                raise NotImplementedError("$or")
            for each in wanted:
                _meets(each, _ABSENT)


_ABSENT = object()


def _meets(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, Mapping):
        ((operator, operand),) = wanted.items()
        test = _OPERATORS.get(operator)
        if test is None:
            raise NotImplementedError(f"the pattern's operator {operator}")
        if operator == "exists":
            return (found is not _ABSENT and not isinstance(found, Mapping)) is operand
        leaves = _leaves(found)
        if not leaves:
            test(operand, 0)  # an operand that isn't known is told even where there is nothing to compare
            return False
        return any(test(operand, value) for value in leaves)
    return any(_same(wanted, value) for value in _leaves(found))


def _leaves(found: Any) -> list[Any]:
    """Returns the values to compare: of an array each, of an object or of nothing none."""
    if found is _ABSENT or isinstance(found, Mapping):
        return []
    return found if isinstance(found, list) else [found]


def _same(wanted: Any, value: Any) -> bool:
    """Compares as EventBridge does: by the JSON text, so that 300 is not 300.0."""
    return type(wanted) is type(value) and bool(wanted == value)


def _prefix(operand: Any, value: Any) -> bool:
    _must_be_text(operand)
    return isinstance(value, str) and value.startswith(operand)


def _suffix(operand: Any, value: Any) -> bool:
    _must_be_text(operand)
    return isinstance(value, str) and value.endswith(operand)


def _equals_ignore_case(operand: Any, value: Any) -> bool:
    _must_be_text(operand)
    return isinstance(value, str) and value.lower() == operand.lower()


def _anything_but(operand: Any, value: Any) -> bool:
    if isinstance(operand, Mapping):
        return not _meets(operand, value)
    return not any(_same(each, value) for each in (operand if isinstance(operand, list) else [operand]))


def _numeric(operand: Any, value: Any) -> bool:
    if not _COMPARISONS.keys() >= set(operand[::2]):
        raise NotImplementedError(f"a pattern's numeric with {operand!r}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return all(
        _COMPARISONS[comparison](value, bound)
        for comparison, bound in zip(operand[::2], operand[1::2], strict=True)
    )


def _must_be_text(operand: Any) -> None:
    if not isinstance(operand, str):
        raise NotImplementedError(f"a pattern's operator with {operand!r}")


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "exists": lambda _operand, _value: True,
}

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


def _no_pattern(reason: str) -> AWSError:
    return AWSError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {reason}")

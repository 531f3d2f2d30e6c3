"""A strict DynamoDB: tables with conditional writes, an index, a stream and a TTL.

Rules: "Service, account, and table quotas", "Item sizes and formats", "Naming rules and data types", "Change
data capture for DynamoDB Streams" and "Time to Live" in the Amazon DynamoDB Developer Guide, and its API
Reference, read in November 2026.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

from tests.aws import expressions
from tests.aws.account import ACCOUNT, REGION, counted_uuid
from tests.aws.errors import AWSError
from tests.aws.expressions import Both, Comparison, Condition, Item, Path, Placeholder, Value

MAX_ITEM_BYTES = 400 * 1024
MAX_PAGE_BYTES = 1024 * 1024  # of what a Scan or a Query looks at
MAX_PARTITION_KEY_BYTES = 2048
MAX_SORT_KEY_BYTES = 1024
MAX_NAME_BYTES = 65_535
MAX_NESTING = 32  # levels of lists and maps
MAX_NUMBER_DIGITS = 38
MAX_BATCH_KEYS = 100
_LARGEST_EXPONENT, _SMALLEST_EXPONENT = 125, -130
_TTL_FORGOTTEN_SECONDS = 5 * 365 * 86_400  # what expired longer ago is not deleted

_SERVICE_NUMBER = 4
_FIRST_SEQUENCE_NUMBER = 100_000_000_000_000_000_000
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_EXACT = Context(prec=200, Emax=999_999, Emin=-999_999)

_EXPRESSION_PARAMETERS = {"ExpressionAttributeNames", "ExpressionAttributeValues"}
_CONDITIONAL = {
    *("TableName", "ConditionExpression", "ReturnValues", "ReturnValuesOnConditionCheckFailure"),
    *_EXPRESSION_PARAMETERS,
}
_READ = {"TableName", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames"}
_PAGED = _READ | {"Limit", "ExclusiveStartKey"}


# The method and the parameters of each operation.
_OPERATIONS: dict[str, tuple[str, set[str]]] = {
    "PutItem": ("_put", _CONDITIONAL | {"Item"}),
    "DeleteItem": ("_delete", _CONDITIONAL | {"Key"}),
    "GetItem": ("_get", _READ | {"Key"}),
    "BatchGetItem": ("_batch_get", {"RequestItems"}),
    "Scan": ("_scan", _PAGED),
    "Query": (
        "_query",
        _PAGED | {"IndexName", "KeyConditionExpression", "ExpressionAttributeValues", "ScanIndexForward"},
    ),
}


class _Stored:
    """An item as it is kept, never changed: a write replaces it.

    Attributes:
        image: the item as Lambda shows it in a stream record, binary values in base64.
        size: in bytes, as DynamoDB counts.
    """

    __slots__ = ("image", "item", "size")

    def __init__(self, item: Item) -> None:
        self.item, self.image, self.size = _taken_members(item, 0)


class _Table:
    def __init__(
        self, name: str, key: str, index_name: str, index_keys: tuple[str, str] | None, ttl: str | None
    ) -> None:
        self.name = name
        self.key = key
        self.index_name = index_name
        self.index_keys = index_keys
        self.ttl = ttl
        self.items: dict[str, _Stored] = {}
        self.stream: list[dict[str, Any]] = []
        self.stream_arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}/stream/2026-11-22T00:00:00.000"

    def key_of(self, key: Mapping[str, Any]) -> str:
        """Returns the value of a key that a call names."""
        if key.keys() != {self.key} or key[self.key].keys() != {"S"}:
            raise _invalid("The provided key element does not match the schema")
        text: str = key[self.key]["S"]
        _check_key(self.key, text, MAX_PARTITION_KEY_BYTES)
        return text

    def check_keys(self, item: Item) -> str:
        """Returns the value of an item's key, after the index's keys were checked."""
        value = item.get(self.key)
        if value is None:
            raise _bad_values(f"Missing the key {self.key} in the item")
        if "S" not in value:
            raise _bad_values(f"Type mismatch for key {self.key} expected: S actual: {next(iter(value))}")
        _check_key(self.key, value["S"], MAX_PARTITION_KEY_BYTES)
        if self.index_keys is not None:
            for name, most in zip(
                self.index_keys, (MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES), strict=True
            ):
                indexed = item.get(name)
                if indexed is None:
                    continue
                if "S" not in indexed:
                    raise _bad_values(
                        f"Type mismatch for Index Key {name} Expected: S Actual: {next(iter(indexed))} "
                        f"IndexName: {self.index_name}"
                    )
                _check_key(name, indexed["S"], most, index=self.index_name)
        return str(value["S"])


class DynamoDB:
    """Keeps tables, each with a stream of its new and old images."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._tables: dict[str, _Table] = {}
        self._changes = 0

    # ── making tables and looking into them: not by DynamoDB's API ───────────────────────────────────────

    def create_table(
        self,
        name: str,
        *,
        key: str = "booking_id",
        index_keys: tuple[str, str] | None = ("host_user_id", "start"),
        index_name: str = "by_host",
        ttl: str | None = "expires_at",
    ) -> None:
        """Makes a table; its key and the index's are strings, and the index holds keys only."""
        if name in self._tables:
            raise AWSError("ResourceInUseException", f"Table already exists: {name}")
        self._tables[name] = _Table(name, key, index_name, index_keys, ttl)

    def items(self, table: str) -> dict[str, Item]:
        """Returns the items by their key; they are not to be changed."""
        return {key: stored.item for key, stored in self._table(table).items.items()}

    def stream(self, table: str) -> list[dict[str, Any]]:
        """Returns every change so far, in order, as Lambda hands it over; the list grows with the table."""
        return self._table(table).stream

    def expire(self, table: str) -> int:
        """Deletes the items whose time to live is over, as DynamoDB does later; says how many."""
        at_work = self._table(table)
        if at_work.ttl is None:
            return 0
        now = self._now()
        seconds = now.timestamp()
        over = [
            key
            for key, stored in at_work.items.items()
            if (lives_until := stored.item.get(at_work.ttl, {}).get("N")) is not None
            and seconds - _TTL_FORGOTTEN_SECONDS <= float(lives_until) <= seconds
        ]
        for key in over:
            self._replace(at_work, key, None, by_ttl=True)
        return len(over)

    # ── DynamoDB's API ───────────────────────────────────────────────────────────────────────────────────

    def call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Answers one of the operations on items.

        Raises:
            AWSError: as the service answers.
            NotImplementedError: for an operation or a parameter beyond what is needed here.
        """
        known = _OPERATIONS.get(operation)
        if known is None:
            raise NotImplementedError(operation)
        method, names = known
        for name in parameters:
            if name not in names:
                raise NotImplementedError(f"{operation} with {name}")
        answer: dict[str, Any] = getattr(self, method)(parameters)
        return answer

    def _table(self, name: str) -> _Table:
        table = self._tables.get(name)
        if table is None:
            raise AWSError("ResourceNotFoundException", "Requested resource not found")
        return table

    def _put(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        table = self._table(parameters["TableName"])
        stored = _Stored(parameters["Item"])
        if stored.size > MAX_ITEM_BYTES:
            raise _invalid("Item size has exceeded the maximum allowed size")
        return self._write(table, table.check_keys(stored.item), stored, parameters)

    def _delete(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        table = self._table(parameters["TableName"])
        return self._write(table, table.key_of(parameters["Key"]), None, parameters)

    def _write(
        self, table: _Table, key: str, stored: _Stored | None, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        returned = parameters.get("ReturnValues", "NONE")
        if returned not in ("NONE", "ALL_OLD"):
            raise _invalid("Return values set to invalid value")
        condition, names, values = _condition(parameters, "ConditionExpression")
        before = table.items.get(key)
        if condition is not None and not condition.root.holds(before.item if before else {}, names, values):
            told = before is not None and parameters.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            raise AWSError(
                "ConditionalCheckFailedException",
                "The conditional request failed",
                extra={"Item": dict(before.item)} if before is not None and told else {},
            )
        self._replace(table, key, stored)
        return {"Attributes": dict(before.item)} if before is not None and returned == "ALL_OLD" else {}

    def _replace(self, table: _Table, key: str, after: _Stored | None, *, by_ttl: bool = False) -> None:
        """Makes the change and its stream record; what changes nothing has none ("Change data capture")."""
        before = table.items.get(key)
        if after is not None:
            table.items[key] = after
        elif before is not None:
            del table.items[key]
        if (before and before.item) == (after and after.item):
            return
        self._changes += 1
        change: dict[str, Any] = {
            "ApproximateCreationDateTime": float(int(self._now().timestamp())),
            "Keys": {table.key: {"S": key}},
            "SequenceNumber": str(_FIRST_SEQUENCE_NUMBER + self._changes),
            "SizeBytes": _bytes(table.key) + _bytes(key),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        }
        for name, stored in (("OldImage", before), ("NewImage", after)):
            if stored is not None:
                change[name] = stored.image
                change["SizeBytes"] += stored.size
        record: dict[str, Any] = {
            "eventID": counted_uuid(_SERVICE_NUMBER, self._changes).replace("-", ""),
            "eventName": "INSERT" if before is None else "REMOVE" if after is None else "MODIFY",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": REGION,
            "dynamodb": change,
            "eventSourceARN": table.stream_arn,
        }
        if by_ttl:
            record["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
        table.stream.append(record)

    def _get(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        table = self._table(parameters["TableName"])
        projected = _projection(parameters)
        stored = table.items.get(table.key_of(parameters["Key"]))
        return {"Item": projected(stored.item)} if stored else {}

    def _batch_get(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        requested = parameters["RequestItems"]
        if not requested or any(not wanted["Keys"] for wanted in requested.values()):
            raise _invalid("The batch is empty")
        if sum(len(wanted["Keys"]) for wanted in requested.values()) > MAX_BATCH_KEYS:
            raise _invalid("Too many items requested for the BatchGetItem call")
        responses: dict[str, list[dict[str, Value]]] = {}
        for name, wanted in requested.items():
            if wanted.keys() - {"Keys", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames"}:
                raise NotImplementedError(f"BatchGetItem with {sorted(wanted)}")
            table = self._table(name)
            projected = _projection(wanted)
            keys = [table.key_of(key) for key in wanted["Keys"]]
            if len(set(keys)) < len(keys):
                raise _invalid("Provided list of item keys contains duplicates")
            responses[name] = [projected(table.items[key].item) for key in keys if key in table.items]
        return {"Responses": responses, "UnprocessedKeys": {}}

    def _scan(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Reads in an order that is nobody's but always the same, as that of hashed keys is."""
        table = self._table(parameters["TableName"])
        projected = _projection(parameters)
        start = parameters.get("ExclusiveStartKey")
        after = _hashed(table.key_of(start)) if start is not None else ""
        keys = sorted((key for key in table.items if _hashed(key) > after), key=_hashed)
        page, last = _page(((key, table.items[key]) for key in keys), parameters.get("Limit"))
        answer = _found([projected(stored.item) for _, stored in page], scanned=len(page))
        if last:
            answer["LastEvaluatedKey"] = {table.key: {"S": page[-1][0]}}
        return answer

    def _query(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        table = self._table(parameters["TableName"])
        index = parameters.get("IndexName")
        if index is None:
            hash_key, sort_key = table.key, None
        elif index == table.index_name and table.index_keys is not None:
            hash_key, sort_key = table.index_keys
            if parameters.get("ConsistentRead"):
                raise _invalid("Consistent reads are not supported on global secondary indexes")
        else:
            raise _invalid(f"The table does not have the specified index: {index}")
        condition, names, values = _condition(parameters, "KeyConditionExpression", "ProjectionExpression")
        if condition is None:
            raise _invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified")
        _check_key_condition(condition, names, hash_key, sort_key)
        projected = _projection(parameters, used_elsewhere=condition.names)
        all_of_index = {table.key, hash_key, *([sort_key] if sort_key else [])}

        def place(key: str) -> tuple[bytes, str]:
            item = table.items[key].item
            return (item[sort_key]["S"].encode() if sort_key else b"", _hashed(key))

        found = [
            key
            for key, stored in table.items.items()
            if (sort_key is None or (hash_key in stored.item and sort_key in stored.item))
            and condition.root.holds(stored.item, names, values)
        ]
        backward = not parameters.get("ScanIndexForward", True)
        found.sort(key=place, reverse=backward)
        start = parameters.get("ExclusiveStartKey")
        if start is not None:
            if start.keys() != all_of_index:
                raise _invalid("The provided starting key is invalid")
            at = (start[sort_key]["S"].encode() if sort_key else b"", _hashed(start[table.key]["S"]))
            found = [key for key in found if (place(key) < at if backward else place(key) > at)]
        page, last = _page(((key, table.items[key]) for key in found), parameters.get("Limit"))
        rows = [stored.item for _, stored in page]
        if index is not None:
            rows = [{name: row[name] for name in all_of_index} for row in rows]
        answer = _found([projected(row) for row in rows], scanned=len(page))
        if last:
            answer["LastEvaluatedKey"] = {name: page[-1][1].item[name] for name in sorted(all_of_index)}
        return answer


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────


def taken(value: Any, depth: int = 0) -> tuple[Value, Value, int]:  # noqa: PLR0911 - one a type
    """Returns a value as it is kept, the same as Lambda shows it, and its size in bytes.

    Raises:
        AWSError: ValidationException.
    """
    if len(value) != 1:
        raise _invalid("An attribute value must contain exactly one of the supported data types")
    ((kind, content),) = value.items()
    match kind:
        case "S":
            kept: Value = {"S": content}
            return kept, kept, _bytes(content)
        case "M":
            _check_depth(depth + 1)
            members, shown, size = _taken_members(content, depth + 1)
            kept = {"M": members}
            return kept, kept if shown is members else {"M": shown}, size + 3 + len(content)
        case "N":
            text, size = number(content)
            kept = {"N": text}
            return kept, kept, size
        case "BOOL" | "NULL":
            if kind == "NULL" and content is not True:
                raise _bad_values("Null attribute value types must have the value of true")
            kept = {kind: content}
            return kept, kept, 1
        case "B":
            content = bytes(content)
            return {"B": content}, {"B": base64.b64encode(content).decode()}, len(content)
        case "L":
            return _taken_list(content, depth + 1)
        case "SS" | "NS" | "BS":
            return _taken_set(kind, content)
        case _:
            raise _invalid("An attribute value must contain exactly one of the supported data types")


def _taken_members(content: Mapping[str, Any], depth: int) -> tuple[dict[str, Value], dict[str, Value], int]:
    """Does the same for an item or a map; without binary values inside it is kept as it is shown."""
    kept: dict[str, Value] = {}
    shown: dict[str, Value] = {}
    total = 0
    for name, value in content.items():
        text = value.get("S")
        if text is not None and len(value) == 1:  # most values are texts, and this runs millions of times
            kept[name] = {"S": text}
            total += len(text) if text.isascii() else len(text.encode())
        else:
            kept[name], other, size = taken(value, depth)
            if other is not kept[name]:
                shown[name] = other
            total += size
        total += len(name) if name.isascii() else len(name.encode())
    return kept, kept | shown if shown else kept, total


def _taken_list(content: Sequence[Any], depth: int) -> tuple[Value, Value, int]:
    _check_depth(depth)
    members = [taken(inner, depth) for inner in content]
    kept = {"L": [one for one, _, _ in members]}
    shown = kept
    if any(other is not one for one, other, _ in members):
        shown = {"L": [other for _, other, _ in members]}
    return kept, shown, 3 + len(members) + sum(size for _, _, size in members)


def _taken_set(kind: str, content: Sequence[Any]) -> tuple[Value, Value, int]:
    if not content:
        raise _bad_values("An number set  may not be empty" if kind == "NS" else "A set may not be empty")
    members = [taken({kind[0]: member}) for member in content]
    kept = sorted(one[kind[0]] for one, _, _ in members)
    if len(set(kept)) < len(kept):
        raise _bad_values(f"Input collection {content} contains duplicates.")
    shown = sorted(other[kind[0]] for _, other, _ in members)
    return {kind: kept}, {kind: shown}, sum(size for _, _, size in members)


def _check_depth(depth: int) -> None:
    if depth > MAX_NESTING:
        raise _invalid("Nesting Levels have exceeded supported limits")


@lru_cache(maxsize=65_536)
def number(text: str) -> tuple[str, int]:
    """Returns a number without leading and trailing zeros, as DynamoDB gives it back, and its size.

    Raises:
        AWSError: ValidationException.
    """
    if not _NUMBER.fullmatch(text):
        raise _invalid(f"The parameter cannot be converted to a numeric value: {text}")
    value = _EXACT.normalize(Decimal(text))
    digits = len(value.as_tuple().digits)
    if not value:
        return "0", 2
    if digits > MAX_NUMBER_DIGITS:
        raise _invalid("Attempting to store more than 38 significant digits in a Number")
    if value.adjusted() > _LARGEST_EXPONENT:
        raise _invalid(
            "Number overflow. Attempting to store a number with magnitude larger than supported range"
        )
    if value.adjusted() < _SMALLEST_EXPONENT:
        raise _invalid(
            "Number underflow. Attempting to store a number with magnitude smaller than supported range"
        )
    return format(value, "f"), (digits + 1) // 2 + 1 + (value < 0)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _check_key(name: str, text: str, most: int, *, index: str | None = None) -> None:
    where = f" IndexName: {index}, IndexKey: {name}" if index else f" Key: {name}"
    if not text:
        raise AWSError(
            "ValidationException",
            f"One or more parameter values are not valid. A key attribute can't be an empty string.{where}",
        )
    if _bytes(text) > most:
        raise _bad_values(f"Size of a key has exceeded the maximum size limit of {most} bytes.{where}")


# ── expressions ──────────────────────────────────────────────────────────────────────────────────────────


def _condition(
    parameters: Mapping[str, Any], parameter: str, *others: str
) -> tuple[Condition | None, Mapping[str, str], Mapping[str, Value]]:
    """Returns the condition of a call, and the names and values it comes with."""
    text = parameters.get(parameter)
    names: Mapping[str, str] = parameters.get("ExpressionAttributeNames", {})
    given: Mapping[str, Any] = parameters.get("ExpressionAttributeValues", {})
    for name in _EXPRESSION_PARAMETERS & parameters.keys():
        if text is None and not any(other in parameters for other in others):
            raise _invalid(f"{name} can only be specified when using expressions: {parameter} is null")
        if not parameters[name]:
            raise _invalid(f"{name} must not be empty")
    if text is None:
        return None, names, {}
    try:
        condition = expressions.parse(text)
    except expressions.Invalid as error:
        raise _invalid(f"Invalid {parameter}: {error}") from None
    if condition.values != given.keys():
        _complain(parameter, "value", "ExpressionAttributeValues", condition.values, set(given))
    if not others and condition.names != names.keys():
        _complain(parameter, "name", "ExpressionAttributeNames", condition.names, set(names))
    return condition, names, {name: taken(value)[0] for name, value in given.items()}


def _complain(parameter: str, what: str, given_by: str, used: frozenset[str], given: set[str]) -> None:
    missing, unused = sorted(used - given), sorted(given - used)
    if missing:
        raise _invalid(
            f"Invalid {parameter}: An expression attribute {what} used in expression is not defined; "
            f"attribute {what}: {missing[0]}"
        )
    raise _invalid(f"Value provided in {given_by} unused in expressions: keys: {{{', '.join(unused)}}}")


def _projection(
    parameters: Mapping[str, Any], used_elsewhere: frozenset[str] = frozenset()
) -> Callable[[Item], dict[str, Value]]:
    text = parameters.get("ProjectionExpression")
    names: Mapping[str, str] = parameters.get("ExpressionAttributeNames", {})
    if text is None:
        if names and not used_elsewhere:
            raise _invalid("ExpressionAttributeNames can only be specified when using expressions")
        if used_elsewhere != names.keys():
            _complain("ProjectionExpression", "name", "ExpressionAttributeNames", used_elsewhere, set(names))
        return dict
    try:
        wanted = expressions.parse_projection(text)
    except expressions.Invalid as error:
        raise _invalid(f"Invalid ProjectionExpression: {error}") from None
    used = frozenset(name for name in wanted if name.startswith("#")) | used_elsewhere
    if used != names.keys():
        _complain("ProjectionExpression", "name", "ExpressionAttributeNames", used, set(names))
    attributes = [names.get(name, name) for name in wanted]
    return lambda item: {name: item[name] for name in attributes if name in item}


def _check_key_condition(
    condition: Condition, names: Mapping[str, str], hash_key: str, sort_key: str | None
) -> None:
    """Refuses a condition that is not one value of the first key and, if at all, a range of the second."""
    parts = [condition.root]
    if isinstance(condition.root, Both):
        parts = [condition.root.left, condition.root.right]
    compared: dict[str, str] = {}
    for part in parts:
        match part:
            case Comparison(comparator, Path((str(step),)), Placeholder()) if comparator != "<>":
                compared[names.get(step, step)] = comparator
            case _:
                raise _invalid("Invalid KeyConditionExpression: an operator that is not supported")
    if compared.pop(hash_key, None) != "=":
        raise _invalid(f"Query condition missed key schema element: {hash_key}")
    if compared.keys() - {sort_key} or len(parts) > 1 + len(compared):
        raise _invalid("Query key condition not supported")


def _page(found: Iterator[tuple[str, _Stored]], limit: int | None) -> tuple[list[tuple[str, _Stored]], bool]:
    """Returns what one answer has room for, and whether it stopped before the end."""
    if limit is not None and limit < 1:
        raise _invalid("Limit must be greater than or equal to 1")
    page: list[tuple[str, _Stored]] = []
    size = 0
    for each in found:
        size += each[1].size
        if size > MAX_PAGE_BYTES:
            return page, True
        page.append(each)
        if len(page) == limit:  # it stops without a look at whether more follows
            return page, True
    return page, False


def _found(rows: list[dict[str, Value]], *, scanned: int) -> dict[str, Any]:
    return {"Items": rows, "Count": len(rows), "ScannedCount": scanned}


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _invalid(message: str) -> AWSError:
    return AWSError("ValidationException", message)


def _bad_values(message: str) -> AWSError:
    return _invalid(f"One or more parameter values were invalid: {message}")

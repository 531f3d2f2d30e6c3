"""Reads the body of a delivery: JSON that every service on its way accepts, or a clear refusal."""

import hashlib
import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from bookings.errors import BookingsError
from bookings.limits import INT64_MAX, INT64_MIN, MAX_NESTING

_LONGEST_INT64 = len(str(INT64_MIN))  # characters
_TOO_DEEP = f"the body is nested more than {MAX_NESTING} levels deep"

# SQS refuses these: control characters other than tab, LF and CR, surrogates, U+FFFE and U+FFFF. EventBridge
# may unescape a character on the way to a queue.
_REFUSED_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

# The escapes that can stand for one of these, and some that don't. As JSON has no raw control characters and
# UTF-8 no surrogates, only U+FFFE and U+FFFF can stand there unescaped, behind the bytes EF BF.
_SUSPECT_ESCAPES = re.compile(rb"\\(?:[bf]|u(?:00[01]|[dD][89a-fA-F]|[fF]{3}))")
_SUSPECT_BYTES = b"\xef\xbf"


class BodyError(BookingsError):
    """A body is no valid JSON of a delivery. The message names the rule, never the value."""


def parse_body(raw: bytes) -> dict[str, Any]:
    """Returns the object in a delivery's raw body.

    Raises:
        BodyError: the body is not UTF-8, not JSON or not an object. Or it has a repeated name, too many
            levels, a number that is too large or not finite, or a character that SQS refuses.
    """
    try:
        text = raw.decode()
        if text.startswith("\ufeff"):
            raise json.JSONDecodeError("Unexpected UTF-8 BOM (decode using utf-8-sig)", text, 0)
        value = _DECODER.decode(text)
    except UnicodeDecodeError:
        raise BodyError("the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise BodyError(f"the body is not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise BodyError(_TOO_DEEP) from None
    if not isinstance(value, dict):
        raise BodyError("the body is not a JSON object")
    # Most bodies have few objects and no such escapes, which their bytes tell; the others are looked through.
    if _may_hold_a_refused_character(raw):
        _check_all(value)
    elif raw.count(b"{") + raw.count(b"[") > MAX_NESTING and _is_too_deep(value):
        raise BodyError(_TOO_DEEP)
    return value


def canonical_json(value: Any) -> bytes:
    """Returns the canonical JSON of a value: sorted names, no white space, UTF-8.

    A number that is whole is written as an integer: `1.0`, `1e0` and `1` are the same to JSON.
    """
    return json.dumps(
        _normalised(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest(canonical: bytes) -> str:
    """Returns the SHA-256 of a body's canonical JSON, as 64 hex digits."""
    return hashlib.sha256(canonical).hexdigest()


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise BodyError("the body has a name twice in one object")
    return value


def _integer(text: str) -> int:
    # Longer ones than any 64-bit integer are not even converted.
    if len(text) > _LONGEST_INT64 or not INT64_MIN <= (value := int(text)) <= INT64_MAX:
        raise BodyError("the body has an integer beyond 64 bits")
    return value


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise BodyError("the body has a number that is not finite")
    return value


def _refuse_constant(_name: str) -> NoReturn:
    raise BodyError("the body has a number that is not finite")


# Made once: `json.loads` makes one for each call that it is given hooks.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_names,
    parse_int=_integer,
    parse_float=_float,
    parse_constant=_refuse_constant,
)


def _may_hold_a_refused_character(raw: bytes) -> bool:
    return _SUSPECT_BYTES in raw or (b"\\" in raw and _SUSPECT_ESCAPES.search(raw) is not None)


def _is_too_deep(root: dict[str, Any]) -> bool:
    level: list[Any] = [root]
    for _ in range(MAX_NESTING):
        level = [
            item
            for outer in level
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, (dict, list))
        ]
        if not level:
            return False
    return True


def _check_all(value: dict[str, Any]) -> None:
    for text, depth in _walk(value):
        if depth > MAX_NESTING:
            raise BodyError(_TOO_DEEP)
        if text is not None and _REFUSED_CHARACTERS.search(text):
            raise BodyError("the body holds a character that a queue refuses")


def _walk(root: Any) -> Iterator[tuple[str | None, int]]:
    """Yields each string, names included, and each container as None, with its depth."""
    pending = [(root, 1)]
    while pending:
        value, depth = pending.pop()
        if isinstance(value, str):
            yield value, 0
        elif isinstance(value, dict):
            yield None, depth
            for name, item in value.items():
                yield name, 0
                pending.append((item, depth + 1))
        elif isinstance(value, list):
            yield None, depth
            pending.extend((item, depth + 1) for item in value)


def _normalised(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _normalised(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_normalised(item) for item in value]
    if isinstance(value, float) and value.is_integer() and INT64_MIN <= value <= INT64_MAX:
        return int(value)
    return value

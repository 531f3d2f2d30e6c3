"""What a body must be to be used at all, once more, in other words than the product's.

Brackets are counted in the text before anything parses it, so that no depth is too deep for this.
"""

import json
import re
from typing import Any

MAX_NESTING = 32
INT64 = range(-(2**63), 2**63)
LONGEST_INTEGER = 20  # characters, the sign included

_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_CONTROLS = {chr(code) for code in range(0x20)} - {"\t", "\n", "\r"}
_REFUSED = _CONTROLS | {"\ufffe", "\uffff"} | {chr(code) for code in range(0xD800, 0xE000)}


class _Unusable(Exception):
    pass


def is_usable(body: bytes) -> bool:
    """Whether a body is an object in strict JSON that every service on its way can carry."""
    try:
        text = body.decode("utf-8", errors="strict")
    except UnicodeDecodeError:
        return False
    if text.startswith("\ufeff") or not _nested_at_most(text, MAX_NESTING):
        return False
    try:
        value = json.loads(
            text, object_pairs_hook=_pairs, parse_constant=_refuse, parse_int=_whole, parse_float=_number
        )
    except (_Unusable, ValueError):
        return False
    return isinstance(value, dict) and _carried(value)


def _nested_at_most(text: str, levels: int) -> bool:
    depth = 0
    for token in _TOKENS.findall(text):
        depth += (token in "[{") - (token in "]}") if len(token) == 1 else 0
        if depth > levels:
            return False
    return True


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len({*names}) < len(names):
        raise _Unusable
    return dict(pairs)


def _refuse(_: str) -> None:
    raise _Unusable


def _whole(text: str) -> int:
    if len(text) > LONGEST_INTEGER or int(text) not in INT64:
        raise _Unusable
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise _Unusable
    return number


def _carried(value: Any) -> bool:
    if isinstance(value, str):
        return not _REFUSED.intersection(value)
    if isinstance(value, dict):
        return all(_carried(name) and _carried(item) for name, item in value.items())
    return not isinstance(value, list) or all(map(_carried, value))

"""The item of a booking, with any value that Zoom may add to a location."""

from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bookings.aws.table import build_item, parse_change, parse_item
from bookings.domain.booking import Booking, merge
from bookings.limits import MAX_NESTING
from tests.adapters.conftest import in_lambda_form
from tests.samples import created, delivery

SCALARS = [st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text()]
JSON = st.recursive(
    st.one_of(*SCALARS, st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def values_of(item: dict[str, Any]) -> dict[str, Any]:
    return {name: TypeDeserializer().deserialize(value) for name, value in item.items()}


DEEPEST: dict[str, Any] = {"leaf": 1}
for _ in range(MAX_NESTING - 5):  # the location is the fifth level of a body
    DEEPEST = {"inner": DEEPEST}


def levels_of(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    inner = content.values() if kind == "M" else content if kind == "L" else ()
    return (kind in "ML") + max(map(levels_of, inner), default=0)


def empty_parts(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value] * (value in ("", [], {}, None)) + [part for item in inner for part in empty_parts(item)]


@settings(deadline=None)
@example(DEEPEST)
@example({"": {"": False}, "list": [{"": 0}]})
@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_any_location_is_stored_and_announced(location: dict[str, Any]) -> None:
    # failure matrix: 37
    booking = merge(None, delivery(created(location=location, location_kind="moon_base")))
    item = build_item(booking, expires_at=None)
    assert levels_of(item["location"]) <= 32  # DynamoDB's limit
    read = parse_item(item)
    assert isinstance(read, Booking)
    assert values_of(build_item(read, expires_at=None)) == values_of(item)
    assert read.deliveries == booking.deliveries
    announced = parse_change(in_lambda_form({"dynamodb": {"NewImage": item}})).after
    assert announced
    assert empty_parts(announced.fields) == []
    assert announced.fields == read.public_fields()

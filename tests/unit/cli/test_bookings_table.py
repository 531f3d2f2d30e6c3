"""Reading the bookings table."""

from typing import Any

import pytest

from cli.bookings_table import BookingsTable
from cli.output import CommandError
from cli.stack import find_stack

from .conftest import NOW, STACK, Deployed


def item(number: int, **more: dict[str, str]) -> dict[str, Any]:
    start = {"S": f"2026-11-26T14:00:{number % 60:02d}Z"}
    return {"booking_id": {"S": f"b-{number:03d}"}, "host_user_id": {"S": "host"}, "start": start} | more


def ids(items: Any) -> list[str]:
    return sorted(each["booking_id"]["S"] for each in items)


@pytest.fixture
def table(deployed: Deployed) -> BookingsTable:
    return BookingsTable(find_stack(local=False, name=STACK))


def test_every_page_of_the_table_is_read(deployed: Deployed, table: BookingsTable) -> None:
    deployed.put(*(item(number, title={"S": "x" * 390_000}) for number in range(3)))  # a page holds 1 MB
    assert ids(table.items()) == ["b-000", "b-001", "b-002"]


def test_host_is_read_by_the_index_100_at_a_time(deployed: Deployed, table: BookingsTable) -> None:
    deployed.put(*(item(number) for number in range(103)), item(200, host_user_id={"S": "another"}))
    reads: list[int] = []

    def all_but_one(call: Any, parameters: dict[str, Any]) -> Any:
        [(name, request)] = parameters["RequestItems"].items()
        reads.append(len(request["Keys"]))
        *keys, last = request["Keys"]
        answer = call({"RequestItems": {name: {"Keys": keys or [last]}}})
        return answer | {"UnprocessedKeys": {name: {"Keys": [last]}} if keys else {}}

    deployed.replaced["BatchGetItem"] = all_but_one
    assert ids(table.items_of_host("host")) == [f"b-{number:03d}" for number in range(103)]
    assert reads == [100, 1, 3, 1]
    assert ids(table.items_of_host("nobody")) == []


def test_expired_items_are_left_out(deployed: Deployed, table: BookingsTable) -> None:
    now = int(NOW.timestamp())
    deployed.put(item(1, expires_at={"N": f"{now}"}), item(2, expires_at={"N": f"{now + 1}"}))
    assert ids(table.items()) == ids(table.items_of_host("host")) == ["b-002"]
    assert table.item("b-002")["start"] == {"S": "2026-11-26T14:00:02Z"}


@pytest.mark.parametrize("operation", ["GetItem", "Scan", "Query", "BatchGetItem"])
def test_denied_read_is_explained(deployed: Deployed, table: BookingsTable, operation: str) -> None:
    deployed.put(item(1))
    deployed.fail(operation, "AccessDeniedException")
    with pytest.raises(CommandError) as caught:
        print(table.item("b-001"), *table.items(), *table.items_of_host("host"))
    assert str(caught.value) == (
        f"Can't read the bookings of stack {STACK}: these AWS credentials may not do that ({operation})."
    )

"""Every protection of the stacks is there, and would be missed if it weren't."""

from pathlib import Path

import pytest

from tests.template.invariants import BROKEN, INVARIANTS, Broken, Invariant
from tests.template.stacks import BOOKINGS, SUBSCRIBER, stack


def name(value: object) -> str:
    return getattr(value, "__name__", str(value))


@pytest.mark.parametrize("path", [BOOKINGS, SUBSCRIBER], ids=["bookings", "subscriber"])
@pytest.mark.parametrize("invariant", INVARIANTS, ids=name)
def test_a_stack_keeps_its_promise(path: Path, invariant: Invariant) -> None:
    assert list(invariant(stack(path))) == []


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: f"{broken[0].__name__}-{broken[1]}")
def test_a_missing_protection_is_found(broken: Broken) -> None:
    invariant, path, value = broken

    assert list(invariant(stack(BOOKINGS).broken(path, value)))


def test_every_promise_is_shown_to_be_checked() -> None:
    assert {invariant.__name__ for invariant, _, _ in BROKEN} == {
        invariant.__name__ for invariant in INVARIANTS
    }

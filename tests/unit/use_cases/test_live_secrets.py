"""The live secrets: two during a rotation, read rarely, never without any."""

from datetime import timedelta

import pytest

from bookings.clock import Deadline
from bookings.counts import Count
from bookings.limits import SECRET_MAX_AGE
from bookings.use_cases.live_secrets import LiveSecrets, SecretUnavailable
from tests.fakes import DENIED, HANGS, InMemoryCounts, InMemorySecret, Trouble, VirtualClock

OLD, NEW = "the-old-secret-of-22-c", "the-new-secret-of-22-c"
DAY_SECONDS = 24 * 3600
TOO_OLD = SECRET_MAX_AGE.total_seconds() + 1


class Secrets:
    """The live secrets of a process that has read none yet, and the stored secret."""

    def __init__(self, value: str = OLD, age: timedelta = timedelta(days=30)) -> None:
        self.clock = VirtualClock()
        self.stored = InMemorySecret(self.clock, value, age=age)
        self.counts = InMemoryCounts()
        self.live = LiveSecrets(self.stored, self.clock, self.counts)

    def values(self) -> list[str]:
        return self.live.values(Deadline(self.clock, 2.0))

    def refresh(self) -> bool:
        return self.live.refresh(Deadline(self.clock, 2.0))


@pytest.fixture
def cold() -> Secrets:
    return Secrets()


@pytest.fixture
def warm(cold: Secrets) -> Secrets:
    assert cold.values() == [OLD]
    return cold


# failure matrix: 28
def test_secret_is_read_again_after_its_maximum_age_only(warm: Secrets) -> None:
    warm.stored.store(NEW)
    warm.clock.advance(TOO_OLD - 1)
    assert (warm.values(), warm.stored.calls) == ([OLD], 1)
    warm.clock.freeze(1)  # a frozen process ages too
    assert (warm.values(), warm.stored.calls) == ([NEW, OLD], 3)


@pytest.mark.parametrize(("value", "age"), [(OLD, timedelta(0)), ("sixteen-characte", timedelta(days=30))])
def test_only_secret_is_live_alone(value: str, age: timedelta) -> None:
    assert Secrets(value, age).values() == [value]


def test_secret_stored_twice_retires_the_previous_one(cold: Secrets) -> None:
    cold.stored.store(NEW)
    cold.stored.store(NEW)
    assert OLD not in cold.values()


# failure matrix: 29
def test_previous_secret_is_live_until_its_grace_ends(cold: Secrets) -> None:
    cold.stored.store(NEW)
    cold.clock.advance(3600)  # the grace begins with the rotation, not with the first read
    assert cold.values() == [NEW, OLD]
    cold.stored.trouble = DENIED  # nothing is read again: the time of day alone decides
    cold.clock.advance(DAY_SECONDS - 3601)
    assert cold.values() == [NEW, OLD]
    cold.clock.advance(1)
    assert cold.values() == [NEW]
    cold.stored.trouble, cold.stored.calls = None, 0
    cold.clock.advance(60)
    assert (cold.values(), cold.stored.calls) == ([NEW], 1)  # the previous one is not even read


# failure matrix: 28, 32
@pytest.mark.parametrize("trouble", [None, DENIED])
def test_refresh_happens_at_most_once_a_minute(warm: Secrets, trouble: Trouble | None) -> None:
    warm.stored.trouble = trouble
    assert warm.refresh() == (trouble is None)
    calls = warm.stored.calls
    warm.stored.store(NEW)
    for _ in range(59):
        warm.clock.advance(1)
        assert not warm.refresh()
    assert (warm.values(), warm.stored.calls) == ([OLD], calls)
    warm.stored.trouble = None
    warm.clock.freeze(1)
    assert warm.refresh()
    assert warm.values() == [NEW, OLD]


# failure matrix: 28, 30
@pytest.mark.parametrize("trouble", [DENIED, HANGS])
def test_known_secrets_go_on_while_none_can_be_read(warm: Secrets, trouble: Trouble) -> None:
    warm.stored.store(NEW)
    warm.stored.next = [None, trouble]  # the current one alone is not enough
    warm.clock.advance(TOO_OLD)
    assert not warm.live.may_be_outdated
    assert (warm.values(), warm.values()) == ([OLD], [OLD])
    assert warm.counts.all == {Count.REFRESH_FAILED: 1}
    assert warm.live.may_be_outdated
    warm.clock.advance(60)
    assert warm.values() == [NEW, OLD]
    assert not warm.live.may_be_outdated


# failure matrix: 30
@pytest.mark.parametrize("trouble", [DENIED, HANGS])
def test_cold_process_has_no_secret_until_one_is_readable(cold: Secrets, trouble: Trouble) -> None:
    cold.stored.trouble = trouble
    with pytest.raises(SecretUnavailable):
        cold.values()
    assert cold.live.may_be_outdated
    cold.stored.trouble = None
    assert cold.values() == [OLD]
    assert not cold.live.may_be_outdated


def test_read_that_could_pass_the_deadline_is_not_begun(cold: Secrets) -> None:
    with pytest.raises(SecretUnavailable):
        cold.live.values(Deadline(cold.clock, 0.5))
    assert cold.stored.calls == 0


# failure matrix: 31
@pytest.mark.parametrize(
    "value",
    ["", "\n", " " * 40, "canary" + " " * 40, "\tfifteen-charact\n", ' {"token": "canary-of-22-chars"}'],
)
def test_unusable_secret_fails_closed(warm: Secrets, value: str) -> None:
    warm.stored.store(value)
    for read in (warm.refresh, warm.values):
        with pytest.raises(SecretUnavailable, match=r"^(?!.*canary)"):
            read()
    warm.stored.store(NEW)  # an unusable previous one is left out
    assert warm.values() == [NEW]


# failure matrix: 43
def test_no_secret_shows_in_a_repr(warm: Secrets) -> None:
    assert OLD not in repr(vars(warm.live)) + repr(warm.stored.versions)

"""The live secrets: two during a rotation, read rarely, never none."""

from datetime import timedelta

import pytest

from bookings.clock import Deadline
from bookings.counts import Count
from bookings.limits import SECRET_GRACE, SECRET_MAX_AGE, SECRET_REFRESH_INTERVAL
from bookings.use_cases.live_secrets import LiveSecrets, SecretUnavailable
from tests.fakes import DENIED, HANGS, THROTTLED, InMemoryCounts, InMemorySecret, Trouble, VirtualClock

OLD, NEW = "the-old-secret-of-22-c", "the-new-secret-of-22-c"
JUST = timedelta(seconds=1)


class Rotation:
    """The secrets with what surrounds them."""

    def __init__(self, value: str = OLD, age: timedelta = timedelta(days=30)) -> None:
        self.clock = VirtualClock()
        self.stored = InMemorySecret(self.clock, value, age=age)
        self.counts = InMemoryCounts()
        self.secrets = LiveSecrets(self.stored, self.clock, self.counts)

    def values(self) -> list[str]:
        return self.secrets.values(Deadline(self.clock, 2.0))

    def refresh(self) -> bool:
        return self.secrets.refresh(Deadline(self.clock, 2.0))


@pytest.fixture
def rotation() -> Rotation:
    return Rotation()


def test_the_secret_is_read_once_and_kept(rotation: Rotation) -> None:
    assert rotation.values() == [OLD]
    rotation.clock.advance(SECRET_MAX_AGE.total_seconds())
    assert rotation.values() == [OLD]
    assert rotation.stored.calls == 1


# failure matrix: 28
def test_after_a_rotation_the_current_and_the_previous_secret_are_live(rotation: Rotation) -> None:
    rotation.stored.store(NEW)
    assert rotation.values() == [NEW, OLD]


def test_a_stolen_secret_counts_no_longer_once_the_new_one_was_stored_twice(rotation: Rotation) -> None:
    assert rotation.values() == [OLD]
    for _ in range(2):
        rotation.stored.store(NEW)
    rotation.clock.advance(SECRET_MAX_AGE.total_seconds() + 1)
    assert OLD not in rotation.values()


def test_a_first_secret_has_no_previous_one() -> None:
    assert Rotation(age=timedelta(0)).values() == [OLD]


# failure matrix: 29
def test_the_previous_secret_counts_until_its_grace_ends_and_no_longer(rotation: Rotation) -> None:
    rotation.stored.store(NEW)
    assert rotation.values() == [NEW, OLD]
    # Told by the time of day alone: nothing is read again, as if Secrets Manager were down all the while.
    rotation.stored.trouble = DENIED
    rotation.clock.advance((SECRET_GRACE - JUST).total_seconds())
    assert rotation.values() == [NEW, OLD]
    rotation.clock.advance(1)
    assert rotation.values() == [NEW]


# failure matrix: 29
def test_a_previous_secret_past_its_grace_is_not_even_read(rotation: Rotation) -> None:
    rotation.stored.store(NEW)
    rotation.clock.advance(SECRET_GRACE.total_seconds())
    assert rotation.values() == [NEW]
    assert rotation.stored.calls == 1


def test_secrets_grow_old_and_are_read_again(rotation: Rotation) -> None:
    assert rotation.values() == [OLD]
    rotation.stored.store(NEW)
    rotation.clock.advance(SECRET_MAX_AGE.total_seconds() + 1)
    assert rotation.values() == [NEW, OLD]


# failure matrix: 28, 32
def test_a_refresh_happens_at_most_once_a_minute_whatever_asks_for_it(rotation: Rotation) -> None:
    rotation.values()
    assert rotation.refresh()
    calls = rotation.stored.calls
    rotation.stored.store(NEW)
    for _ in range(59):
        rotation.clock.advance(1)
        assert not rotation.refresh()
    assert rotation.values() == [OLD]
    assert rotation.stored.calls == calls
    rotation.clock.advance(1)
    assert rotation.refresh()
    assert rotation.values() == [NEW, OLD]
    assert SECRET_REFRESH_INTERVAL.total_seconds() == 60


# failure matrix: 28
def test_a_process_that_was_frozen_since_its_last_refresh_may_refresh_again(rotation: Rotation) -> None:
    rotation.values()
    assert rotation.refresh()
    rotation.stored.store(NEW)
    rotation.clock.freeze(SECRET_REFRESH_INTERVAL.total_seconds())
    assert rotation.refresh()
    assert rotation.values() == [NEW, OLD]


def test_a_process_that_was_frozen_for_long_reads_its_secrets_again(rotation: Rotation) -> None:
    rotation.values()
    rotation.stored.store(NEW)
    rotation.clock.freeze(SECRET_MAX_AGE.total_seconds() + 1)
    assert rotation.values() == [NEW, OLD]


# failure matrix: 32
@pytest.mark.parametrize("trouble", [DENIED, HANGS, THROTTLED])
def test_a_refresh_that_fails_counts_as_one_too(rotation: Rotation, trouble: Trouble) -> None:
    rotation.values()
    rotation.stored.trouble = trouble
    assert not rotation.refresh()
    calls = rotation.stored.calls
    rotation.clock.advance(30)
    assert not rotation.refresh()
    assert rotation.stored.calls == calls


# failure matrix: 30
@pytest.mark.parametrize("trouble", [DENIED, HANGS, THROTTLED])
def test_while_secrets_cannot_be_read_those_known_go_on_and_it_is_counted(
    rotation: Rotation, trouble: Trouble
) -> None:
    rotation.values()
    rotation.stored.trouble = trouble
    rotation.clock.advance(SECRET_MAX_AGE.total_seconds() + 1)
    assert rotation.values() == [OLD]
    assert rotation.values() == [OLD]
    assert rotation.counts.all == {Count.REFRESH_FAILED: 1}
    rotation.stored.trouble = None
    rotation.stored.store(NEW)
    rotation.clock.advance(SECRET_REFRESH_INTERVAL.total_seconds())
    assert rotation.values() == [NEW, OLD]


# failure matrix: 30
@pytest.mark.parametrize("trouble", [DENIED, HANGS, THROTTLED])
def test_a_cold_process_that_cannot_read_a_secret_has_none(rotation: Rotation, trouble: Trouble) -> None:
    rotation.stored.trouble = trouble
    with pytest.raises(SecretUnavailable):
        rotation.values()
    rotation.stored.trouble = None
    assert rotation.values() == [OLD]


# failure matrix: 28, 30
@pytest.mark.parametrize("trouble", [DENIED, HANGS, THROTTLED])
def test_secrets_may_be_outdated_from_a_read_that_failed_to_one_that_did_not(
    rotation: Rotation, trouble: Trouble
) -> None:
    rotation.values()
    assert not rotation.secrets.may_be_outdated
    rotation.stored.trouble = trouble
    rotation.refresh()
    rotation.clock.advance(SECRET_REFRESH_INTERVAL.total_seconds() - 1)
    rotation.refresh()
    rotation.values()
    assert rotation.secrets.may_be_outdated
    rotation.stored.trouble = None
    rotation.clock.advance(1)
    assert rotation.refresh()
    assert not rotation.secrets.may_be_outdated


# failure matrix: 28, 30
def test_secrets_may_be_outdated_when_only_the_previous_one_could_not_be_read(rotation: Rotation) -> None:
    rotation.values()
    rotation.stored.store(NEW)
    rotation.stored.next = [None, DENIED]
    assert not rotation.refresh()
    assert rotation.secrets.may_be_outdated


# failure matrix: 30
def test_a_process_that_read_its_first_secret_in_the_end_is_up_to_date(rotation: Rotation) -> None:
    rotation.stored.trouble = DENIED
    with pytest.raises(SecretUnavailable):
        rotation.values()
    assert rotation.secrets.may_be_outdated
    rotation.stored.trouble = None
    assert rotation.values() == [OLD]
    assert not rotation.secrets.may_be_outdated


def test_a_cold_process_whose_time_is_up_has_no_secret(rotation: Rotation) -> None:
    deadline = Deadline(rotation.clock, 1.0)
    rotation.clock.advance(1.0)
    with pytest.raises(SecretUnavailable):
        rotation.secrets.values(deadline)
    assert rotation.stored.calls == 0


UNUSABLE = ["", " ", "\n", "fifteen-charact", " " * 40, "canary" + " " * 40, "\tfifteen-charact\n"]


# failure matrix: 31
@pytest.mark.parametrize("value", UNUSABLE)
def test_a_blank_or_short_secret_is_none(value: str) -> None:
    with pytest.raises(SecretUnavailable, match="shorter than 16 characters") as refused:
        Rotation(value).values()
    assert "canary" not in str(refused.value)


def test_a_secret_of_sixteen_characters_is_one() -> None:
    assert Rotation("sixteen-characte").values() == ["sixteen-characte"]


# failure matrix: 31
@pytest.mark.parametrize("value", UNUSABLE)
def test_a_secret_that_became_unusable_fails_closed(rotation: Rotation, value: str) -> None:
    rotation.values()
    rotation.stored.store(value)
    with pytest.raises(SecretUnavailable):
        rotation.refresh()
    with pytest.raises(SecretUnavailable):
        rotation.values()


# failure matrix: 31
@pytest.mark.parametrize("value", UNUSABLE)
def test_an_unusable_previous_secret_is_left_out(value: str) -> None:
    rotation = Rotation(value)
    rotation.stored.store(NEW)
    assert rotation.values() == [NEW]


# failure matrix: 43
def test_no_secret_shows_in_a_repr(rotation: Rotation) -> None:
    rotation.values()
    assert OLD not in repr(vars(rotation.secrets))
    assert OLD not in repr(rotation.stored.versions)

"""Rotations of the secret at random: here first or at Zoom first, in processes warm, cold, frozen and new.

What must hold is told from the history of what was stored alone, by a model that shares nothing with the
code. Each timeline is drawn from a seed, which a failure names with its whole story.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from random import Random

import pytest

from bookings.clock import Deadline
from bookings.counts import Count
from bookings.errors import ServiceError
from bookings.use_cases.ports import SecretVersion
from tests.door import Door
from tests.fakes import (
    DENIED,
    HANGS,
    NOW,
    THROTTLED,
    InMemorySecret,
    VirtualClock,
)

BLOCKS, TIMELINES_A_BLOCK, STEPS = 8, 400, 30

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
GRACE = 24 * HOUR
STALE = MINUTE
"""How long at most a process goes on without a secret that was stored, once something asks for it."""
LONGEST_UNREAD = 15 * MINUTE + 2.5 * SECOND
"""How long at most it goes on with what it knows, while it can read; and a request's own time."""
BEFORE, NEVER = NOW - 30 * 24 * HOUR, datetime.max.replace(tzinfo=UTC)

# Signed by anybody with the token and of no interest: answered 204, which needs no other service.
BODY = b'{"event": "meeting.started"}'
FORGERS = "a-forgers-own-secret-22"
UNUSABLE = ("", "   ", "fifteen-letters")

ACCEPTED, REFUSED, ASKED_FOR_AGAIN = 204, 401, 503
COUNTED_AS = {REFUSED: Count.SIGNATURE_MISMATCH, ASKED_FOR_AGAIN: Count.NOTHING_TO_VERIFY_WITH}
"""The metrics that alarms are on: SignatureMismatchAlarm and SecretUnavailableAlarm."""


@dataclass(frozen=True)
class Stored:
    at: datetime
    value: str

    @property
    def usable(self) -> bool:
        return self.value not in UNUSABLE


class History:
    """What was stored here, and what counts by the contract: the newest, and for a day the one before it."""

    def __init__(self, first: str) -> None:
        self._stored = [Stored(BEFORE, first)]

    def store(self, at: datetime, value: str) -> None:
        self._stored.append(Stored(at, value))

    def live(self, secret: str, at: datetime, *, known_at: datetime | None = None) -> bool:
        """Whether a secret counts at a time, for all or for one that has read them at another time."""
        known = self._until(at if known_at is None else known_at)
        *_, current = known
        if not current.usable:
            return False
        before = known[-2].value if len(known) > 1 and at - current.at < GRACE else None
        return secret == current.value or (secret == before and known[-2].usable)

    def settled(self, secret: str, at: datetime) -> bool:
        """Whether a secret counts by whatever could have been read in the last minute."""
        readings = (each.at for each in self._stored if at - STALE < each.at <= at)
        return all(self.live(secret, at, known_at=when) for when in (at - STALE, *readings))

    def usable(self, at: datetime) -> bool:
        return self._until(at)[-1].usable

    def replaced_at(self, secret: str) -> datetime:
        """When a secret was the current one for the last time."""
        if secret == self.current.value:
            return NEVER
        return max(after.at for each, after in pairwise(self._stored) if each.value == secret)

    @property
    def current(self) -> Stored:
        return self._stored[-1]

    def _until(self, at: datetime) -> list[Stored]:
        return self._stored[: bisect_right(self._stored, at, key=lambda each: each.at)]


class Process:
    """An execution environment of the webhook: what it reads, and when."""

    def __init__(self, timeline: "Timeline") -> None:
        self._timeline = timeline
        timeline.begun += 1
        self.number = timeline.begun
        self._refreshed_at: datetime | None = None
        self.read_at: datetime | None = None  # the last time that worked
        self.last_failed = False
        self.door = Door(clock=timeline.clock, source=self)
        # As Lambda starts it; where it can't read its secrets then, its first request does.
        if timeline.random.random() < 0.5:
            self.door.receiver.prepare()

    @property
    def knows(self) -> bool:
        return self.read_at is not None and self._timeline.history.usable(self.read_at)

    def counts_as_live(self, secret: str) -> bool:
        """Whether a secret is live by what it has read."""
        history, now = self._timeline.history, self._timeline.clock.now()
        return self.read_at is not None and history.live(secret, now, known_at=self.read_at)

    def current(self, deadline: Deadline) -> SecretVersion:
        now = self._timeline.clock.now()
        if self.knows:
            # One that knows none may read for each request: it can answer nobody else.
            since = None if self._refreshed_at is None else now - self._refreshed_at
            self._timeline.check(since is None or since >= MINUTE, f"read again after {since}")
            self._refreshed_at = now
        version = self._read(lambda: self._timeline.secret.current(deadline))
        assert version is not None
        self.read_at, self.last_failed = now, False
        return version

    def previous(self, deadline: Deadline) -> SecretVersion | None:
        return self._read(lambda: self._timeline.secret.previous(deadline))

    def _read[T](self, call: Callable[[], T]) -> T:
        try:
            return call()
        except ServiceError:
            self.last_failed = True
            raise


class Timeline:
    """What happens at Zoom, here, in the processes and at Secrets Manager, drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.story: list[str] = []
        self.met: Counter[str] = Counter()
        self.random = Random(seed)  # noqa: S311 - chance that can be had again, no secret
        self.clock = VirtualClock()
        self.secret = InMemorySecret(self.clock, "secret-0-of-22-characters")
        self.history = History("secret-0-of-22-characters")
        self._zooms = ["secret-0-of-22-characters"]
        self._made = self.begun = 0
        self._up_since = BEFORE
        self.processes = [Process(self) for _ in range(self.random.choice((1, 2, 4)))]

    def check(self, holds: bool, what: str) -> None:
        """Fails, with the story, where something does not hold."""
        assert holds, "\n".join([f"seed {self.seed}, {self.clock.now()}: {what}", *self.story])

    def run(self) -> None:
        kinds, weights = zip(*STEPS_OF.items(), strict=True)
        for kind in self.random.choices(kinds, weights, k=STEPS):
            kind(self)

    # ── what happens ─────────────────────────────────────────────────────────────────────────────────────

    def pass_time(self) -> None:
        now, stored_at = self.clock.now(), self.history.current.at
        until = self.random.choice(
            (
                now + self.random.random() * 5 * SECOND,
                now + self.random.uniform(20, 70) * SECOND,
                now + self.random.uniform(10, 20) * MINUTE,
                now + self.random.random() * 12 * HOUR,
                stored_at + STALE + self.random.choice((-1, 0, 1)) * SECOND,
                stored_at + GRACE + self.random.choice((-1, 0, 1)) * SECOND,
            )
        )
        # A process is frozen between its requests, and with it perhaps its monotonic clock.
        pass_by = self.random.choice((self.clock.advance, self.clock.freeze))
        pass_by(max(until - now, timedelta(0)).total_seconds())

    def store(self) -> None:
        """A new secret is stored here, or the one that Zoom signs with already."""
        ahead = self._zooms[-1] != self.history.current.value and self.random.random() < 0.8
        self._store(self._zooms[-1] if ahead else self._new())
        self._happens("stored after Zoom's" if ahead else "stored here first")

    def store_what_is_unusable(self) -> None:
        self._store(self.random.choice(UNUSABLE))
        self._happens("stored an unusable one")

    def regenerate(self) -> None:
        """Zoom signs with a new secret from now on, or with the one that is stored here already."""
        stored = self.history.current
        here_first = stored.usable and stored.value not in self._zooms and self.random.random() < 0.8
        self._zooms.append(stored.value if here_first else self._new())
        self._happens("regenerated after ours" if here_first else "changed at Zoom first")

    def restart(self) -> None:
        self.processes[self.random.randrange(len(self.processes))] = Process(self)
        self._happens("a new process")

    def trouble(self) -> None:
        """Secrets Manager goes down, or comes back."""
        down = self.secret.trouble is None
        self.secret.trouble = self.random.choice((DENIED, HANGS, THROTTLED)) if down else None
        self._up_since = NEVER if down else self.clock.now()
        self._happens("Secrets Manager is down" if down else "Secrets Manager is back")

    def flood(self) -> None:
        process = self.random.choice(self.processes)
        for _ in range(self.random.choice((1, 5, 30))):
            status = self._posted(process, FORGERS)
            self.check(status in (REFUSED, ASKED_FOR_AGAIN), f"a forgery was answered {status}")
            self.clock.advance(self.random.random() * 3)

    def deliver(self) -> None:
        self._deliver(self._zooms[-1])

    def replay_with_a_retired_one(self) -> None:
        self._deliver(self.random.choice(self._zooms))

    # ── judgement ────────────────────────────────────────────────────────────────────────────────────────

    def _deliver(self, secret: str) -> None:
        process, now = self.random.choice(self.processes), self.clock.now()
        cold, known = not process.knows, process.counts_as_live(secret)
        status = self._posted(process, secret)
        live, settled = self.history.live(secret, now), self.history.settled(secret, now)
        if settled:
            self.check(status != REFUSED, "refused, and stored for a minute and within its grace")
            readable = self._up_since <= now - (timedelta(0) if cold else STALE)
            self.check(not readable or status == ACCEPTED, f"answered {status}, and nothing was in the way")
        if known and process.counts_as_live(secret):
            self.check(status == ACCEPTED, f"answered {status}, and it knew the secret")
        if status == ACCEPTED:
            self._may_have_been_accepted(process, secret, now)
        kind = "settled" if settled else "live" if live else "not live"
        self._happens(f"{kind}: {status}")
        if live and secret != self.history.current.value:
            self.met[f"by the previous one: {status}"] += 1

    def _may_have_been_accepted(self, process: Process, secret: str, now: datetime) -> None:
        read_at = process.read_at
        assert read_at is not None, "accepted by a process that has read nothing"
        known = self.history.live(secret, now, known_at=read_at)
        self.check(known, "accepted, and not live by what the process has read")
        after_grace = now - self.history.replaced_at(secret) >= GRACE
        if not process.last_failed:
            self.check(not after_grace, "accepted after its grace")
            self.check(now - read_at <= LONGEST_UNREAD, f"not read again for {now - read_at}")
        elif after_grace:
            self.met["accepted after its grace, for want of news"] += 1

    def _posted(self, process: Process, secret: str) -> int:
        before = Counter(process.door.counts.all)
        status = int(process.door.post(BODY, secret=secret).status)
        counted = process.door.counts.all - before - Counter([Count.REFRESH_FAILED, Count.OTHER_PRODUCT])
        self.check(counted == Counter(filter(None, [COUNTED_AS.get(status)])), f"{status}: {counted}")
        self.check(process.door.service_calls == 0, "it called another service")
        if status == ASKED_FOR_AGAIN:
            read = process.read_at is not None and not self.history.usable(process.read_at)
            self.check(process.last_failed or read, "asked for again, and its secrets could be read")
        self._tell(f"process {process.number}: {secret} is answered {status}")
        return status

    # ── bookkeeping ──────────────────────────────────────────────────────────────────────────────────────

    def _store(self, value: str) -> None:
        # At a moment of its own, so that of two things it can be told which came first.
        self.clock.advance(0.001)
        self.secret.store(value)
        self.history.store(self.clock.now(), value)
        self.clock.advance(0.001)

    def _new(self) -> str:
        self._made += 1
        return f"secret-{self._made}-of-22-characters"

    def _happens(self, what: str) -> None:
        self.met[what] += 1
        self._tell(f"{what}; stored {self.history.current.value!r}")

    def _tell(self, what: str) -> None:
        self.story.append(f"{self.clock.now()}  {what}")


STEPS_OF = {
    Timeline.pass_time: 10,
    Timeline.deliver: 10,
    Timeline.replay_with_a_retired_one: 4,
    Timeline.store: 2.5,
    Timeline.regenerate: 2.5,
    Timeline.flood: 1.5,
    Timeline.trouble: 1.5,
    Timeline.restart: 1,
    Timeline.store_what_is_unusable: 0.2,
}
"""How often each happens beside the others."""


@cache
def met_in(block: int) -> Counter[str]:
    """Returns how often each thing was met in a block of timelines.

    Raises:
        AssertionError: something did not hold in one of them.
    """
    met: Counter[str] = Counter()
    for seed in range(block * TIMELINES_A_BLOCK, (block + 1) * TIMELINES_A_BLOCK):
        timeline = Timeline(seed)
        timeline.run()
        met += timeline.met
    return met


# failure matrix: 28, 29, 30, 32
@pytest.mark.parametrize("block", range(BLOCKS))
def test_in_any_rotation_none_is_refused_within_the_grace_and_none_accepted_after_it(
    block: int,
) -> None:
    met_in(block)


def test_the_timelines_meet_all_that_they_are_about() -> None:
    met = met_in(0)
    assert {name for name, number in met.items() if number >= 5} >= {
        *("stored here first", "stored after Zoom's", "stored an unusable one"),
        *("regenerated after ours", "changed at Zoom first"),
        *("a new process", "Secrets Manager is down", "Secrets Manager is back"),
        *("settled: 204", "settled: 503", "live: 204", "live: 401", "not live: 401", "not live: 204"),
        *("by the previous one: 204", "accepted after its grace, for want of news"),
    }

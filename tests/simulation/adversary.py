"""Virtual time, and the fate of each call at one of our ports, drawn from the seed of a schedule.

A process is a greenlet. The product's synchronous code stops at each call and goes on later, with anything in
between. There is one thread and one order of events, so a seed gives the same run each time.
"""

import heapq
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import inf
from random import Random
from typing import Any

from greenlet import getcurrent, greenlet

from bookings.clock import Deadline
from bookings.errors import RefusedByService, ServiceUnavailable
from bookings.limits import CALL_SECONDS
from tests.fakes import VirtualClock

BUS, QUEUES, TABLE, SECRET_SERVICE = SERVICES = ("bus", "queues", "table", "secret")
QUICK_SECONDS, HOUR, DAY = 0.02, 3_600.0, 86_400.0
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class ProcessDied(BaseException):
    """The process ended here. It is no Exception, so the product can't catch it."""


class Timeline(VirtualClock):
    """A clock that moves from one event to the next, and never while code runs."""

    def __init__(self) -> None:
        super().__init__(START)
        self.seconds = 0.0
        self.hub = getcurrent()
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._planned = 0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Plans an action. Actions of the same time happen in the order of their planning."""
        self._planned += 1
        heapq.heappush(self._due, (self.seconds + seconds, self._planned, action))

    def run(self, until_seconds: float, max_events: int) -> bool:
        """Lets time pass, and returns whether nothing is left to do until then."""
        for _ in range(max_events):
            if not self._due or self._due[0][0] > until_seconds:
                self.seconds = self.seconds if until_seconds == inf else max(self.seconds, until_seconds)
                return True
            self.seconds, _, action = heapq.heappop(self._due)
            action()
        return False

    def pause(self, seconds: float) -> None:
        """Stops the calling process for so long."""
        process = getcurrent()
        assert isinstance(process, Process)
        self.after(seconds, process.resume)
        self.hub.switch()


class Process(greenlet):
    """Code in virtual time. `end` receives its result, and whether it died before it had one."""

    def __init__(self, name: str, timeline: Timeline, code: Callable[[], Any], end: Any) -> None:
        super().__init__(self._execute, parent=timeline.hub)
        self.name = name
        self._code = code
        self._end = end

    def resume(self) -> None:
        if not self.dead:
            self.switch()

    def kill(self) -> None:
        """Ends the process at the call that it waits for."""
        if not self.dead:
            self.throw(ProcessDied)

    def _execute(self) -> None:
        try:
            result = self._code()
        except ProcessDied:
            self._end(None, True)
        else:
            self._end(result, False)


class Trouble(StrEnum):
    """How a call ends that does not simply succeed."""

    THROTTLED = "throttled"  # answered at once, nothing done; so is a denied one
    UNREACHABLE = "unreachable"
    SILENT = "silent"  # nothing done, no answer
    FAILED_AFTER = "done, and answered as failed"
    LOST = "done, and the answer lost"
    LATE = "done after the caller gave up"
    REPEATED = "done twice"  # the connection was closed, and the adapter made the call again
    REFUSED = "refused for itself"
    PARTLY = "some of its entries failed"


OUTAGES, OF_ONE_CALL, OF_TABLE_OR_SECRET = (tuple(Trouble)[:number] for number in (5, 8, 7))
_NEVER_ARRIVES = (Trouble.THROTTLED, Trouble.UNREACHABLE, Trouble.SILENT, Trouble.REFUSED)
_NO_ANSWER = (Trouble.SILENT, Trouble.LOST, Trouble.LATE)


class Adversary:
    """Decides about each call. After `ends_at`, in virtual seconds, there is no trouble any more."""

    def __init__(self, timeline: Timeline, random: Random, trace: Callable[..., None]) -> None:
        self.timeline = timeline
        self.random = random
        self.trace = trace
        self.met: Counter[str] = Counter()
        self.clear()

    def clear(self) -> None:
        """Ends all trouble for good."""
        self.chances = dict.fromkeys(SERVICES, 0.0)
        self.outages: list[tuple[str, float, float, Trouble]] = []
        self.chance_of_death = self.ends_at = 0.0

    def draw(self) -> None:
        """Draws the trouble of a schedule, from none to a day of it."""
        random = self.random
        if random.random() < 0.1:
            return
        chance = random.choice((0.0, 0.02, 0.1, 0.3))
        self.chances = {service: random.choice((0.0, chance, chance)) for service in SERVICES}
        for _ in range(random.choice((0, 0, 0, 1, 1, 2))):
            start = random.random() * random.choice((60.0, HOUR, 20_000.0))
            end = start + random.choice((1.0, 30.0, 600.0, HOUR, 6 * HOUR, 16 * HOUR, 30 * HOUR))
            self.outages.append((random.choice(SERVICES), start, end, random.choice(OUTAGES)))
        self.chance_of_death = random.choice((0.0, 0.0, 0.01, 0.05, 0.2))
        self.ends_at = max([2 * HOUR, *(end for _, _, end, _ in self.outages)])

    def call[T](
        self, service: str, deadline: Deadline | None, do: Callable[[], T], seconds: float = CALL_SECONDS
    ) -> T:
        """Makes a call for the process that runs now, which gives up after `seconds`.

        `do` runs when the request arrives, even if the caller is dead by then.
        """
        if deadline and not deadline.allows(CALL_SECONDS):
            raise ServiceUnavailable("no time left for a call")
        self._may_die()
        trouble = self._trouble(service)
        self.trace(service, do.__qualname__.split(".")[1], trouble or "ok")
        answers: list[T | Exception] = []

        def arrive() -> None:
            try:
                answers.append(do())
            except Exception as error:  # noqa: BLE001 - an answer as well
                answers.append(error)

        if trouble not in _NEVER_ARRIVES:
            late = seconds + self.random.random() * 4.0 if trouble is Trouble.LATE else 0.0
            self.timeline.after(late + self.random.random() * QUICK_SECONDS, arrive)
        if trouble is Trouble.REPEATED:
            self.timeline.after(2 * QUICK_SECONDS, arrive)
        self.timeline.pause(seconds if trouble in _NO_ANSWER else 3 * QUICK_SECONDS)
        self._may_die()
        if trouble is Trouble.REFUSED:
            raise RefusedByService(trouble)
        if trouble and trouble is not Trouble.REPEATED:
            raise ServiceUnavailable(trouble, answered=trouble in (Trouble.THROTTLED, Trouble.FAILED_AFTER))
        answer = answers.pop()
        if isinstance(answer, Exception):
            raise answer.with_traceback(None)
        return answer

    def failing_entries(self, service: str, number: int) -> set[int]:
        """Returns which entries of a call fail by themselves."""
        if self.random.random() >= self.chances[service]:
            return set()
        self.met[Trouble.PARTLY] += 1
        return {entry for entry in range(number) if self.random.random() < 0.5}

    def _trouble(self, service: str) -> Trouble | None:
        trouble = None
        if self.random.random() < self.chances[service]:
            trouble = self.random.choice(OF_ONE_CALL if service in (BUS, QUEUES) else OF_TABLE_OR_SECRET)
        for where, start, end, each in self.outages:
            if where == service and start <= self.timeline.seconds < end:
                trouble = each
        self.met[trouble or "none"] += 1
        return trouble

    def _may_die(self) -> None:
        if self.chance_of_death and self.random.random() < self.chance_of_death:
            self.met["deaths"] += 1
            self.trace("dies")
            raise ProcessDied

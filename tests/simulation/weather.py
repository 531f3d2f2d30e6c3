"""What may happen to a call on its way: the trouble that a schedule has, drawn from its seed.

A service has a small chance of trouble at any time and, now and then, an outage: a while in which each call
to it ends in the same way. Once the trouble is over, every call succeeds.
"""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

QUICK_SECONDS = 0.02
"""A call in good weather takes at most this long each way."""


class Trouble(StrEnum):
    """How a call ends that does not simply succeed."""

    THROTTLED = "throttled"  # answered at once, nothing done
    DENIED = "denied"  # likewise; no SDK tries that again
    FAILED = "failed"  # a 500, nothing done
    FAILED_AFTER = "failed after it was done"  # a 500, and done all the same
    UNREACHABLE = "unreachable"
    HUNG_UP = "hung up"  # the connection ends, nothing done
    HUNG_UP_AFTER = "hung up after it was done"
    LOST = "answer lost"  # done; the caller waits for the answer until it gives up
    SILENT = "silent"  # nothing done, no answer
    SLOW = "slow"  # done some time, answered some time, perhaps when nobody waits any more
    PARTLY = "partly"  # of a call with entries, some fail; the answer is a 200


BY_KIND = tuple(Trouble)

OUTAGES = (
    Trouble.THROTTLED,
    Trouble.DENIED,
    Trouble.FAILED,
    Trouble.UNREACHABLE,
    Trouble.HUNG_UP,
    Trouble.SILENT,
    Trouble.FAILED_AFTER,
    Trouble.LOST,
)

_SPANS = (1.0, 30.0, 600.0, 3_600.0, 6 * 3_600.0, 16 * 3_600.0)

SERVICES = ("events", "sqs", "dynamodb", "secretsmanager")


@dataclass(frozen=True, slots=True)
class Outage:
    start: float
    end: float
    service: str
    trouble: Trouble


@dataclass(frozen=True, slots=True)
class Fate:
    """One attempt of a call.

    Attributes:
        before_seconds: from the caller to the service.
        after_seconds: from the service to the caller.
        trouble: None for a call that simply succeeds.
    """

    before_seconds: float
    after_seconds: float
    trouble: Trouble | None = None


class Weather:
    """The trouble of one schedule.

    Attributes:
        ends_at: virtual seconds after which there is none any more.
        met: how often each trouble was.
        chance_of_death: of a process, before and after each of its calls.
    """

    def __init__(
        self,
        random: Random,
        *,
        chances: dict[str, float] | None = None,
        outages: tuple[Outage, ...] = (),
        chance_of_death: float = 0.0,
        ends_at: float = 0.0,
    ) -> None:
        self._random = random
        self._chances = chances or dict.fromkeys(SERVICES, 0.0)
        self.outages = outages
        self._chance_of_death = chance_of_death
        self.met: dict[Trouble, int] = {}
        self.ends_at = ends_at

    def clear(self) -> None:
        """Ends all trouble for good."""
        self._chances = dict.fromkeys(SERVICES, 0.0)
        self.outages = ()
        self._chance_of_death = 0.0

    def fate(self, service: str, now: float) -> Fate:
        """Returns what becomes of a call made now."""
        chance = self._random.random()
        for outage in self.outages:
            if outage.service == service and outage.start <= now < outage.end:
                return self._troubled(outage.trouble, chance)
        limit = self._chances[service]
        if chance >= limit:
            return Fate(chance * QUICK_SECONDS, QUICK_SECONDS - chance * QUICK_SECONDS)
        return self._troubled(self._random.choice(BY_KIND), self._random.random())

    def strikes(self) -> bool:
        """Returns whether the calling process dies now."""
        return self._chance_of_death > 0.0 and self._random.random() < self._chance_of_death

    def _troubled(self, trouble: Trouble, chance: float) -> Fate:
        self.met[trouble] = self.met.get(trouble, 0) + 1
        if trouble is Trouble.SLOW:
            return Fate(self._random.random() * 4.0, self._random.random() * 4.0, trouble)
        return Fate(chance * QUICK_SECONDS, 0.001, trouble)


def draw_weather(random: Random) -> Weather:
    """Returns the weather of a schedule, from fine to a day of storms."""
    kind = random.random()
    if kind < 0.1:
        return Weather(random)
    chance = random.choice((0.0, 0.02, 0.1, 0.3))
    chances = {service: random.choice((0.0, chance, chance)) for service in SERVICES}
    outages = tuple(_outage(random) for _ in range(random.choice((0, 0, 0, 1, 1, 2))))
    return Weather(
        random,
        chances=chances,
        outages=outages,
        chance_of_death=random.choice((0.0, 0.0, 0.01, 0.05, 0.2)),
        ends_at=max([7_200.0, *(outage.end for outage in outages)]),
    )


def _outage(random: Random) -> Outage:
    start = random.random() * random.choice((60.0, 3_600.0, 20_000.0))
    return Outage(
        start=start,
        end=start + random.choice((*_SPANS, *_SPANS, 30 * 3_600.0)),
        service=random.choice(SERVICES),
        trouble=random.choice(OUTAGES),
    )

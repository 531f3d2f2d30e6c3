"""Bugs to plant into a copy of the artefact, so that the judge is seen to catch them."""

from dataclasses import dataclass

from tests.kills.artefact import Artefact


@dataclass(frozen=True, slots=True)
class Bug:
    """A change of one module of the built package; the product itself has no switch for it."""

    says: str
    module: str
    old: str
    new: str

    def plant(self, artefact: Artefact) -> None:
        """Plants the bug.

        Raises:
            ValueError: the module has changed, and the bug must too.
        """
        artefact.replace(self.module, self.old, self.new)


_LATER = "__import__('threading').Thread(target={}).start()"

BUGS = {
    "answer-first": Bug(
        "the webhook answers 200 and publishes after that",
        "bookings/use_cases/receive.py",
        "            self._publisher.publish(envelope, delivery.deadline)\n",
        f"            {_LATER.format('self._publisher.publish, args=(envelope, delivery.deadline)')}\n",
    ),
    "acknowledge-first": Bug(
        "a handler lets its message be deleted and writes the booking after that",
        "bookings/use_cases/record.py",
        "        outcome, given_up = self._merge_into_table(delivery)\n",
        f"        {_LATER.format('self._merge_into_table, args=(delivery,)')}\n"
        "        outcome, given_up = Count.BOOKING_WRITTEN, 0\n",
    ),
    "checkpoint-first": Bug(
        "booking_events lets the stream go on and publishes after that",
        "bookings/use_cases/announce.py",
        "        return self._publish(events, refused, None)\n",
        f"        {_LATER.format('self._publish, args=(events, refused, None)')}\n"
        "        return Announced(None, refused)\n",
    ),
    "ids-by-chance": Bug(
        "an event that is announced again has another id",
        "bookings/domain/events.py",
        '    return hashlib.sha256("\\n".join(parts).encode()).hexdigest()[:32]\n',
        '    return __import__("uuid").uuid4().hex\n',
    ),
    "announce-backwards": Bug(
        "of a batch the newest change is announced first",
        "bookings/use_cases/announce.py",
        "            results = self._bus.publish_all([envelope for _, envelope in pending])\n",
        "            results = self._bus.publish_all([envelope for _, envelope in pending][::-1])[::-1]\n",
    ),
    "write-blindly": Bug(
        "a booking that stands in the table is written over, whoever wrote it since it was read",
        "bookings/aws/table.py",
        'revision = :revision",\n                "ExpressionAttributeValues": '
        '{":revision": {"N": str(replacing)}}',
        'revision > :revision",\n                "ExpressionAttributeValues": {":revision": {"N": "0"}}',
    ),
    "write-again": Bug(
        "a delivery that comes again is written again",
        "bookings/domain/booking.py",
        "present.order >= delivery.event.order",
        "present.order > delivery.event.order",
    ),
}

"""Bugs of what tells subscribers: the stream, and the bus behind it."""

from tests.seeded_bugs.bugs import Replace, SeededBug, by_tests

ANNOUNCE = "layers/runtime/bookings/announce.py"

BUGS = (
    SeededBug(
        name="failed-entries-are-ignored",
        why="PutEvents has answered 200.",
        rows=(12, 27),
        replacements=(
            Replace(
                ANNOUNCE,
                "                else:\n                    failed.append((record, envelope))\n",
                "                else:\n                    self._count(Count.ANNOUNCEMENT_DELAYED)\n",
            ),
        ),
        caught_by=by_tests(
            "unit/test_announce.py::test_what_the_bus_fails_once_is_sent_again_with_its_id",
            "unit/test_announce.py::test_while_the_bus_is_down_the_stream_waits_at_the_first_that_failed",
        ),
    ),
)

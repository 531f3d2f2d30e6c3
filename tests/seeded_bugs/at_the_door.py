"""Bugs at the door: who is let in, and what is answered when."""

from tests.seeded_bugs.bugs import Replace, SeededBug, by_tests

RECEIVE = "layers/runtime/bookings/receive.py"

BUGS = (
    SeededBug(
        name="the-door-acknowledges-what-is-not-durable",
        why="Zoom is thought to be served best by a quick 200; the log tells what went wrong.",
        rows=(13, 39),
        replacements=(
            Replace(
                RECEIVE,
                'return unavailable("not_durable", log | {"reason": str(error)})',
                "return Answer(HTTPStatus.OK, JSON, body.decode(), log)",
            ),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::test_with_both_ways_down_the_answer_is_503",
            "unit/test_receive.py::test_while_the_quarantine_is_down_the_unusable_is_answered_503",
        ),
    ),
)

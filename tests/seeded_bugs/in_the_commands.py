"""Bugs in the commands by which lost deliveries and lost events come back."""

from tests.seeded_bugs.bugs import Replace, SeededBug, by_tests

ANNOUNCE = "cli/announce.py"
POSTING = "cli/posting.py"
RECOVER = "cli/recover.py"
ZOOM_LOG = "cli/zoom_log.py"

BUGS = (
    SeededBug(
        name="a-recovered-delivery-keeps-its-old-signature",
        why="It is the same request; but its window has closed.",
        rows=(50,),
        replacements=(
            Replace(POSTING, "timestamp = str(int(time.time()))", "timestamp = str(int(time.time()) - 3600)"),
        ),
        caught_by=by_tests(
            "unit/cli/test_recover.py::"
            "test_what_failed_is_posted_as_it_was_under_its_own_id_the_oldest_event_first"
        ),
    ),
    SeededBug(
        name="a-recovered-delivery-is-written-anew",
        why="JSON is JSON; but a digest is then of another body, and the id of a request is lost.",
        rows=(50,),
        replacements=(
            Replace(
                RECOVER,
                "sent = post(url, delivery.body, secret, request_id=delivery.last.request_id)",
                "sent = post(url, delivery.body.strip() + b' ', secret)",
            ),
        ),
        caught_by=by_tests(
            "unit/cli/test_recover.py::"
            "test_what_failed_is_posted_as_it_was_under_its_own_id_the_oldest_event_first",
            "unit/cli/test_recover.py::test_each_body_is_posted_once_however_often_it_was_tried_and_subscribed",
        ),
    ),
    SeededBug(
        name="what-succeeded-once-is-not-recovered",
        why="A success is a success; a later try of the same id that failed is not looked at.",
        rows=(50,),
        replacements=(
            Replace(
                RECOVER,
                "if any(not key[0] or arrived.get(key, -1) < number for key, number",
                "if any(not key[0] or key not in arrived for key, number",
            ),
        ),
        caught_by=by_tests(
            "unit/cli/test_recover.py::test_a_try_that_failed_after_one_that_succeeded_counts"
        ),
    ),
    SeededBug(
        name="what-failed-once-is-recovered-though-it-came",
        why="It failed.",
        rows=(50,),
        replacements=(
            Replace(RECOVER, "arrived = _last_numbers(succeeded)", "arrived = _last_numbers(succeeded[:0])"),
        ),
        caught_by=by_tests(
            "unit/cli/test_recover.py::test_a_delivery_whose_latest_try_succeeded_is_left_out"
        ),
    ),
    SeededBug(
        name="the-first-page-of-zooms-log-is-all-of-it",
        why="Three hundred deliveries are more than a small shop has; not in seven days of an outage.",
        rows=(50,),
        replacements=(
            Replace(
                ZOOM_LOG,
                '            query["next_page_token"] = token\n',
                "            return\n",
            ),
        ),
        caught_by=by_tests("unit/cli/test_recover.py::test_each_page_of_the_log_is_read"),
    ),
    SeededBug(
        name="one-delivery-that-cant-be-recovered-holds-up-the-rest",
        why="What fails shall be seen.",
        rows=(50,),
        replacements=(
            Replace(
                RECOVER,
                '        return {"answer": None, "outcome": Outcome.NO_ANSWER, "detail": str(error)}\n',
                "        raise error\n",
            ),
        ),
        caught_by=by_tests(
            "unit/cli/test_recover.py::test_a_door_that_does_not_answer_is_told_for_each_delivery"
        ),
    ),
    SeededBug(
        name="an-event-that-is-announced-again-is-a-new-one",
        why="It is announced now; a subscriber that had it after all gets it twice.",
        rows=(12,),
        replacements=(
            Replace(
                ANNOUNCE,
                "envelope = domain_event(None, snapshot, share_access_links=share)",
                "envelope = domain_event(\n"
                "            None,\n"
                "            type(snapshot)(snapshot.fields, snapshot.revision + 1, snapshot.digests),\n"
                "            share_access_links=share,\n"
                "        )",
            ),
        ),
        caught_by=by_tests(
            "unit/cli/test_announce.py::test_a_new_bookings_event_is_the_very_one_that_was_lost"
        ),
    ),
    SeededBug(
        name="what-the-bus-fails-is-not-announced-again",
        why="Whoever called the command can call it again.",
        rows=(12,),
        replacements=(Replace(ANNOUNCE, "pending = [each for each, _ in failed]", "pending = []"),),
        caught_by=by_tests(
            "unit/cli/test_announce.py::test_what_the_bus_failed_is_tried_again_and_nothing_else"
        ),
    ),
    SeededBug(
        name="an-erasure-goes-by-the-clock-here",
        why="Now is now; what Zoom dated a moment later comes back with its own retry.",
        rows=(52,),
        replacements=(Replace("cli/erase.py", "erased_at=max(now_ms, newest)", "erased_at=now_ms"),),
        caught_by=by_tests(
            "unit/cli/test_erase.py::test_what_is_erased_stays_away_though_the_clock_here_is_behind_zooms"
        ),
    ),
)

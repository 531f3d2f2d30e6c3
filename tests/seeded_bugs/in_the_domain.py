"""Bugs in what a booking is: merging, its events, its erasure."""

from tests.seeded_bugs.bugs import Replace, SeededBug, by_tests

BOOKING = "layers/runtime/bookings/booking.py"
DOMAIN_EVENTS = "layers/runtime/bookings/domain_events.py"
RECORD = "layers/runtime/bookings/record.py"

BUGS = (
    SeededBug(
        name="the-last-write-wins",
        why="What comes last is taken for what happened last.",
        rows=(6, 45),
        replacements=(
            Replace(
                BOOKING,
                "if booking and present and present.order >= delivery.event.order:",
                "if booking and present and present.order == delivery.event.order:",
            ),
        ),
        caught_by=by_tests(
            "unit/test_booking.py::test_an_older_created_after_a_newer_one_changes_nothing",
            "unit/test_record.py::test_a_delivery_older_than_what_is_kept_is_superseded",
            "unit/test_record.py::test_a_delivery_from_a_dlq_days_later_is_placed_by_its_event_time",
        ),
    ),
    SeededBug(
        name="a-move-is-taken-for-a-cancel",
        why="A canceled is a canceled; that its other half is a created is somebody else's business.",
        rows=(5,),
        replacements=(
            Replace(
                BOOKING,
                "if moved in canceling and _halves_of_one_move(created, moved):",
                "if moved in canceling and created is None:",
            ),
        ),
        caught_by=by_tests(
            "unit/test_booking.py::test_both_halves_of_a_move_under_one_id_confirm_the_new_slot"
        ),
    ),
    SeededBug(
        name="a-move-ends-before-its-minute",
        why="Within a minute is written as less than a minute.",
        rows=(5,),
        replacements=(Replace(BOOKING, "<= MOVE_WINDOW_MS", "< MOVE_WINDOW_MS"),),
        caught_by=by_tests(
            "unit/test_booking.py::test_both_halves_of_a_move_under_one_id_confirm_the_new_slot"
        ),
    ),
    SeededBug(
        name="a-late-created-resurrects",
        why="A created that is there is taken for a booking that stands, without a look at the times.",
        rows=(4,),
        replacements=(
            Replace(
                BOOKING,
                "if event and (created is None or event.event_time >= created.event_time)",
                "if event and created is None",
            ),
        ),
        caught_by=by_tests(
            "unit/test_booking.py::test_a_late_created_does_not_resurrect_a_canceled_booking",
            "unit/test_record.py::test_a_late_created_leaves_a_canceled_booking_canceled",
        ),
    ),
    SeededBug(
        name="of-two-at-one-time-the-first-wins",
        why="The order is by event time alone, as if no two bodies ever had the same.",
        rows=(7, 44),
        replacements=(Replace(BOOKING, "return self.event_time, self.digest", 'return self.event_time, ""'),),
        caught_by=by_tests(
            "unit/test_booking.py::test_of_two_bodies_of_one_event_time_the_greater_digest_wins_in_either_order",
            "unit/test_record.py::test_of_two_bodies_of_one_time_the_same_wins_and_each_time_it_is_a_conflict",
            "unit/test_booking.py::test_any_order_and_any_duplication_of_a_history_ends_in_the_same_booking",
        ),
    ),
    SeededBug(
        name="a-duplicate-is-written-again",
        why="To write what stands there already is thought to do no harm; each write is a revision more.",
        rows=(1, 16, 17, 20, 24, 44),
        replacements=(
            Replace(
                BOOKING,
                "if booking and present and present.order >= delivery.event.order:",
                "if booking and present and present.order > delivery.event.order:",
            ),
        ),
        caught_by=by_tests(
            "unit/test_booking.py::test_the_same_delivery_again_gives_the_very_same_booking",
            "unit/test_record.py::test_a_delivery_that_is_already_merged_is_a_duplicate_and_not_written",
            "unit/test_record.py::test_two_handlers_on_one_message_write_it_once",
            "unit/test_record.py::test_a_write_whose_answer_was_lost_is_found_as_merged",
            "unit/test_booking.py::test_a_history_replayed_into_its_own_booking_changes_nothing",
        ),
    ),
    SeededBug(
        name="an-event-id-depends-on-the-clock",
        why="An id must be unique, so the time goes into it; a second emission has another one.",
        rows=(27,),
        replacements=(
            Replace(DOMAIN_EVENTS, "import re\n", "import re\nimport time\n"),
            Replace(
                DOMAIN_EVENTS,
                "parts = [after.booking_id, str(after.revision)]",
                "parts = [after.booking_id, str(after.revision), str(time.time_ns())]",
            ),
        ),
        caught_by=by_tests(
            "unit/test_domain_events.py::test_the_same_change_again_is_the_same_event_to_the_letter"
        ),
    ),
    SeededBug(
        name="an-event-id-tells-only-where-a-change-led",
        why="Booking, revision and state are thought to tell it; a rebuilt table gets there another way.",
        rows=(44,),
        replacements=(
            Replace(DOMAIN_EVENTS, "for snapshot in (before, after):", "for snapshot in (after,):"),
        ),
        caught_by=by_tests(
            "unit/test_domain_events.py::test_a_table_rebuilt_in_another_order_uses_no_id_for_another_event"
        ),
    ),
    SeededBug(
        name="an-erased-booking-comes-back",
        why="The tombstone is left, and nobody looks at it.",
        rows=(52,),
        replacements=(
            Replace(
                RECORD,
                "if isinstance(stored, Tombstone) and delivery.event.event_time <= stored.erased_at:",
                "if isinstance(stored, Tombstone) and delivery.event.event_time <= 0:",
            ),
        ),
        caught_by=by_tests(
            "unit/test_record.py::test_a_delivery_of_an_erased_booking_is_dropped_and_counted"
        ),
    ),
)

"""Bugs in what a booking is: how deliveries become one, and what its events tell."""

from tests.seeded_bugs.bugs import Replace, SeededBug, by_tests

BODY = "layers/runtime/bookings/zoom/body.py"
BOOKING = "layers/runtime/bookings/domain/booking.py"
DOMAIN_EVENTS = "layers/runtime/bookings/domain/events.py"

BUGS = (
    SeededBug(
        name="the-last-write-wins",
        why="What comes last is taken for what happened last.",
        rows=(3, 6, 44, 45),
        replacements=(
            Replace(
                BOOKING,
                "if booking and present and present.order >= delivery.event.order:",
                "if booking and present and present.order == delivery.event.order:",
            ),
        ),
        caught_by=by_tests(
            "unit/test_merge_algebra.py::"
            "test_every_order_of_up_to_four_deliveries_of_a_small_domain_makes_what_the_design_says",
            "unit/test_booking.py::test_an_older_created_after_a_newer_one_changes_nothing",
            "unit/test_record.py::test_a_delivery_older_than_what_is_kept_is_superseded",
            "unit/test_record.py::test_a_delivery_from_a_dlq_days_later_is_placed_by_its_event_time",
            "unit/test_from_the_door_to_the_table.py::"
            "test_a_retry_85_minutes_later_is_merged_by_its_event_time",
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
            "adapters/test_handlers.py::test_a_cancel_that_comes_first_is_a_canceled_booking_announced_once",
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
            "unit/test_from_the_door_to_the_table.py::"
            "test_a_history_replayed_into_an_empty_table_ends_in_the_same_items_and_uses_no_id_for_another_event",
        ),
    ),
    SeededBug(
        name="a-duplicate-is-written-again",
        why="To write what stands there already is thought to do no harm; each write is a revision more.",
        rows=(1, 2, 9, 16, 17, 20, 24, 41, 44),
        replacements=(
            Replace(
                BOOKING,
                "if booking and present and present.order >= delivery.event.order:",
                "if booking and present and present.order > delivery.event.order:",
            ),
        ),
        caught_by=by_tests(
            "adapters/test_handlers.py::test_the_same_delivery_again_is_one_write_and_one_event",
            "adapters/test_table.py::test_a_write_whose_answer_was_lost_is_found_done_when_the_message_comes_again",
            "unit/test_batch.py::test_created_and_canceled_and_a_duplicate_in_one_batch_end_in_one_booking",
            "unit/test_record.py::test_a_history_in_any_order_with_duplicates_ends_in_the_same_item",
            "unit/test_booking.py::test_the_same_delivery_again_gives_the_very_same_booking",
            "unit/test_record.py::test_a_delivery_that_is_already_merged_is_a_duplicate_and_not_written",
            "unit/test_record.py::test_two_handlers_on_one_message_write_it_once",
            "unit/test_record.py::test_a_write_whose_answer_was_lost_is_found_as_merged",
            "unit/test_booking.py::test_a_history_replayed_into_its_own_booking_changes_nothing",
            "unit/test_from_the_door_to_the_table.py::"
            "test_a_captured_request_replayed_within_the_window_is_one_booking_and_one_event",
            "unit/test_from_the_door_to_the_table.py::"
            "test_the_same_event_written_another_way_is_no_second_event",
            "unit/test_from_the_door_to_the_table.py::"
            "test_a_delivery_that_both_ways_have_taken_is_one_booking_and_one_event",
            "unit/test_from_the_door_to_the_table.py::"
            "test_a_history_replayed_into_its_table_writes_nothing_and_tells_nobody",
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
            Replace(
                DOMAIN_EVENTS,
                'for name, snapshot in (("before", before), ("after", after)):',
                'for name, snapshot in (("after", after),):',
            ),
        ),
        caught_by=by_tests(
            "unit/test_domain_events.py::test_a_table_rebuilt_in_another_order_uses_no_id_for_another_event",
            "unit/test_from_the_door_to_the_table.py::"
            "test_a_history_replayed_into_an_empty_table_ends_in_the_same_items_and_uses_no_id_for_another_event",
        ),
    ),
    SeededBug(
        name="a-digest-is-of-the-body-as-it-was-written",
        why="A body is its bytes; the same event written another way is then another one.",
        rows=(2,),
        replacements=(Replace(BODY, "sort_keys=True", "sort_keys=False"),),
        caught_by=by_tests(
            "unit/zoom/test_body.py::test_every_way_to_write_a_value_has_one_canonical_form",
            "unit/zoom/test_body.py::test_a_delivery_written_again_has_the_same_digest",
            "unit/test_from_the_door_to_the_table.py::"
            "test_the_same_event_written_another_way_is_no_second_event",
        ),
    ),
    SeededBug(
        name="a-cancel-of-the-same-moment-loses",
        why="Newer is written as later; a booking canceled within its own millisecond stands.",
        rows=(5,),
        replacements=(
            Replace(
                BOOKING,
                "event.event_time >= created.event_time)",
                "event.event_time > created.event_time + MOVE_WINDOW_MS)",
            ),
        ),
        caught_by=by_tests("unit/test_booking.py::test_the_state_follows_from_the_three_maxima_by_the_rule"),
    ),
    SeededBug(
        name="a-booking-is-updated-when-it-arrives",
        why="The newest delivery is the last one that came.",
        rows=(3,),
        replacements=(
            Replace(
                BOOKING,
                "return max(self.deliveries.values(), key=lambda event: event.order)",
                "return list(self.deliveries.values())[-1]",
            ),
        ),
        caught_by=by_tests(
            "unit/test_booking.py::test_the_booking_is_updated_at_its_newest_delivery_whatever_came_last"
        ),
    ),
    SeededBug(
        name="a-moved-booking-is-a-lost-customer",
        why="A canceled booking is canceled, whatever becomes of it.",
        rows=(5,),
        replacements=(
            Replace(
                BOOKING,
                "rescheduled=(canceled_by or deliveries[Kind.CREATED]).rescheduled,",
                "rescheduled=not canceled_by and deliveries[Kind.CREATED].rescheduled,",
            ),
        ),
        caught_by=by_tests(
            "unit/test_booking.py::test_the_old_half_of_a_move_under_its_own_id_is_canceled_and_rescheduled"
        ),
    ),
    SeededBug(
        name="a-new-version-makes-new-ids",
        why="Ids get longer or shorter; while versions run side by side, one change is two events.",
        rows=(46,),
        replacements=(
            Replace(DOMAIN_EVENTS, "parts = [after.booking_id, ", 'parts = ["2", after.booking_id, '),
        ),
        caught_by=by_tests("unit/test_domain_events.py::test_every_version_gives_a_change_the_same_id"),
    ),
    SeededBug(
        name="links-are-shared-with-everybody",
        why="A subscriber will want to link to the meeting.",
        rows=(43,),
        replacements=(
            Replace(
                DOMAIN_EVENTS,
                "    if share_access_links:\n        return fields\n",
                "    if share_access_links or fields:\n        return fields\n",
            ),
        ),
        caught_by=by_tests(
            "unit/test_domain_events.py::test_unless_shared_an_event_has_no_link_and_no_passcode"
        ),
    ),
)

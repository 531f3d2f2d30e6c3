"""Bugs in the handlers: a batch of messages, the write of each, the item it becomes."""

from tests.seeded_bugs.bugs import Replace, SeededBug, by_tests

BATCH = "layers/runtime/bookings/batch.py"
DELIVERY = "layers/runtime/bookings/zoom/delivery.py"
ENVELOPE = "layers/runtime/bookings/envelope.py"
LIMITS = "layers/runtime/bookings/limits.py"
RECORD = "layers/runtime/bookings/use_cases/record.py"
TABLE = "layers/runtime/bookings/aws/table.py"

_OF_BATCHES = (
    SeededBug(
        name="a-whole-batch-is-deleted-on-a-partial-failure",
        why="What failed was logged, and the invocation succeeded.",
        rows=(18,),
        replacements=(Replace(BATCH, "return response", 'return {"batchItemFailures": []}'),),
        caught_by=by_tests(
            "unit/test_batch.py::test_of_any_pattern_of_bad_messages_exactly_the_bad_ones_come_again"
        ),
    ),
    SeededBug(
        name="a-whole-batch-comes-back-on-a-partial-failure",
        why="Duplicates do no harm; but one poison message takes nine others to the DLQ.",
        rows=(18, 20, 21),
        replacements=(
            Replace(
                BATCH,
                "        return response\n",
                '        if response["batchItemFailures"]:\n'
                '            records = event["Records"]\n'
                '            failures = [{"itemIdentifier": each["messageId"]} for each in records]\n'
                '            return {"batchItemFailures": failures}\n'
                "        return response\n",
            ),
        ),
        caught_by=by_tests(
            "adapters/test_handlers.py::test_a_bad_message_fails_alone",
            "unit/test_batch.py::test_of_any_pattern_of_bad_messages_exactly_the_bad_ones_come_again",
            "unit/test_batch.py::test_a_poison_message_fails_alone_and_is_not_delayed",
        ),
    ),
    SeededBug(
        name="a-batch-that-fails-as-a-whole-raises",
        why="The library's default; then Lambda counts an error, and the delays are never set.",
        rows=(18,),
        replacements=(
            Replace(BATCH, "raise_on_entire_batch_failure=False", "raise_on_entire_batch_failure=True"),
        ),
        caught_by=by_tests(
            "unit/test_batch.py::test_a_batch_that_fails_as_a_whole_is_returned_and_raises_nothing"
        ),
    ),
    SeededBug(
        name="a-record-that-failed-is-done",
        why="An error is caught, logged and counted, and not raised again.",
        rows=(19, 20, 21, 22),
        replacements=(
            Replace(
                BATCH,
                "**describe(error)})\n                raise\n",
                "**describe(error)})\n                return\n",
            ),
        ),
        caught_by=by_tests(
            "unit/test_batch.py::test_a_bug_fails_its_record_and_no_other",
            "unit/test_batch.py::test_a_poison_message_fails_alone_and_is_not_delayed",
            "unit/test_batch.py::test_a_record_that_fails_because_a_service_is_down_comes_back_later_each_time",
            "adapters/test_handlers.py::"
            "test_a_bug_brings_its_record_back_ten_times_and_then_into_the_dlq_while_others_go_on",
        ),
    ),
    SeededBug(
        name="only-our-own-errors-fail-a-record",
        why="What else is raised is a bug, which shall be seen; it takes the whole batch with it.",
        rows=(19,),
        replacements=(
            Replace(
                BATCH,
                "        response = process_partial_response(\n"
                "            event=dict(event), record_handler=record_message, processor=processor\n"
                "        )\n",
                "        response: Any = {'batchItemFailures': []}\n"
                "        for each in event['Records']:\n"
                "            try:\n"
                "                record_message(SQSRecord(each))\n"
                "            except ServiceError:\n"
                "                failure = {'itemIdentifier': each['messageId']}\n"
                "                response['batchItemFailures'].append(failure)\n",
            ),
        ),
        caught_by=by_tests("unit/test_batch.py::test_a_bug_fails_its_record_and_no_other"),
    ),
    SeededBug(
        name="a-batch-is-read-before-any-of-it-is-recorded",
        why="To know early what is in it; one message that can't be read fails all.",
        rows=(18, 20, 21),
        replacements=(
            Replace(
                BATCH,
                "        delayed: list[tuple[str, int]] = []\n",
                "        delayed: list[tuple[str, int]] = []\n"
                "        for each in event['Records']:\n"
                "            parse_message(each['body'])\n",
            ),
            Replace(
                BATCH,
                "from bookings.errors import ServiceError",
                "from bookings.envelope import parse_message\nfrom bookings.errors import ServiceError",
            ),
        ),
        caught_by=by_tests(
            "unit/test_batch.py::test_of_any_pattern_of_bad_messages_exactly_the_bad_ones_come_again",
            "unit/test_batch.py::test_a_poison_message_fails_alone_and_is_not_delayed",
        ),
    ),
    SeededBug(
        name="what-is-no-event-is-done",
        why="A message that can't be read now can't be read later either.",
        rows=(21,),
        replacements=(
            Replace(
                RECORD,
                "from bookings.errors import FieldError",
                "from bookings.errors import BookingsError, FieldError",
            ),
            Replace(
                RECORD,
                "        envelope = parse_message(message)\n",
                "        try:\n"
                "            envelope = parse_message(message)\n"
                "        except BookingsError:\n"
                '            return Recorded(Count.RECORD_FAILED, "unknown", None)\n',
            ),
        ),
        caught_by=by_tests("unit/test_record.py::test_a_message_that_is_no_delivery_is_refused_by_itself"),
    ),
    SeededBug(
        name="every-record-comes-back-when-its-queue-says-so",
        why="The visibility timeout is there for it; ten receives of a minute are over before the outage.",
        rows=(22,),
        replacements=(
            Replace(
                BATCH,
                "                    delayed.append((record.receipt_handle, delay_seconds(receives)))\n",
                "                    delay_seconds(receives)\n",
            ),
        ),
        caught_by=by_tests(
            "unit/test_batch.py::test_a_record_that_fails_because_a_service_is_down_comes_back_later_each_time",
            "unit/test_batch.py::test_an_outage_of_an_hour_leaves_nothing_in_the_dlq",
        ),
    ),
    SeededBug(
        name="a-record-comes-back-after-the-same-time-each-time",
        why="A minute is long enough.",
        rows=(22, 47),
        replacements=(
            Replace(
                BATCH,
                "return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS << min(receives - 1, 10))",
                "return FIRST_DELAY_SECONDS",
            ),
        ),
        caught_by=by_tests(
            "unit/test_batch.py::test_ten_receives_outlast_an_outage_of_an_hour",
            "unit/test_batch.py::test_an_outage_of_an_hour_leaves_nothing_in_the_dlq",
            "adapters/test_handlers.py::test_a_table_that_is_down_makes_a_record_come_back_later_each_time",
        ),
    ),
    SeededBug(
        name="a-throttled-write-waits-for-the-queue",
        why="The record comes back anyway.",
        rows=(22,),
        replacements=(Replace(LIMITS, "TABLE_ATTEMPTS = 2", "TABLE_ATTEMPTS = 1"),),
        caught_by=by_tests(
            "adapters/test_handlers.py::"
            "test_a_write_that_the_table_throttles_once_is_made_again_within_the_invocation"
        ),
    ),
    SeededBug(
        name="a-poison-message-is-delayed-like-any-other",
        why="Whatever fails comes back later; the alarm comes an hour later too.",
        rows=(20,),
        replacements=(
            Replace(BATCH, "if isinstance(error, ServiceUnavailable):", "if isinstance(error, Exception):"),
        ),
        caught_by=by_tests("unit/test_batch.py::test_a_poison_message_fails_alone_and_is_not_delayed"),
    ),
    SeededBug(
        name="a-record-is-begun-with-no-time-left",
        why="It may just be in time; else Lambda kills the process over it, and over the answer.",
        rows=(25,),
        replacements=(
            Replace(BATCH, "if remaining_ms() < RESERVED_SECONDS * 1000:", "if remaining_ms() < 0:"),
        ),
        caught_by=by_tests("unit/test_batch.py::test_no_record_is_begun_that_might_not_be_finished_in_time"),
    ),
    SeededBug(
        name="no-time-is-reserved-for-the-delay",
        why="The record alone takes its time; the call that delays those that failed is forgotten.",
        rows=(22,),
        replacements=(
            Replace(
                LIMITS,
                "RESERVED_SECONDS = RECORD_SECONDS + CALL_SECONDS",
                "RESERVED_SECONDS = RECORD_SECONDS",
            ),
        ),
        caught_by=by_tests(
            "unit/test_limits.py::test_a_record_begun_in_time_is_done_before_its_function_ends"
        ),
    ),
    SeededBug(
        name="a-redriven-message-is-no-event",
        why="Only what comes without attributes comes from the bus.",
        rows=(15,),
        replacements=(
            Replace(
                BATCH,
                "                recorded = self._recorder.record(record.body)\n",
                "                if record['messageAttributes']:\n"
                "                    raise ValueError('not from the bus')\n"
                "                recorded = self._recorder.record(record.body)\n",
            ),
        ),
        caught_by=by_tests(
            "unit/test_batch.py::test_what_a_rule_could_not_send_is_recorded_once_it_is_redriven"
        ),
    ),
    SeededBug(
        name="a-delay-is-never-set",
        why="Zero means the queue's default; it means at once.",
        rows=(22,),
        replacements=(
            Replace(
                "layers/runtime/bookings/aws/queues.py",
                '"VisibilityTimeout": seconds}',
                '"VisibilityTimeout": 0 * seconds}',
            ),
        ),
        caught_by=by_tests("adapters/test_queues.py::test_a_delayed_message_comes_again_when_it_is_told_to"),
    ),
    SeededBug(
        name="an-event-needs-no-detail",
        why="What is missing will be found missing by whoever needs it.",
        rows=(21,),
        replacements=(Replace(ENVELOPE, " or not isinstance(detail, dict):", ":"),),
        caught_by=by_tests(
            "unit/test_envelope.py::test_a_message_that_is_no_event_is_refused_with_what_is_missing"
        ),
    ),
    SeededBug(
        name="nobody-is-told-of-bodies-given-up",
        why="The fields are all there.",
        rows=(51,),
        replacements=(
            Replace(RECORD, "return Count.BOOKING_WRITTEN, given_up", "return Count.BOOKING_WRITTEN, 0"),
            Replace(BATCH, '                    "bodies_given_up": recorded.bodies_given_up,\n', ""),
        ),
        caught_by=by_tests(
            "unit/test_record.py::test_bodies_given_up_for_size_are_counted_and_told",
            "unit/test_batch.py::test_bodies_given_up_for_size_are_logged",
        ),
    ),
)

_OF_WRITES = (
    SeededBug(
        name="a-duplicate-is-suppressed-before-its-effect",
        why="A message is noted as seen, and then recorded; if that fails, its next life is a duplicate.",
        rows=(22, 47),
        replacements=(
            Replace(
                RECORD,
                "        self._count = count\n\n    def record(",
                "        self._count = count\n        self._seen: set[str] = set()\n\n    def record(",
            ),
            Replace(
                RECORD,
                "        outcome, given_up = self._merge_into_table(delivery)\n",
                "        if delivery.event.digest in self._seen:\n"
                "            return Recorded(Count.DUPLICATE, delivery.booking_id, envelope.request_id)\n"
                "        self._seen.add(delivery.event.digest)\n"
                "        outcome, given_up = self._merge_into_table(delivery)\n",
            ),
        ),
        caught_by=by_tests("unit/test_record.py::test_while_the_table_is_down_the_delivery_comes_back"),
    ),
    SeededBug(
        name="a-write-that-failed-is-forgotten",
        why="The table will be back, and Zoom sends everything again.",
        rows=(22, 24, 47),
        replacements=(
            Replace(
                RECORD,
                "            except BookingTooLarge:\n",
                "            except ServiceUnavailable:\n"
                "                return Count.SUPERSEDED, 0\n"
                "            except BookingTooLarge:\n",
            ),
        ),
        caught_by=by_tests(
            "unit/test_record.py::test_while_the_table_is_down_the_delivery_comes_back",
            "unit/test_record.py::test_a_write_whose_answer_was_lost_is_found_as_merged",
        ),
    ),
    SeededBug(
        name="a-lost-swap-is-tried-again-without-the-winner",
        why="A write that lost is made again as it was, on the condition that now holds.",
        rows=(17, 23),
        replacements=(Replace(RECORD, "merged = merge(known, delivery)", "merged = merge(None, delivery)"),),
        caught_by=by_tests(
            "unit/test_record.py::test_a_write_that_lost_is_merged_with_the_winner_and_tried_again",
            "unit/test_record.py::test_a_later_delivery_is_merged_with_what_the_refused_write_gave_back",
        ),
    ),
    SeededBug(
        name="a-lost-swap-is-tried-without-end",
        why="In the end it must succeed.",
        rows=(23,),
        replacements=(
            Replace(
                RECORD, "for attempt in range(WRITE_ATTEMPTS):", "for attempt in range(10 * WRITE_ATTEMPTS):"
            ),
        ),
        caught_by=by_tests(
            "unit/test_record.py::test_the_tries_are_bounded_and_then_the_delivery_comes_back"
        ),
    ),
    SeededBug(
        name="a-write-has-no-condition",
        why="It was read a moment ago.",
        rows=(17, 23),
        replacements=(Replace(TABLE, "                    **condition,\n", ""),),
        caught_by=by_tests(
            "adapters/test_table.py::test_a_first_write_makes_the_item_and_a_second_first_write_is_told_what_stands_there",
            "adapters/test_table.py::test_a_write_replaces_the_revision_it_names_and_no_other",
            "adapters/test_table.py::test_two_handlers_at_once_both_win_in_the_end",
        ),
    ),
    SeededBug(
        name="what-is-too-large-is-poison",
        why="It can't be kept, so it fails.",
        rows=(51,),
        replacements=(
            Replace(
                RECORD,
                "                self._set_aside(delivery, now)\n"
                "                return Count.QUARANTINED, 0\n",
                "                raise\n",
            ),
        ),
        caught_by=by_tests("unit/test_record.py::test_a_booking_that_does_not_fit_is_in_quarantine_whole"),
    ),
    SeededBug(
        name="an-item-gives-up-its-newest-body-first",
        why="It is the one that made it too large.",
        rows=(51,),
        replacements=(
            Replace(
                TABLE,
                "sorted(booking.deliveries.items(), key=lambda entry: entry[1].order):",
                "sorted(booking.deliveries.items(), key=lambda entry: entry[1].order, reverse=True):",
            ),
        ),
        caught_by=by_tests(
            "adapters/test_table.py::test_an_item_gives_up_the_older_bodies_first_and_the_newest_last"
        ),
    ),
    SeededBug(
        name="what-is-past-its-retention-is-written",
        why="DynamoDB deletes it by itself.",
        rows=(52,),
        replacements=(
            Replace(
                RECORD,
                "if self._past_retention(merged, now):",
                "if not merged and self._past_retention(merged, now):",
            ),
        ),
        caught_by=by_tests(
            "unit/test_record.py::test_a_delivery_past_its_retention_is_counted_and_not_written",
            "unit/test_record.py::"
            "test_a_delivery_past_its_retention_does_not_renew_a_booking_that_is_past_it_too",
        ),
    ),
    SeededBug(
        name="what-looks-expired-is-dropped-unread",
        why="It is past its retention; that its booking may not be is found out only by a look at it.",
        rows=(),
        replacements=(Replace(RECORD, "                if is_read:\n", "                if merged:\n"),),
        caught_by=by_tests(
            "unit/test_record.py::"
            "test_a_late_canceled_that_tells_no_end_cancels_a_booking_that_is_not_past_its_retention"
        ),
    ),
    SeededBug(
        name="what-is-past-its-retention-is-read-again-and-again",
        why="A booking that was read looks expired too, and what looks expired is read.",
        rows=(52,),
        replacements=(
            Replace(
                RECORD,
                "stored, is_read = self._store.load(delivery.booking_id), True",
                "stored = self._store.load(delivery.booking_id)",
            ),
        ),
        caught_by=by_tests(
            "unit/test_record.py::test_a_delivery_past_its_retention_is_counted_and_not_written",
            "unit/test_record.py::"
            "test_a_delivery_past_its_retention_does_not_renew_a_booking_that_is_past_it_too",
        ),
    ),
    SeededBug(
        name="a-booking-that-cannot-be-read-is-past-its-retention",
        why="The delivery is, by all that is known; what is not known is whether its booking is.",
        rows=(22, 47),
        replacements=(
            Replace(
                RECORD,
                "                stored, is_read = self._store.load(delivery.booking_id), True\n",
                "                try:\n"
                "                    stored, is_read = self._store.load(delivery.booking_id), True\n"
                "                except ServiceUnavailable:\n"
                "                    return Count.PAST_RETENTION, 0\n",
            ),
        ),
        caught_by=by_tests(
            "unit/test_record.py::"
            "test_a_delivery_past_its_retention_comes_back_while_its_booking_cannot_be_read"
        ),
    ),
    SeededBug(
        name="a-booking-is-read-as-it-once-was",
        why="A read that need not be consistent costs half; a booking of a moment ago is not found by it.",
        rows=(),
        replacements=(Replace(TABLE, "                ConsistentRead=True,\n", ""),),
        caught_by=by_tests(
            "adapters/test_table.py::test_a_read_is_of_what_was_written_last_and_none_where_nothing_stands"
        ),
    ),
    SeededBug(
        name="a-booking-that-is-read-is-there",
        why="Whoever asks for a booking knows of it.",
        rows=(),
        replacements=(
            Replace(
                TABLE,
                'return parse_item(answer["Item"]) if "Item" in answer else None',
                'return parse_item(answer["Item"])',
            ),
        ),
        caught_by=by_tests(
            "adapters/test_table.py::test_a_read_is_of_what_was_written_last_and_none_where_nothing_stands"
        ),
    ),
    SeededBug(
        name="a-read-that-fails-is-an-error-of-ours",
        why="Only writes fail; without a delay for it, ten receives are over in ten minutes.",
        rows=(22, 47),
        replacements=(
            Replace(
                TABLE,
                "        with translated_errors(_SERVICE):\n            answer = call(\n",
                "        if True:\n            answer = call(\n",
            ),
        ),
        caught_by=by_tests("adapters/test_table.py::test_a_failed_read_is_told_by_its_code_alone"),
    ),
    SeededBug(
        name="an-erased-booking-comes-back",
        why="The tombstone is left, and nobody looks at it.",
        rows=(52,),
        replacements=(
            Replace(
                RECORD,
                "if erased_until is not None and delivery.event.event_time <= erased_until:",
                "if erased_until is not None and delivery.event.event_time <= 0:",
            ),
        ),
        caught_by=by_tests(
            "unit/test_record.py::test_a_delivery_of_an_erased_booking_is_dropped_and_counted",
            "adapters/test_table.py::"
            "test_a_late_retry_does_not_bring_an_erased_booking_back_and_a_new_booking_does",
            "unit/cli/test_erase.py::test_an_older_delivery_does_not_bring_an_erased_booking_back",
        ),
    ),
    SeededBug(
        name="nothing-is-left-of-an-erased-booking",
        why="To erase is to delete; then a late retry brings it back.",
        rows=(52,),
        replacements=(
            Replace(
                TABLE,
                '    if "erased_at" in values:\n        return Tombstone(',
                '    if "erased" in values:\n        return Tombstone(',
            ),
        ),
        caught_by=by_tests(
            "adapters/test_table.py::test_a_write_over_an_erased_booking_is_told_of_the_erasure"
        ),
    ),
    SeededBug(
        name="a-tombstone-has-no-revision",
        why="Nothing is left to count; a writer that was under way then can't tell that it lost.",
        rows=(52,),
        replacements=(Replace(TABLE, '        "revision": tombstone.revision,\n', ""),),
        caught_by=by_tests("unit/cli/test_erase.py::test_only_key_revision_and_time_are_left"),
    ),
    SeededBug(
        name="the-newest-body-is-never-given-up",
        why="It is the one that counts; an item that is too large for it is not written at all.",
        rows=(51,),
        replacements=(
            Replace(
                TABLE,
                "sorted(booking.deliveries.items(), key=lambda entry: entry[1].order):",
                "sorted(booking.deliveries.items(), key=lambda entry: entry[1].order)[:-1]:",
            ),
        ),
        caught_by=by_tests(
            "adapters/test_table.py::test_an_item_gives_up_even_the_newest_body_before_it_is_too_large"
        ),
    ),
    SeededBug(
        name="an-item-is-as-large-as-it-is",
        why="A booking is small.",
        rows=(51,),
        replacements=(Replace(LIMITS, "ITEM_BYTES = 380 * 1024", "ITEM_BYTES = 3800 * 1024"),),
        caught_by=by_tests(
            "adapters/test_table.py::test_an_item_gives_up_the_older_bodies_first_and_the_newest_last",
            "adapters/test_table.py::test_the_form_at_its_limits_is_accepted_and_canceled_in_four_byte_characters",
        ),
    ),
    SeededBug(
        name="a-booking-made-anew-forgets-that-it-was-erased",
        why="The tombstone has done its work; what was erased comes back into what was made anew.",
        rows=(52,),
        replacements=(
            Replace(
                RECORD,
                "return stored.erased_at if isinstance(stored, Tombstone) else stored.erased_until",
                "return stored.erased_at if isinstance(stored, Tombstone) else None",
            ),
        ),
        caught_by=by_tests(
            "unit/test_record.py::"
            "test_what_was_erased_stays_away_after_a_newer_delivery_has_made_the_booking_anew"
        ),
    ),
)

_OF_ITEMS = (
    SeededBug(
        name="an-empty-string-is-a-value",
        why="Zoom sent it; as the key of an index it makes the whole item refused.",
        rows=(54,),
        replacements=(
            Replace(
                DELIVERY,
                'return None if value in ("", [], {}) else value',
                "return None if value in ([], {}) else value",
            ),
        ),
        caught_by=by_tests(
            "unit/zoom/test_delivery.py::test_nothing_empty_is_left_at_any_depth",
            "unit/zoom/test_delivery.py::test_a_booking_of_which_nothing_but_its_event_id_is_known_is_a_delivery",
            "unit/zoom/test_delivery.py::test_the_created_sample_of_the_reference_tells_every_detail_it_has",
            "adapters/test_table.py::test_an_item_holds_what_the_contract_names_and_nothing_empty",
        ),
    ),
    SeededBug(
        name="an-item-may-have-no-attribute-that-we-do-not-know",
        why="What we don't know can't be ours; newer code beside this one may have written it.",
        rows=(46,),
        replacements=(
            Replace(
                TABLE,
                "details=Details(**{name: values[name] for name in names if name in values}),",
                "details=Details(**{name: value for name, value in values.items() if name in names "
                'or name not in {"zoom_events", "revision", "expires_at", "erased_until", "booking_id", '
                '"status", "rescheduled", "updated_at", "request_id"}}),',
            ),
        ),
        caught_by=by_tests("adapters/test_table.py::test_an_item_of_newer_code_with_more_attributes_is_read"),
    ),
    SeededBug(
        name="a-body-is-kept-in-another-packing",
        why="Bodies could be smaller; but the code that runs beside this one can't unpack them.",
        rows=(46,),
        replacements=(
            Replace(TABLE, "import zlib\n", "import lzma\nimport zlib\n"),
            Replace(TABLE, "zlib.compress(event.body)", "lzma.compress(event.body)"),
            Replace(
                TABLE,
                'body = zlib.decompress(values["body"]) if "body" in values else None',
                'packed = values.get("body")\n'
                "    unpack = lzma if packed and packed[:1] == b'\\xfd' else zlib\n"
                "    body = unpack.decompress(packed) if packed else None",
            ),
        ),
        caught_by=by_tests(
            "adapters/test_table.py::test_an_item_written_now_says_all_that_the_first_version_reads_in_it"
        ),
    ),
    SeededBug(
        name="a-body-has-another-digest-than-before",
        why="A better canonical form; what stands in the table has been made by the old one.",
        rows=(46,),
        replacements=(
            Replace(
                "layers/runtime/bookings/zoom/body.py", 'separators=(",", ":")', 'separators=(", ", ": ")'
            ),
        ),
        caught_by=by_tests(
            "adapters/test_table.py::test_an_item_written_by_the_first_version_is_read",
            "adapters/test_table.py::test_a_message_of_either_version_is_a_duplicate_to_the_other",
        ),
    ),
    SeededBug(
        name="a-location-is-what-is-documented",
        why="Six names stand in the reference.",
        rows=(37,),
        replacements=(
            Replace(
                DELIVERY,
                '    online_meeting = scheduled.get("external_location") or {}\n',
                '    online_meeting = scheduled.get("external_location") or {}\n'
                '    known = ("kind", "meeting_id", "meeting_passcode", "meeting_join_url")\n'
                "    online_meeting = {name: online_meeting.get(name) for name in known}\n"
                '    place = {"kind": place.get("kind")}\n',
            ),
        ),
        caught_by=by_tests(
            "unit/zoom/test_delivery.py::"
            "test_what_the_reference_does_not_know_stays_in_location_tracking_answers_and_the_kept_body",
            "adapters/test_table.py::test_a_field_that_zoom_adds_is_kept_and_announced",
        ),
    ),
    SeededBug(
        name="a-number-is-stored-however-long-it-is",
        why="DynamoDB takes it, and writes it with all its zeros; boto3 then refuses to read it.",
        rows=(),
        replacements=(
            Replace(TABLE, "fits = value == 0 or _SMALLEST <= abs(value) < _BEYOND", "fits = True"),
        ),
        caught_by=by_tests("adapters/test_table.py::test_number_is_read_by_us_and_by_boto3_or_is_text"),
    ),
    SeededBug(
        name="a-kept-body-is-read-by-rules-of-its-own",
        why="Decimals are more exact than floats.",
        rows=(46,),
        replacements=(
            Replace(
                DELIVERY,
                "return details_of(json.loads(body))",
                "return details_of(json.loads(body, parse_int=str))",
            ),
        ),
        caught_by=by_tests(
            "unit/zoom/test_delivery.py::test_the_kept_body_tells_the_same_details_as_the_delivery"
        ),
    ),
)

BUGS = (*_OF_BATCHES, *_OF_WRITES, *_OF_ITEMS)

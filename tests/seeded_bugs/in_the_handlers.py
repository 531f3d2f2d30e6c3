"""Bugs in the handlers: a batch of messages, and the write of each."""

from tests.seeded_bugs.bugs import Replace, SeededBug, by_tests

BATCH = "layers/runtime/bookings/batch.py"
RECORD = "layers/runtime/bookings/record.py"

BUGS = (
    SeededBug(
        name="a-whole-batch-is-deleted-on-a-partial-failure",
        why="What failed was logged, and the invocation succeeded.",
        rows=(18,),
        replacements=(Replace(BATCH, "return dict(response)", 'return {"batchItemFailures": []}'),),
        caught_by=by_tests(
            "unit/test_batch.py::test_of_any_pattern_of_bad_messages_exactly_the_bad_ones_come_again"
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
        ),
    ),
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
        name="a-lost-swap-is-tried-again-without-the-winner",
        why="A write that lost is made again as it was, on the condition that now holds.",
        rows=(17, 23),
        replacements=(Replace(RECORD, "merged = merge(known, delivery)", "merged = merge(None, delivery)"),),
        caught_by=by_tests(
            "unit/test_record.py::test_a_write_that_lost_is_merged_with_the_winner_and_tried_again",
            "unit/test_record.py::test_a_later_delivery_is_merged_with_what_the_refused_write_gave_back",
        ),
    ),
)

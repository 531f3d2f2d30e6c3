"""Bugs of what tells subscribers: the stream, and the bus behind it."""

from tests.seeded_bugs.bugs import Replace, SeededBug, by_tests

ANNOUNCE = "layers/runtime/bookings/use_cases/announce.py"
BUS = "layers/runtime/bookings/aws/bus.py"
HANDLER = "functions/booking_events/app.py"
SUBSCRIBER = "examples/subscriber/function/app.py"

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
            "unit/test_announce.py::test_when_the_bus_is_back_the_batch_is_announced_from_there",
            "unit/test_announce.py::test_what_the_bus_fails_once_is_sent_again_with_its_id",
            "unit/test_announce.py::test_while_the_bus_is_down_the_stream_waits_at_the_first_that_failed",
        ),
    ),
    SeededBug(
        name="the-stream-goes-on-behind-the-last-that-failed",
        why="A batch is as far as its end.",
        rows=(12, 27),
        replacements=(
            Replace(ANNOUNCE, "_sequence_number(pending[0][0])", "_sequence_number(pending[-1][0])"),
        ),
        caught_by=by_tests(
            "unit/test_announce.py::test_while_the_bus_is_down_the_stream_waits_at_the_first_that_failed"
        ),
    ),
    SeededBug(
        name="the-stream-is-not-told-to-wait",
        why="That the bus was down stands in the log.",
        rows=(12,),
        replacements=(
            Replace(
                HANDLER,
                '    return {"batchItemFailures": [{"itemIdentifier": announced.failed_from}]}\n',
                '    return {"batchItemFailures": []}\n',
            ),
        ),
        caught_by=by_tests(
            "unit/functions/test_handlers.py::test_a_batch_that_must_come_again_says_from_where",
            "adapters/test_handlers.py::test_a_bus_that_fails_costs_no_booking",
        ),
    ),
    SeededBug(
        name="results-are-told-by-what-failed",
        why="The failed ones are what matters; in another order they are blamed on others.",
        rows=(27,),
        replacements=(
            Replace(
                BUS,
                'return [_error_of(entry) for entry in answer["Entries"]]',
                'results = [_error_of(entry) for entry in answer["Entries"]]\n'
                "        return sorted(results, key=lambda error: not error)",
            ),
        ),
        caught_by=by_tests("adapters/test_bus.py::test_results_stand_in_the_order_of_the_events"),
    ),
    SeededBug(
        name="an-event-that-the-bus-refuses-is-dropped",
        why="It will never be taken.",
        rows=(26,),
        replacements=(
            Replace(
                ANNOUNCE,
                'refused.append(self._set_aside(record, "refused_by_bus", str(error), envelope))',
                'refused.append((_booking_id(record), "refused_by_bus"))',
            ),
        ),
        caught_by=by_tests(
            "unit/test_announce.py::"
            "test_an_event_that_the_bus_refuses_for_itself_is_whole_in_the_dlq_and_the_shard_goes_on"
        ),
    ),
    SeededBug(
        name="an-event-that-the-bus-refuses-holds-its-shard",
        why="A failure is a failure, and the stream comes again; until its records are a day old.",
        rows=(26,),
        replacements=(
            Replace(
                ANNOUNCE,
                "elif isinstance(error, RefusedByService):",
                "elif isinstance(error, ZeroDivisionError):",
            ),
        ),
        caught_by=by_tests(
            "unit/test_announce.py::"
            "test_an_event_that_the_bus_refuses_for_itself_is_whole_in_the_dlq_and_the_shard_goes_on"
        ),
    ),
    SeededBug(
        name="the-dlq-gets-the-position-of-an-event",
        why="The event is in the stream, where it can be read; for a day.",
        rows=(26,),
        replacements=(Replace(ANNOUNCE, 'message = head | {"event": whole}', "message = head"),),
        caught_by=by_tests(
            "unit/test_announce.py::"
            "test_an_event_that_the_bus_refuses_for_itself_is_whole_in_the_dlq_and_the_shard_goes_on"
        ),
    ),
    SeededBug(
        name="a-record-that-cant-be-read-fails-its-batch",
        why="It is a bug, which shall be seen.",
        rows=(26,),
        replacements=(
            Replace(
                ANNOUNCE,
                "            except Exception as error:  # noqa: BLE001",
                "            except ServiceError as error:  # noqa: BLE001",
            ),
        ),
        caught_by=by_tests(
            "adapters/test_handlers.py::test_a_change_that_can_not_be_read_goes_to_the_dlq_whole_and_the_others_go_on",
            "unit/test_announce.py::test_a_record_that_cannot_be_read_is_whole_in_the_dlq_and_the_shard_goes_on",
        ),
    ),
    SeededBug(
        name="a-refused-event-is-gone-while-the-dlq-is-down",
        why="There is nothing more to be done for it.",
        rows=(26,),
        replacements=(
            Replace(
                ANNOUNCE,
                "                    except ServiceError:\n"
                "                        failed.append((record, envelope))\n",
                "                    except ServiceError:\n"
                '                        refused.append(("", "lost"))\n',
            ),
        ),
        caught_by=by_tests(
            "unit/test_announce.py::test_while_the_dlq_is_down_a_refused_event_holds_the_shard"
        ),
    ),
    SeededBug(
        name="an-unknown-field-is-not-for-subscribers",
        why="Subscribers were promised what is documented.",
        rows=(37,),
        replacements=(
            Replace(
                "layers/runtime/bookings/domain/events.py",
                "    if share_access_links:\n        return fields\n",
                '    fields = {name: fields[name] for name in fields if name != "tracking"}\n'
                "    if share_access_links:\n        return fields\n",
            ),
        ),
        caught_by=by_tests(
            "unit/test_domain_events.py::test_fields_that_nobody_knows_yet_are_announced_as_they_are"
        ),
    ),
    SeededBug(
        name="a-subscribers-batch-is-done-though-some-of-it-failed",
        why="It was logged.",
        rows=(48,),
        replacements=(
            Replace(SUBSCRIBER, 'return {"batchItemFailures": failed}', 'return {"batchItemFailures": []}'),
        ),
        caught_by=by_tests(
            "adapters/test_subscriber_example.py::test_only_what_fails_comes_back",
            "adapters/test_subscriber_example.py::test_an_event_comes_back_while_the_table_is_down",
        ),
    ),
    SeededBug(
        name="a-call-that-is-refused-is-refused-for-all-of-it",
        why="The bus has said no; nine good events go to the DLQ with the bad one.",
        rows=(26,),
        replacements=(
            Replace(
                BUS,
                "            if len(envelopes) == 1:\n                return [error]\n",
                "            if envelopes:\n                return [error] * len(envelopes)\n",
            ),
        ),
        caught_by=by_tests(
            "adapters/test_bus.py::test_a_call_refused_as_a_whole_is_made_for_each_event_to_find_which"
        ),
    ),
    SeededBug(
        name="every-call-of-a-batch-waits-for-a-bus-that-is-down",
        why="The next one may be taken; and the invocation ends before the last has been tried.",
        rows=(12, 26),
        replacements=(
            Replace(
                BUS,
                "results.extend([down] * len(batch) if down else self._put(batch))",
                "results.extend(self._put(batch))",
            ),
        ),
        caught_by=by_tests(
            "adapters/test_bus.py::test_after_a_failure_the_rest_of_a_batch_is_not_tried",
            "adapters/test_bus.py::test_the_search_for_a_refused_event_stops_when_the_bus_fails",
        ),
    ),
    SeededBug(
        name="a-silent-bus-outlasts-the-function",
        why="Nobody waits for an announcement, so its calls may take their time; Lambda ends the third.",
        rows=(12,),
        replacements=(
            Replace(
                "layers/runtime/bookings/limits.py",
                "ANNOUNCE_READ_SECONDS = 3.0",
                "ANNOUNCE_READ_SECONDS = 6.0",
            ),
        ),
        caught_by=by_tests("unit/test_limits.py::test_a_silent_bus_ends_before_the_announcing_function"),
    ),
    SeededBug(
        name="the-bus-is-asked-whether-an-event-is-too-large",
        why="It knows its own limits; but it says no to the whole call, and to one of 1 MB in other words.",
        rows=(26,),
        replacements=(
            Replace(
                BUS,
                "if len(envelopes) == 1 and _size(envelopes[0]) > PUT_EVENTS_BYTES:",
                "if not envelopes:",
            ),
        ),
        caught_by=by_tests(
            "adapters/test_bus.py::test_an_event_over_the_limit_is_refused_without_a_call",
            "adapters/test_bus.py::test_an_event_over_the_limit_is_refused_by_itself_and_the_others_go_on",
        ),
    ),
    SeededBug(
        name="nobody-is-told-of-a-refused-event",
        why="It lies in the DLQ, where it can be seen.",
        rows=(26,),
        replacements=(Replace(HANDLER, "in announced.refused:", "in announced.refused[:0]:"),),
        caught_by=by_tests("unit/functions/test_handlers.py::test_each_event_that_was_refused_is_told"),
    ),
    SeededBug(
        name="what-is-too-large-for-the-dlq-holds-its-shard",
        why="What can't be put anywhere can't be done.",
        rows=(26,),
        replacements=(
            Replace(
                ANNOUNCE,
                "            self._dead_letters.send(_json(head))\n",
                "            raise\n",
            ),
        ),
        caught_by=by_tests(
            "unit/test_announce.py::test_what_does_not_even_fit_the_dlq_is_told_there_by_its_booking"
        ),
    ),
    SeededBug(
        name="what-stands-before-an-unreadable-record-waits-with-it",
        why="The stream brings it all again anyway.",
        rows=(26,),
        replacements=(
            Replace(
                ANNOUNCE,
                "return self._publish(events, refused, _sequence_number(record))",
                "return self._publish([], refused, _sequence_number(record))",
            ),
        ),
        caught_by=by_tests(
            "unit/test_announce.py::"
            "test_while_the_dlq_is_down_an_unreadable_record_holds_the_shard_and_what_is_before_it_is_published"
        ),
    ),
    SeededBug(
        name="a-record-that-cant-be-read-is-told-with-the-errors-words",
        why="A kind of error alone explains little; its words may be a value of the record.",
        rows=(43,),
        replacements=(
            Replace(
                ANNOUNCE,
                '"unreadable_record", type(error).__name__, None',
                '"unreadable_record", str(error), None',
            ),
        ),
        caught_by=by_tests(
            "unit/test_announce.py::test_what_a_failed_record_says_is_not_in_what_is_logged_of_it"
        ),
    ),
)

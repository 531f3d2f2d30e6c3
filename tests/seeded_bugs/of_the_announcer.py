"""Bugs of what tells subscribers: the stream, and the bus behind it."""

from tests.seeded_bugs.bugs import Replace, SeededBug, by_tests

ANNOUNCE = "layers/runtime/bookings/announce.py"
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
            "unit/test_announce.py::test_a_record_that_cannot_be_read_is_whole_in_the_dlq_and_the_shard_goes_on"
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
                "layers/runtime/bookings/domain_events.py",
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
)

"""Bugs at the door: who is let in, what is answered when, and where a delivery goes from there."""

from tests.seeded_bugs.bugs import Replace, SeededBug, by_tests

BATCH = "layers/runtime/bookings/batch.py"
BODY = "layers/runtime/bookings/zoom/body.py"
BUS = "layers/runtime/bookings/aws/bus.py"
CHALLENGE = "layers/runtime/bookings/zoom/challenge.py"
CLIENTS = "layers/runtime/bookings/aws/clients.py"
CLOCK = "layers/runtime/bookings/clock.py"
DELIVERY = "layers/runtime/bookings/zoom/delivery.py"
ERRORS = "layers/runtime/bookings/errors.py"
EVENTS = "layers/runtime/bookings/zoom/events.py"
LIMITS = "layers/runtime/bookings/limits.py"
PUBLISH = "layers/runtime/bookings/use_cases/publish.py"
PORTS = "layers/runtime/bookings/use_cases/ports.py"
QUARANTINE = "layers/runtime/bookings/use_cases/quarantine.py"
RECEIVE = "layers/runtime/bookings/use_cases/receive.py"
SECRETS = "layers/runtime/bookings/use_cases/live_secrets.py"
SETTINGS = "layers/runtime/bookings/settings.py"
SIGNATURE = "layers/runtime/bookings/zoom/signature.py"
VERIFY = "layers/runtime/bookings/use_cases/verify.py"
WEBHOOK = "functions/webhook/app.py"

_OF_DURABILITY = (
    SeededBug(
        name="the-door-acknowledges-what-is-not-durable",
        why="Zoom is thought to be served best by a quick 200; the log tells what went wrong.",
        rows=(13, 39),
        replacements=(
            Replace(
                RECEIVE,
                'return unavailable("not_durable", delivery.log | {"reason": str(error)})',
                'return delivery.answered(HTTPStatus.OK, "published", delivery.body.decode())',
            ),
        ),
        caught_by=by_tests(
            "adapters/test_handlers.py::test_with_no_durable_place_zoom_is_told_to_try_again",
            "adapters/test_runtime_client.py::test_services_that_are_all_silent_are_a_503_in_time_every_time",
            "unit/test_receive.py::test_with_both_ways_down_the_answer_is_503",
            "unit/test_receive.py::test_while_the_quarantine_is_down_the_unusable_is_answered_503",
        ),
    ),
    SeededBug(
        name="the-door-publishes-behind-its-answer",
        why="Publishing takes time that Zoom need not wait for, so a thread does it.",
        rows=(8, 9, 25),
        replacements=(
            Replace(RECEIVE, "import re\n", "import re\nimport threading\n"),
            Replace(
                RECEIVE,
                "            self._publisher.publish(envelope, delivery.deadline)\n",
                "            threading.Thread(\n"
                "                target=self._publisher.publish,\n"
                "                args=(envelope, delivery.deadline),\n"
                "                daemon=True,\n"
                "            ).start()\n",
            ),
        ),
        caught_by=by_tests(
            "adapters/test_runtime_client.py::"
            "test_a_process_killed_while_it_publishes_has_not_answered_and_the_retry_succeeds"
        ),
    ),
    SeededBug(
        name="an-unexpected-error-is-answered-200",
        why="A delivery that breaks the code would break it again, so Zoom is told not to repeat it.",
        rows=(8, 49),
        replacements=(
            Replace(
                WEBHOOK,
                'answer = unavailable("unexpected_error")',
                'answer = Answer(HTTPStatus.OK, log={"outcome": "unexpected_error"})',
            ),
            Replace(WEBHOOK, "import binascii\n", "import binascii\nfrom http import HTTPStatus\n"),
        ),
        caught_by=by_tests(
            "unit/functions/test_webhook.py::test_an_exception_at_any_line_is_answered_503_or_escapes",
            "unit/functions/test_webhook.py::test_an_unexpected_error_is_answered_503_without_detail",
        ),
    ),
    SeededBug(
        name="only-our-own-errors-are-caught",
        why="What else could be raised?",
        rows=(49,),
        replacements=(
            Replace(WEBHOOK, "except Exception as error:", "except BookingsError as error:"),
            Replace(WEBHOOK, "import describe\n", "import BookingsError, describe\n"),
        ),
        caught_by=by_tests(
            "unit/functions/test_webhook.py::test_an_event_that_no_gateway_sends_is_answered_503"
        ),
    ),
    SeededBug(
        name="a-failed-entry-is-a-success",
        why="PutEvents has answered 200.",
        rows=(10, 14),
        replacements=(Replace(BUS, 'if entry.get("EventId"):', "if entry is not None:"),),
        caught_by=by_tests("adapters/test_bus.py::test_a_failed_entry_in_an_answer_of_200_is_a_failure"),
    ),
    SeededBug(
        name="there-is-no-fallback",
        why="The bus is up 99.99 % of the time, and Zoom tries again.",
        rows=(10, 11, 12, 14, 47),
        replacements=(
            Replace(
                PUBLISH,
                "            publish_to(self._fallback, envelope, deadline)\n",
                "            raise\n",
            ),
        ),
        caught_by=by_tests(
            "adapters/test_runtime_client.py::test_a_silent_bus_is_passed_by_in_time",
            "unit/test_receive.py::test_the_fallback_carries_what_the_first_way_does_not_take",
            "unit/test_from_the_door_to_the_table.py::"
            "test_with_the_bus_down_for_a_day_every_booking_is_in_the_table_at_once",
            "unit/test_receive.py::test_with_the_bus_down_for_a_day_every_booking_goes_by_the_queues",
        ),
    ),
    SeededBug(
        name="an-answer-that-got-lost-is-taken-for-a-yes",
        why="What was sent will have arrived.",
        rows=(9, 11, 13),
        replacements=(
            Replace(
                PUBLISH,
                "        except ServiceError:\n            publish_to(self._fallback",
                "        except ServiceError as error:\n"
                '            if not getattr(error, "answered", True):\n'
                "                return\n"
                "            publish_to(self._fallback",
            ),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::test_an_answer_that_was_lost_makes_a_duplicate_and_no_loss",
            "unit/test_receive.py::test_with_both_ways_down_the_answer_is_503",
            "unit/test_receive.py::test_a_first_way_that_does_not_answer_is_not_tried_again",
        ),
    ),
    SeededBug(
        name="a-failure-is-not-tried-again-nor-passed-on",
        why="A throttled call is refused for good.",
        rows=(10,),
        replacements=(
            Replace(
                PUBLISH,
                "if not error.answered or not deadline.allows(",
                "if error.answered or not deadline.allows(",
            ),
        ),
        caught_by=by_tests(
            "unit/test_publish.py::test_each_call_leaves_the_next_one_its_time",
            "unit/test_receive.py::test_a_first_way_that_answers_is_tried_twice_before_the_fallback",
        ),
    ),
    SeededBug(
        name="each-call-has-its-time-and-none-is-kept-for-the-next",
        why="Every call has a time-out, so the answer must come in time.",
        rows=(11, 13),
        replacements=(
            Replace(CLOCK, "return self._clock.monotonic() + seconds <= self._end", "return True"),
        ),
        caught_by=by_tests(
            "unit/test_publish.py::test_each_call_leaves_the_next_one_its_time",
            "unit/test_receive.py::test_a_silent_secret_and_a_silent_bus_cost_one_retry",
            "unit/test_clock.py::test_a_deadline_allows_calls_that_end_by_then",
            "unit/test_receive.py::test_with_every_service_hanging_an_answer_leaves_in_time",
        ),
    ),
    SeededBug(
        name="the-first-way-uses-up-the-time-of-the-fallback",
        why="There is time left, so it is tried again.",
        rows=(11, 13),
        replacements=(
            Replace(
                PUBLISH,
                "publish_to(self._primary, envelope, deadline, reserved_seconds=CALL_SECONDS)",
                "publish_to(self._primary, envelope, deadline)",
            ),
        ),
        caught_by=by_tests(
            "unit/test_publish.py::test_each_call_leaves_the_next_one_its_time",
            "unit/test_receive.py::test_a_slow_secret_and_a_slow_bus_leave_the_fallback_enough_time",
        ),
    ),
    SeededBug(
        name="an-event-for-subscribers-uses-up-the-time-of-the-quarantine",
        why="It has no fallback to leave time for.",
        rows=(13, 36),
        replacements=(
            Replace(
                RECEIVE,
                "publish_to(self._bus, envelope, delivery.deadline, reserved_seconds=CALL_SECONDS)",
                "publish_to(self._bus, envelope, delivery.deadline)",
            ),
        ),
        caught_by=by_tests("unit/test_receive.py::test_unknown_event_leaves_the_quarantine_its_time"),
    ),
    SeededBug(
        name="a-second-try-takes-the-time-of-the-next-call",
        why="A second try is quick, so there will be time enough.",
        rows=(13, 36),
        replacements=(
            Replace(
                PUBLISH, "deadline.allows(CALL_SECONDS + reserved_seconds)", "deadline.allows(CALL_SECONDS)"
            ),
        ),
        caught_by=by_tests("unit/test_publish.py::test_event_for_subscribers_leaves_the_quarantine_its_time"),
    ),
    SeededBug(
        name="a-request-may-take-as-long-as-its-answer",
        why="2.5 s were promised; the function's own work is not counted.",
        rows=(13,),
        replacements=(Replace(LIMITS, "REQUEST_SECONDS = 2.3", "REQUEST_SECONDS = 2.5"),),
        caught_by=by_tests("unit/test_limits.py::test_request_ends_before_zoom_and_lambda_stop_waiting"),
    ),
    SeededBug(
        name="two-calls-take-longer-than-a-request",
        why="A second is a short time to wait for an answer.",
        rows=(13,),
        replacements=(Replace(LIMITS, "READ_SECONDS = 0.5", "READ_SECONDS = 1.0"),),
        caught_by=by_tests("unit/test_limits.py::test_silent_services_leave_time_for_the_answer"),
    ),
    SeededBug(
        name="a-call-may-take-longer-than-its-time",
        why="A slow answer is better than none.",
        rows=(11, 12, 13, 30),
        replacements=(Replace(CLIENTS, "read_timeout=read_seconds,", "read_timeout=6 * read_seconds,"),),
        caught_by=by_tests(
            "adapters/test_clients.py::test_silent_service_is_given_up_after_one_attempt",
            "adapters/test_clients.py::test_silent_bus_costs_a_batch_one_timeout",
            "adapters/test_clients.py::test_a_client_tries_once_unless_told_otherwise",
        ),
    ),
    SeededBug(
        name="a-connection-has-the-librarys-minute",
        why="The read has a time-out, and connecting is quick.",
        rows=(),
        replacements=(Replace(CLIENTS, "            connect_timeout=CONNECT_SECONDS,\n", ""),),
        caught_by=by_tests(
            "unit/test_clients.py::test_client_gives_up_early_and_tries_once",
            "adapters/test_clients.py::test_a_client_tries_once_unless_told_otherwise",
        ),
    ),
    SeededBug(
        name="the-library-tries-again-by-itself",
        why="Three attempts are its default, and the publisher doesn't count them.",
        rows=(11, 13, 30),
        replacements=(Replace(CLIENTS, "attempts: int = 1", "attempts: int = 3"),),
        caught_by=by_tests(
            "unit/test_clients.py::test_client_gives_up_early_and_tries_once",
            "adapters/test_clients.py::test_silent_service_is_given_up_after_one_attempt",
            "adapters/test_clients.py::test_a_client_tries_once_unless_told_otherwise",
        ),
    ),
    SeededBug(
        name="a-call-is-begun-that-may-pass-the-deadline",
        why="Some time is left, and most calls are quick.",
        rows=(13,),
        replacements=(Replace(CLIENTS, "not deadline.allows(CALL_SECONDS)", "not deadline.allows(0)"),),
        caught_by=by_tests(
            "unit/test_clients.py::test_call_that_could_pass_the_deadline_is_not_begun",
            "adapters/test_clients.py::test_too_little_time_left_makes_no_call",
            "adapters/test_clients.py::test_closed_call_is_not_made_again_without_time",
        ),
    ),
    SeededBug(
        name="a-closed-connection-is-a-failed-call",
        why="The fallback takes it; after each pause of the function it then takes the first delivery.",
        rows=(11, 24),
        replacements=(
            Replace(CLIENTS, "    except ConnectionClosedError:\n", "    except ZeroDivisionError:\n"),
        ),
        caught_by=by_tests(
            "unit/test_clients.py::test_only_a_closed_connection_is_retried_and_once",
            "adapters/test_runtime_client.py::test_closed_connection_costs_one_more_request",
            "adapters/test_clients.py::test_call_on_a_closed_connection_is_made_again",
            "adapters/test_clients.py::test_service_that_always_hangs_up_gets_two_requests",
            "adapters/test_table.py::test_write_before_a_closed_connection_is_found_at_once",
        ),
    ),
    SeededBug(
        name="a-closed-call-is-made-again-without-time",
        why="The second call is the first one, which had its time.",
        rows=(),
        replacements=(
            Replace(
                CLIENTS,
                "    except ConnectionClosedError:\n        _require_time(deadline)\n",
                "    except ConnectionClosedError:\n",
            ),
        ),
        caught_by=by_tests(
            "unit/test_clients.py::test_closed_connection_is_not_retried_without_time",
            "adapters/test_clients.py::test_closed_call_is_not_made_again_without_time",
        ),
    ),
    SeededBug(
        name="what-the-last-way-refuses-is-asked-for-again",
        why="Refused or down, Zoom will send it again; it is refused again, and then gone.",
        rows=(53,),
        replacements=(
            Replace(
                RECEIVE,
                "        except RefusedByService as error:\n            # Every retry",
                "        except ZeroDivisionError as error:\n            # Every retry",
            ),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::test_what_the_last_way_refuses_for_itself_is_in_quarantine"
        ),
    ),
    SeededBug(
        name="a-denied-permission-is-the-deliverys-fault",
        why="Access denied is a 4xx of AWS, and a 4xx is the caller's fault.",
        rows=(
            11,
            14,
            22,
            30,
            47,
        ),
        replacements=(
            Replace(CLIENTS, '    "InvalidAttributeValue",\n', '    "AccessDeniedException",\n'),
            Replace(CLIENTS, '    "InvalidMessageContents",\n', '    "KMSAccessDeniedException",\n'),
        ),
        caught_by=by_tests(
            "unit/test_clients.py::test_the_code_says_whether_a_retry_is_of_use",
            "adapters/test_bus.py::test_a_call_that_fails_as_a_whole_is_told_by_its_code",
            "adapters/test_table.py::test_a_failed_write_is_told_by_its_code_alone",
            "adapters/test_secret.py::test_a_secret_that_can_not_be_read_is_unavailable_in_both_versions",
            "adapters/test_clients.py::test_error_code_says_whether_a_retry_is_of_use",
            "adapters/test_handlers.py::test_a_table_that_is_down_makes_a_record_come_back_later_each_time",
        ),
    ),
    SeededBug(
        name="a-400-does-not-wait-for-the-quarantine",
        why="The quarantine is a convenience, and the answer is 400 either way.",
        rows=(
            39,
            47,
        ),
        replacements=(
            Replace(
                RECEIVE,
                "        self._quarantine.send(message, delivery.deadline)\n",
                "        try:\n"
                "            self._quarantine.send(message, delivery.deadline)\n"
                "        except ServiceError:\n"
                "            return\n",
            ),
        ),
        caught_by=by_tests(
            "adapters/test_handlers.py::test_a_quarantine_that_is_down_is_a_503",
            "unit/test_receive.py::test_while_the_quarantine_is_down_the_unusable_is_answered_503",
            "unit/test_receive.py::test_a_scheduler_event_that_neither_bus_nor_quarantine_takes_is_answered_503",
        ),
    ),
    SeededBug(
        name="the-quarantine-keeps-what-can-be-read",
        why="JSON wants text, so bytes that are none are left out.",
        rows=(38,),
        replacements=(
            Replace(
                QUARANTINE,
                "base64.b64encode(body).decode()",
                'base64.b64encode(body.decode("ascii", errors="ignore").encode()).decode()',
            ),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::test_what_is_authentic_but_unusable_is_in_quarantine_whole_before_the_answer"
        ),
    ),
    SeededBug(
        name="an-unknown-event-is-asked-for-again-while-the-bus-is-down",
        why="Zoom sends it three times; for the days of an outage nobody keeps it.",
        rows=(36,),
        replacements=(
            Replace(
                RECEIVE,
                "        except ServiceError as error:\n"
                "            return self._set_aside_unpublished(delivery, error)\n"
                "        self._count(Count.UNKNOWN",
                "        except ServiceError:\n            raise\n        self._count(Count.UNKNOWN",
            ),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::"
            "test_a_scheduler_event_we_have_no_model_for_goes_to_quarantine_while_the_bus_is_down"
        ),
    ),
    SeededBug(
        name="by-queue-an-event-has-another-shape",
        why="A detail is text, so it goes as text.",
        rows=(11,),
        replacements=(
            Replace(
                "layers/runtime/bookings/envelope.py",
                """return f'{head[:-1]}, "detail": {self.detail}}}'""",
                """return f'{head[:-1]}, "detail": {json.dumps(self.detail)}}}'""",
            ),
        ),
        caught_by=by_tests(
            "adapters/test_queues.py::test_a_handler_sees_no_difference_between_the_two_ways_of_an_event"
        ),
    ),
    SeededBug(
        name="what-cant-be-used-is-not-kept",
        why="It was refused, and Zoom was told why.",
        rows=(34, 38, 53),
        replacements=(
            Replace(
                RECEIVE,
                "            self._set_aside(delivery, error.reason, error.errors)\n"
                "            return problem(\n",
                "            return problem(\n",
            ),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::test_what_is_authentic_but_unusable_is_in_quarantine_whole_before_the_answer",
            "unit/test_receive.py::test_of_a_body_that_is_wrong_everywhere_the_fields_are_not_named",
            "unit/test_receive.py::test_the_most_errors_of_a_body_at_the_cap_fit_the_quarantine",
            "adapters/test_handlers.py::"
            "test_an_authentic_delivery_that_is_not_valid_stands_in_quarantine_before_the_answer",
        ),
    ),
    SeededBug(
        name="a-delivery-is-published-before-it-is-checked",
        why="Publishing is what takes time, so it comes first.",
        rows=(38,),
        replacements=(
            Replace(
                RECEIVE,
                '            delivery.log["booking_id"] = self._identify(body).booking_id\n'
                "            outcome = self._publish_handled(envelope, delivery)\n",
                "            outcome = self._publish_handled(envelope, delivery)\n"
                '            delivery.log["booking_id"] = self._identify(body).booking_id\n',
            ),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::test_what_is_authentic_but_unusable_is_in_quarantine_whole_before_the_answer"
        ),
    ),
    SeededBug(
        name="a-request-is-taken-once",
        why="A signature that was seen is a replay; so is whatever a second subscription sends.",
        rows=(1, 41),
        replacements=(
            Replace(
                VERIFY,
                "        self._clock = clock\n",
                "        self._clock = clock\n        self._seen: set[str] = set()\n",
            ),
            Replace(
                VERIFY,
                "        if body is None:\n            raise SignatureMismatch(",
                "        if signature in self._seen:\n"
                '            raise SignatureMismatch("seen before")\n'
                "        self._seen.add(signature)\n"
                "        if body is None:\n            raise SignatureMismatch(",
            ),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::test_the_same_request_again_within_the_window_is_published_again",
            "unit/test_from_the_door_to_the_table.py::"
            "test_a_captured_request_replayed_within_the_window_is_one_booking_and_one_event",
        ),
    ),
    SeededBug(
        name="a-secret-that-cant-be-read-fails-the-start",
        why="A function that can't verify shall not start.",
        rows=(30, 49),
        replacements=(
            Replace(VERIFY, "with contextlib.suppress(Exception):", "with contextlib.nullcontext():"),
        ),
        caught_by=by_tests(
            "unit/functions/test_webhook.py::test_start_succeeds_while_the_secret_cannot_be_read",
            "unit/functions/test_webhook.py::test_start_succeeds_though_the_read_of_the_secret_has_a_bug",
            "unit/functions/test_webhook.py::test_start_needs_no_service",
        ),
    ),
    SeededBug(
        name="a-start-that-fails-is-left-to-the-first-request",
        why="A function that has started can at least answer 503.",
        rows=(49,),
        replacements=(
            Replace(WEBHOOK, "import binascii\n", "import binascii\nimport contextlib\n"),
            Replace(
                WEBHOOK,
                "receiver = bootstrap.receiver()\nreceiver.prepare()\n",
                "with contextlib.suppress(Exception):\n"
                "    receiver = bootstrap.receiver()\n"
                "    receiver.prepare()\n",
            ),
        ),
        caught_by=by_tests(
            "unit/functions/test_webhook.py::test_start_fails_on_a_wrong_setting_and_names_it",
            "unit/functions/test_webhook.py::test_any_other_error_fails_the_start",
            "adapters/test_handlers.py::test_missing_setting_fails_the_start",
            "adapters/test_handlers.py::test_wrong_setting_fails_the_start_without_its_value",
        ),
    ),
    SeededBug(
        name="a-wrong-setting-is-told-by-its-value",
        why="The value is what is wrong; of a missing one there is nothing to tell.",
        rows=(49,),
        replacements=(
            Replace(SETTINGS, 'f"{name} is not set"', '"a setting is missing"'),
            Replace(SETTINGS, 'f"{name} is not a valid', 'f"{text} is not a valid'),
        ),
        caught_by=by_tests(
            "adapters/test_runtime_client.py::test_start_with_a_setting_missing_fails_and_names_it",
            "adapters/test_handlers.py::test_missing_setting_fails_the_start",
            "adapters/test_handlers.py::test_wrong_setting_fails_the_start_without_its_value",
            "unit/functions/test_handlers.py::test_start_fails_on_a_wrong_setting_and_names_it",
        ),
    ),
    SeededBug(
        name="a-start-that-fails-prints-its-environment",
        why="Nearly always a variable is the cause; the credentials are variables too.",
        rows=(49,),
        replacements=(
            Replace(WEBHOOK, "import binascii\n", "import binascii\nimport os\n"),
            Replace(
                WEBHOOK,
                "receiver = bootstrap.receiver()\n",
                "try:\n"
                "    receiver = bootstrap.receiver()\n"
                "except Exception:\n"
                "    print(dict(os.environ))\n"
                "    raise\n",
            ),
        ),
        caught_by=by_tests(
            "adapters/test_runtime_client.py::test_start_without_credentials_fails_and_shows_none"
        ),
    ),
    SeededBug(
        name="the-first-delivery-waits-for-the-secret",
        why="It is read when it is needed.",
        rows=(),
        replacements=(Replace(WEBHOOK, "receiver.prepare()\n", ""),),
        caught_by=by_tests(
            "unit/functions/test_webhook.py::test_start_reads_the_secret_for_the_first_delivery",
            "adapters/test_handlers.py::test_start_makes_all_clients_and_reads_the_secret",
        ),
    ),
)

_OF_AUTHENTICITY = (
    SeededBug(
        name="an-old-request-is-as-good-as-a-new-one",
        why="The signature is right.",
        rows=(33, 41),
        replacements=(
            Replace(
                SIGNATURE,
                "if abs(now.timestamp() - int(timestamp)) > tolerance_seconds:",
                "if int(timestamp) - now.timestamp() > tolerance_seconds:",
            ),
        ),
        caught_by=by_tests(
            "unit/zoom/test_signature.py::test_a_clock_that_differs_by_more_than_the_window_is_refused",
            "unit/test_receive.py::test_a_captured_request_is_refused_outside_the_window",
        ),
    ),
    SeededBug(
        name="the-window-has-one-side",
        why="A request can't come from the future.",
        rows=(33,),
        replacements=(
            Replace(
                SIGNATURE,
                "if abs(now.timestamp() - int(timestamp)) > tolerance_seconds:",
                "if now.timestamp() - int(timestamp) > tolerance_seconds:",
            ),
        ),
        caught_by=by_tests(
            "unit/zoom/test_signature.py::test_a_clock_that_differs_by_more_than_the_window_is_refused"
        ),
    ),
    SeededBug(
        name="the-edge-of-the-window-is-outside",
        why="Up to the window is written as less than the window.",
        rows=(33,),
        replacements=(
            Replace(SIGNATURE, "int(timestamp)) > tolerance_seconds", "int(timestamp)) >= tolerance_seconds"),
        ),
        caught_by=by_tests(
            "unit/zoom/test_signature.py::test_a_clock_that_differs_by_up_to_the_window_is_accepted"
        ),
    ),
    SeededBug(
        name="half-a-signature-is-enough",
        why="Sixty-four digits are more than anyone could guess.",
        rows=(42,),
        replacements=(
            Replace(
                SIGNATURE,
                'if hmac.compare_digest(b"v0=" + _mac(secret, content).encode(), received):',
                'if hmac.compare_digest(b"v0=" + _mac(secret, content).encode()[:32], received[:35]):',
            ),
        ),
        caught_by=by_tests(
            "unit/zoom/test_signature.py::test_any_flipped_bit_of_the_signature_or_the_timestamp_is_refused"
        ),
    ),
    SeededBug(
        name="a-signature-is-read-in-any-case",
        why="Hex digits mean the same in upper case.",
        rows=(42,),
        replacements=(
            Replace(SIGNATURE, "v0=[0-9a-f]{64}", "[vV]0=[0-9a-fA-F]{64}"),
            Replace(SIGNATURE, "received = signature.encode()", "received = signature.lower().encode()"),
        ),
        caught_by=by_tests(
            "unit/zoom/test_signature.py::test_a_signature_of_another_form_is_malformed",
            "unit/zoom/test_signature.py::test_any_flipped_bit_of_the_signature_or_the_timestamp_is_refused",
        ),
    ),
    SeededBug(
        name="the-signature-is-over-json-written-again",
        why="The parsed body is at hand, and to write it again gives the same.",
        rows=(
            35,
            42,
        ),
        replacements=(
            Replace(
                SIGNATURE,
                'content = b"v0:" + timestamp.encode() + b":" + body',
                'content = b"v0:" + timestamp.encode() + b":" + json.dumps(json.loads(body)).encode()',
            ),
            Replace(SIGNATURE, "import hmac\n", "import hmac\nimport json\n"),
        ),
        caught_by=by_tests(
            "unit/zoom/test_signature.py::test_any_flipped_bit_of_the_body_is_refused",
            "unit/functions/test_webhook.py::"
            "test_a_delivery_is_verified_by_its_raw_bytes_and_answered_with_itself",
        ),
    ),
    SeededBug(
        name="header-names-count-in-one-case",
        why="HTTP APIs send them in lower case.",
        rows=(35,),
        replacements=(Replace(WEBHOOK, "lower = name.lower()", "lower = name"),),
        caught_by=by_tests(
            "unit/functions/test_webhook.py::"
            "test_a_delivery_is_verified_by_its_raw_bytes_and_answered_with_itself"
        ),
    ),
    SeededBug(
        name="of-a-header-that-came-twice-the-last-counts",
        why="A dictionary holds one value a name.",
        rows=(35,),
        replacements=(
            Replace(
                WEBHOOK,
                'headers[lower] = f"{headers[lower]},{value}" if lower in headers else value',
                "headers[lower] = value",
            ),
        ),
        caught_by=by_tests(
            "unit/functions/test_webhook.py::"
            "test_a_header_that_came_twice_in_different_case_is_joined_and_refused"
        ),
    ),
    SeededBug(
        name="broken-base64-is-an-error-of-ours",
        why="The gateway would not send it.",
        rows=(35,),
        replacements=(
            Replace(WEBHOOK, "except (binascii.Error, ValueError):", "except UnicodeDecodeError:"),
        ),
        caught_by=by_tests("unit/functions/test_webhook.py::test_broken_base64_is_answered_401"),
    ),
    SeededBug(
        name="a-challenge-is-answered-whatever-it-asks-to-sign",
        why="It was Zoom who asked.",
        rows=(40,),
        replacements=(Replace(CHALLENGE, 'r"[A-Za-z0-9_.~+/=-]{1,256}"', 'r".{1,256}", re.DOTALL'),),
        caught_by=by_tests(
            "unit/zoom/test_challenge.py::test_whatever_is_answered_could_never_be_signed_content",
            "unit/zoom/test_challenge.py::test_a_token_of_another_form_is_refused",
            "unit/zoom/test_challenge.py::test_a_colon_behind_an_escape_is_refused",
            "unit/test_receive.py::test_a_challenge_that_would_sign_something_else_is_answered_400",
        ),
    ),
    SeededBug(
        name="a-challenge-is-answered-before-it-is-verified",
        why="To answer it costs nothing, and the URL must be valid before anything is signed.",
        rows=(40,),
        replacements=(
            Replace(
                RECEIVE,
                "        try:\n            delivery = self._verify(request, deadline)\n",
                '        if request.body and b"endpoint.url_validation" in request.body:\n'
                "            secret = self._verifier._secrets.values(deadline)[0]\n"
                "            delivery = _Delivery(request.body, request.headers, secret, deadline, {})\n"
                "            return self._answer_challenge(json.loads(request.body), delivery)\n"
                "        try:\n            delivery = self._verify(request, deadline)\n",
            ),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::test_a_request_that_is_not_shown_to_be_zooms_is_answered_401"
        ),
    ),
)

_OF_SECRETS = (
    SeededBug(
        name="only-the-current-secret-counts",
        why="A secret was changed because the old one must not count any more.",
        rows=(28,),
        replacements=(
            Replace(
                SECRETS,
                "return self._both if now < self._grace_ends else self._current",
                "return self._current",
            ),
        ),
        caught_by=by_tests(
            "unit/test_live_secrets.py::test_after_a_rotation_the_current_and_the_previous_secret_are_live",
            "unit/test_receive.py::test_during_a_rotation_requests_signed_with_either_secret_are_accepted",
            "unit/test_rotation.py::"
            "test_in_any_rotation_none_is_refused_within_the_grace_and_none_accepted_after_it",
        ),
    ),
    SeededBug(
        name="a-new-secret-is-found-when-the-old-one-has-aged",
        why="Secrets are read again every quarter of an hour, which is soon enough.",
        rows=(28,),
        replacements=(
            Replace(VERIFY, "if not self._secrets.refresh(deadline):", "if self._secrets is not None:"),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::"
            "test_a_secret_changed_at_zoom_first_is_accepted_a_minute_after_it_is_stored_here"
        ),
    ),
    SeededBug(
        name="the-previous-secret-counts-for-ever",
        why="It was good once.",
        rows=(29,),
        replacements=(
            Replace(
                SECRETS, "return self._both if now < self._grace_ends else self._current", "return self._both"
            ),
            Replace(
                SECRETS, "if self._clock.now() - current.created_at < SECRET_GRACE:", "if current.created_at:"
            ),
        ),
        caught_by=by_tests(
            "unit/test_live_secrets.py::test_the_previous_secret_counts_until_its_grace_ends_and_no_longer",
            "unit/test_live_secrets.py::test_a_previous_secret_past_its_grace_is_not_even_read",
            "unit/test_receive.py::test_the_previous_secret_is_refused_after_its_grace",
            "unit/test_rotation.py::"
            "test_in_any_rotation_none_is_refused_within_the_grace_and_none_accepted_after_it",
        ),
    ),
    SeededBug(
        name="the-grace-begins-when-a-process-hears-of-it",
        why="A process can't know since when, but when it was told.",
        rows=(29,),
        replacements=(
            Replace(
                SECRETS,
                "self._grace_ends = current.created_at + SECRET_GRACE",
                "self._grace_ends = read_at + SECRET_GRACE",
            ),
        ),
        caught_by=by_tests(
            "unit/test_rotation.py::"
            "test_in_any_rotation_none_is_refused_within_the_grace_and_none_accepted_after_it"
        ),
    ),
    SeededBug(
        name="without-a-secret-a-delivery-is-refused",
        why="What can't be verified is unauthorised; Zoom does not send a 401 again.",
        rows=(
            30,
            31,
            47,
        ),
        replacements=(
            Replace(
                RECEIVE,
                'return unavailable("secret_unavailable", {"reason": str(error)})',
                'return problem(HTTPStatus.UNAUTHORIZED, "", log={"outcome": "secret_unavailable"})',
            ),
        ),
        caught_by=by_tests(
            "adapters/test_handlers.py::test_without_a_secret_nothing_is_accepted",
            "unit/test_receive.py::test_with_secrets_manager_down_a_cold_process_answers_503",
            "unit/test_receive.py::test_with_an_unusable_secret_nothing_is_accepted",
        ),
    ),
    SeededBug(
        name="a-secret-that-cant-be-read-again-is-none",
        why="It may have been changed meanwhile.",
        rows=(30,),
        replacements=(
            Replace(
                SECRETS,
                "            self._count(Count.REFRESH_FAILED)\n            return False\n",
                "            self._count(Count.REFRESH_FAILED)\n            raise\n",
            ),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::test_with_secrets_manager_down_a_warm_process_goes_on",
            "unit/test_live_secrets.py::"
            "test_while_secrets_cannot_be_read_those_known_go_on_and_it_is_counted",
            "unit/test_rotation.py::"
            "test_in_any_rotation_none_is_refused_within_the_grace_and_none_accepted_after_it",
        ),
    ),
    SeededBug(
        name="an-empty-secret-is-a-secret",
        why="HMAC takes any key.",
        rows=(31,),
        replacements=(Replace(LIMITS, "SECRET_MIN_LENGTH = 16", "SECRET_MIN_LENGTH = 0"),),
        caught_by=by_tests(
            "unit/test_live_secrets.py::test_a_secret_that_became_unusable_fails_closed",
            "unit/test_live_secrets.py::test_an_unusable_previous_secret_is_left_out",
            "unit/test_receive.py::test_a_secret_that_became_unusable_is_answered_503_and_not_401",
            "unit/test_receive.py::test_with_an_unusable_secret_nothing_is_accepted",
            "unit/test_live_secrets.py::test_a_blank_or_short_secret_is_none",
        ),
    ),
    SeededBug(
        name="a-json-object-is-a-secret",
        why="It is long enough.",
        rows=(31,),
        replacements=(Replace(SECRETS, 'if secret.lstrip().startswith("{"):', "if not secret:"),),
        caught_by=by_tests("unit/test_receive.py::test_secret_that_is_a_json_object_is_answered_503"),
    ),
    SeededBug(
        name="every-forgery-has-the-secret-read-again",
        why="It may just have been changed.",
        rows=(28, 32),
        replacements=(
            Replace(
                LIMITS,
                "SECRET_REFRESH_INTERVAL = timedelta(minutes=1)",
                "SECRET_REFRESH_INTERVAL = timedelta(0)",
            ),
        ),
        caught_by=by_tests(
            "adapters/test_handlers.py::test_a_forgery_costs_no_call_but_the_secret_once",
            "unit/test_receive.py::test_a_flood_of_forgeries_refreshes_the_secret_once_a_minute",
            "unit/test_live_secrets.py::test_a_refresh_happens_at_most_once_a_minute_whatever_asks_for_it",
            "unit/test_rotation.py::"
            "test_in_any_rotation_none_is_refused_within_the_grace_and_none_accepted_after_it",
        ),
    ),
    SeededBug(
        name="a-refresh-that-failed-does-not-count",
        why="Nothing was read, so it may be tried at once.",
        rows=(30, 32),
        replacements=(
            Replace(
                SECRETS,
                "            self._count(Count.REFRESH_FAILED)\n",
                "            self._count(Count.REFRESH_FAILED)\n            self._refreshed_at = None\n",
            ),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::test_a_silent_secret_and_a_silent_bus_cost_one_retry",
            "unit/test_live_secrets.py::test_a_refresh_that_fails_counts_as_one_too",
        ),
    ),
    SeededBug(
        name="the-previous-version-is-the-current-one",
        why="A stage is a stage.",
        rows=(28,),
        replacements=(Replace("layers/runtime/bookings/aws/secrets.py", '"AWSPREVIOUS"', '"AWSCURRENT"'),),
        caught_by=by_tests(
            "adapters/test_secret.py::test_a_rotated_secret_has_both_and_a_second_rotation_drops_the_first"
        ),
    ),
    SeededBug(
        name="what-is-not-there-is-the-callers-fault",
        why="Not found is a 4xx.",
        rows=(11, 14, 30),
        replacements=(Replace(CLIENTS, '    "MessageTooLong",\n', '    "ResourceNotFoundException",\n'),),
        caught_by=by_tests(
            "adapters/test_secret.py::test_a_secret_that_is_gone_is_unavailable",
            "adapters/test_bus.py::test_a_call_that_fails_as_a_whole_is_told_by_its_code",
        ),
    ),
    SeededBug(
        name="a-secret-is-always-text",
        why="It was always put there as text.",
        rows=(31,),
        replacements=(
            Replace(
                "layers/runtime/bookings/aws/secrets.py",
                'answer.get("SecretString", "")',
                'answer["SecretString"]',
            ),
        ),
        caught_by=by_tests("adapters/test_secret.py::test_a_secret_that_is_binary_has_no_token"),
    ),
    SeededBug(
        name="a-secret-shows-where-it-is-printed",
        why="A dataclass prints itself.",
        rows=(43,),
        replacements=(Replace(PORTS, "    value: str = field(repr=False)\n", "    value: str = field()\n"),),
        caught_by=by_tests(
            "adapters/test_secret.py::test_a_token_is_not_shown_with_its_version",
            "unit/test_live_secrets.py::test_no_secret_shows_in_a_repr",
        ),
    ),
    SeededBug(
        name="a-cold-process-reads-once-a-minute-too",
        why="At most once a minute, whatever asks for it; for a minute it can answer nobody.",
        rows=(30,),
        replacements=(
            Replace(
                SECRETS,
                "            self._known = self._read(deadline)\n        now",
                "            if not self.refresh(deadline) or self._known is None:\n"
                '                raise SecretUnavailable("none was read")\n'
                "        now",
            ),
        ),
        caught_by=by_tests(
            "unit/test_live_secrets.py::test_a_cold_process_that_cannot_read_a_secret_has_none"
        ),
    ),
    SeededBug(
        name="ages-are-by-the-monotonic-clock",
        why="It never goes back; but it stands still while a process is frozen.",
        rows=(28,),
        replacements=(
            Replace(
                SECRETS,
                "        now = self._clock.now()\n        if self._refreshed_at",
                "        now = datetime.fromtimestamp(self._clock.monotonic())\n"
                "        if self._refreshed_at",
            ),
        ),
        caught_by=by_tests(
            "unit/test_live_secrets.py::"
            "test_a_process_that_was_frozen_since_its_last_refresh_may_refresh_again"
        ),
    ),
    SeededBug(
        name="the-secret-is-read-before-the-form-is-looked-at",
        why="It is needed in any case; a flood of nonsense is then a flood of calls.",
        rows=(32,),
        replacements=(
            Replace(
                VERIFY,
                "        signature, timestamp = check_form(\n",
                "        self._secrets.values(deadline)\n        signature, timestamp = check_form(\n",
            ),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::test_what_no_secret_could_make_acceptable_costs_no_call_at_all"
        ),
    ),
    SeededBug(
        name="what-cant-be-verified-now-is-a-forgery",
        why="No secret that is known has signed it; that a newer one can't be read is not asked.",
        rows=(28, 30, 32),
        replacements=(Replace(VERIFY, "if self._secrets.may_be_outdated:", "if self._secrets is None:"),),
        caught_by=by_tests(
            "unit/test_receive.py::test_with_secrets_manager_down_what_a_new_secret_signed_is_asked_for_again",
            "unit/test_receive.py::"
            "test_with_secrets_manager_down_a_flood_of_forgeries_is_answered_503_and_costs_no_further_call",
        ),
    ),
    SeededBug(
        name="a-read-that-failed-is-not-remembered",
        why="The next one will do.",
        rows=(28, 30),
        replacements=(Replace(SECRETS, "            self._last_read_failed = True\n", ""),),
        caught_by=by_tests(
            "unit/test_live_secrets.py::"
            "test_secrets_may_be_outdated_from_a_read_that_failed_to_one_that_did_not",
            "unit/test_live_secrets.py::"
            "test_secrets_may_be_outdated_when_only_the_previous_one_could_not_be_read",
            "unit/test_live_secrets.py::test_a_process_that_read_its_first_secret_in_the_end_is_up_to_date",
        ),
    ),
    SeededBug(
        name="once-outdated-secrets-stay-outdated",
        why="That they were read again was forgotten; then every forgery is a 503 for the life of a process.",
        rows=(28, 32),
        replacements=(
            Replace(
                SECRETS, "        self._last_read_failed = False\n        if problem", "        if problem"
            ),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::test_once_the_secrets_were_read_a_forgery_is_a_forgery_again"
        ),
    ),
    SeededBug(
        name="while-secrets-cant-be-read-nothing-is-a-forgery",
        why="Who knows what a newer secret has signed; not even what has no signature.",
        rows=(30,),
        replacements=(
            Replace(
                RECEIVE,
                "        except SignatureError as error:\n",
                "        except SignatureError as error:\n"
                "            if self._verifier._secrets.may_be_outdated:\n"
                '                return unavailable("secret_unavailable")\n',
            ),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::"
            "test_with_secrets_manager_down_what_no_secret_could_have_signed_is_a_forgery_still"
        ),
    ),
)

_OF_BODIES = (
    SeededBug(
        name="the-cap-is-a-round-million",
        why="EventBridge takes that much; in base64 it no longer fits the quarantine.",
        rows=(34,),
        replacements=(Replace(LIMITS, "MAX_BODY_BYTES = 720_000", "MAX_BODY_BYTES = 1_000_000"),),
        caught_by=by_tests(
            "adapters/test_queues.py::test_the_largest_body_with_the_most_to_say_of_it_still_fits_the_quarantine",
            "unit/test_receive.py::test_a_body_at_the_cap_is_accepted_and_fits_bus_queue_and_quarantine",
            "unit/functions/test_webhook.py::test_the_cap_is_on_the_raw_bytes",
        ),
    ),
    SeededBug(
        name="a-large-body-is-hashed-before-it-is-refused",
        why="Who is not Zoom shall not learn our limits.",
        rows=(34,),
        replacements=(
            Replace(
                RECEIVE,
                "if request.body is not None and len(request.body) > MAX_BODY_BYTES:",
                "if self._verify(request, deadline) and len(request.body or b'') > MAX_BODY_BYTES:",
            ),
        ),
        caught_by=by_tests("unit/test_receive.py::test_a_body_over_the_cap_is_answered_413_before_any_hmac"),
    ),
    SeededBug(
        name="an-unknown-event-is-refused",
        why="There is no model for it.",
        rows=(36,),
        replacements=(
            Replace(
                RECEIVE,
                "        if not _EVENT_NAME.fullmatch(name):\n",
                "        if name not in self._handled_events:\n",
            ),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::test_a_scheduler_event_we_have_no_model_for_is_published_as_it_is"
        ),
    ),
    SeededBug(
        name="another-products-event-is-refused",
        why="It has nothing to look for here.",
        rows=(36,),
        replacements=(Replace(RECEIVE, "HTTPStatus.NO_CONTENT", "HTTPStatus.BAD_REQUEST"),),
        caught_by=by_tests(
            "unit/test_receive.py::test_an_event_of_another_product_is_answered_204_and_counted"
        ),
    ),
    SeededBug(
        name="fields-that-nobody-knows-are-refused",
        why="A strict model finds mistakes.",
        rows=(37,),
        replacements=(Replace(EVENTS, 'ConfigDict(extra="allow", ', 'ConfigDict(extra="forbid", '),),
        caught_by=by_tests(
            "unit/test_receive.py::test_fields_and_values_that_nobody_knows_yet_are_published_as_they_are",
            "unit/zoom/test_events.py::test_unknown_fields_are_kept_at_every_level",
        ),
    ),
    SeededBug(
        name="null-is-refused",
        why="A field that has a type has a value.",
        rows=(37,),
        replacements=(Replace(EVENTS, "_Text = str | None\n", "_Text = str\n"),),
        caught_by=by_tests("unit/zoom/test_events.py::test_every_optional_field_may_be_null_or_empty"),
    ),
    SeededBug(
        name="json-is-what-python-reads",
        why="The standard library's parser does it.",
        rows=(38,),
        replacements=(
            Replace(
                BODY,
                "    object_pairs_hook=_unique_names,\n"
                "    parse_int=_integer,\n"
                "    parse_float=_float,\n"
                "    parse_constant=_refuse_constant,\n",
                "",
            ),
        ),
        caught_by=by_tests(
            "unit/zoom/test_body.py::test_a_body_that_is_broken_is_refused_with_the_reason",
            "unit/test_receive.py::test_what_is_authentic_but_unusable_is_in_quarantine_whole_before_the_answer",
        ),
    ),
    SeededBug(
        name="what-a-queue-refuses-is-published",
        why="JSON escapes it, and the bus takes it.",
        rows=(38, 53),
        replacements=(
            Replace(
                BODY,
                "if text is not None and _REFUSED_CHARACTERS.search(text):",
                "if text is None and depth > 2 * MAX_NESTING:",
            ),
        ),
        caught_by=by_tests(
            "unit/zoom/test_body.py::test_a_refused_character_is_found_unescaped_too",
            "unit/zoom/test_body.py::test_a_character_that_a_queue_refuses_is_refused_wherever_it_stands",
            "unit/test_receive.py::test_what_is_authentic_but_unusable_is_in_quarantine_whole_before_the_answer",
        ),
    ),
    SeededBug(
        name="a-retry-that-is-too-late-is-refused",
        why="What happened three hours ago can only be sent again by somebody else.",
        rows=(3,),
        replacements=(
            Replace(RECEIVE, "import re\n", "import re\nfrom datetime import timedelta\n"),
            Replace(
                RECEIVE,
                "        if identity.event_time > latest_ms:\n",
                "        oldest = (self._clock.now() - timedelta(hours=3)).timestamp() * 1000\n"
                "        if not oldest <= identity.event_time <= latest_ms:\n",
            ),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::test_a_retry_85_minutes_later_signed_afresh_is_accepted",
        ),
    ),
    SeededBug(
        name="an-error-is-told-with-its-message",
        why="A log without the message is hard to work with; the message may hold what was sent.",
        rows=(43,),
        replacements=(
            Replace(ERRORS, "if isinstance(error, BookingsError):", "if isinstance(error, Exception):"),
        ),
        caught_by=by_tests(
            "adapters/test_handlers.py::test_nothing_personal_is_printed_when_services_fail_and_code_breaks",
            "unit/test_errors.py::test_of_any_other_error_only_its_kind_and_place_are_told",
            "unit/functions/test_webhook.py::test_nothing_personal_and_no_secret_is_in_log_or_metrics",
        ),
    ),
    SeededBug(
        name="the-log-of-a-failed-record-holds-its-message",
        why="Whoever looks for the cause will want to see what came.",
        rows=(43,),
        replacements=(
            Replace(
                BATCH,
                'extra={"message_id": record.message_id, **describe(error)}',
                'extra={"message_id": record.message_id, "message_body": record.body, **describe(error)}',
            ),
        ),
        caught_by=by_tests(
            "adapters/test_canaries.py::test_of_a_poison_message_nothing_is_told",
            "unit/test_batch.py::test_what_a_bad_message_holds_is_not_logged",
        ),
    ),
    SeededBug(
        name="what-escapes-a-handler-is-told-in-full",
        why="A decorator more than needed: an error escapes anyhow, and Lambda logs it.",
        rows=(43,),
        replacements=(
            Replace("functions/booking_events/app.py", "@hide_error_details\n", ""),
            Replace("functions/booking_created/app.py", "@hide_error_details\n", ""),
        ),
        caught_by=by_tests(
            "unit/functions/test_handlers.py::test_an_unexpected_error_escapes_without_its_message"
        ),
    ),
    SeededBug(
        name="the-log-holds-the-event-that-came",
        why="One field more in the log, and every problem can be looked into.",
        rows=(43,),
        replacements=(Replace(WEBHOOK, "**answer.log}", '**answer.log, "event": event}'),),
        caught_by=by_tests(
            "adapters/test_handlers.py::test_nothing_personal_is_printed_on_the_way_of_a_booking",
            "adapters/test_canaries.py::"
            "test_of_a_delivery_that_is_accepted_nothing_is_told_all_the_way_to_a_subscriber",
            "adapters/test_handlers.py::test_nothing_personal_is_printed_or_answered_of_a_delivery_that_is_refused",
            "unit/functions/test_webhook.py::test_nothing_personal_and_no_secret_is_in_log_or_metrics",
        ),
    ),
    SeededBug(
        name="a-switch-of-the-logger-prints-each-event",
        why="Powertools offers it, and every problem can be looked into.",
        rows=(43,),
        replacements=(
            Replace(WEBHOOK, "log_event=False", "log_event=True"),
            Replace("functions/booking_created/app.py", "log_event=False", "log_event=True"),
            Replace("functions/booking_canceled/app.py", "log_event=False", "log_event=True"),
            Replace("functions/booking_events/app.py", "log_event=False", "log_event=True"),
        ),
        caught_by=by_tests(
            "unit/functions/test_handlers.py::test_the_event_is_not_logged_whatever_the_environment_says",
            "adapters/test_handlers.py::test_nothing_personal_is_printed_on_the_way_of_a_booking",
            "adapters/test_canaries.py::"
            "test_of_a_delivery_that_is_accepted_nothing_is_told_all_the_way_to_a_subscriber",
            "unit/functions/test_webhook.py::test_nothing_personal_and_no_secret_is_in_log_or_metrics",
        ),
    ),
    SeededBug(
        name="the-cap-is-what-a-queue-once-took",
        why="SQS took 256 KiB for many years; a full form in four-byte characters is larger.",
        rows=(51,),
        replacements=(Replace(LIMITS, "MAX_BODY_BYTES = 720_000", "MAX_BODY_BYTES = 262_144"),),
        caught_by=by_tests(
            "unit/test_receive.py::test_a_form_at_its_limits_in_four_byte_characters_is_accepted"
        ),
    ),
    SeededBug(
        name="bytes-that-are-no-text-are-an-error-of-ours",
        why="Zoom sends UTF-8.",
        rows=(38,),
        replacements=(Replace(BODY, "except UnicodeDecodeError:", "except UnicodeEncodeError:"),),
        caught_by=by_tests(
            "unit/zoom/test_body.py::test_no_bytes_make_parsing_fail_in_another_way",
            "unit/test_receive.py::test_what_is_authentic_but_unusable_is_in_quarantine_whole_before_the_answer",
        ),
    ),
    SeededBug(
        name="values-are-taken-for-what-they-could-be",
        why="A number in quotes is a number.",
        rows=(38,),
        replacements=(Replace(EVENTS, 'extra="allow", strict=True, ', 'extra="allow", '),),
        caught_by=by_tests(
            "unit/zoom/test_events.py::test_a_value_of_another_type_is_refused_wherever_it_stands",
            "unit/zoom/test_events.py::test_other_numbers_are_refused",
        ),
    ),
    SeededBug(
        name="an-unknown-event-is-a-broken-one",
        why="There are two events.",
        rows=(36,),
        replacements=(
            Replace(
                EVENTS,
                "        raise UnknownEvent(name)\n",
                '        raise InvalidEvent([{"field": "event", "message": "is not valid"}])\n',
            ),
        ),
        caught_by=by_tests("unit/zoom/test_events.py::test_an_event_of_another_name_is_unknown"),
    ),
    SeededBug(
        name="whatever-is-no-created-is-a-canceled",
        why="There are two events; the day there is a model of a third, it cancels bookings.",
        rows=(36,),
        replacements=(
            Replace(DELIVERY, "    elif identity.event == CANCELED:\n", "    elif identity.event:\n"),
        ),
        caught_by=by_tests(
            "unit/zoom/test_delivery.py::test_an_event_with_a_new_model_is_not_taken_for_a_cancel"
        ),
    ),
    SeededBug(
        name="what-always-came-is-required",
        why="Every booking has an invitee, and every invitee an address.",
        rows=(37,),
        replacements=(
            Replace(
                EVENTS, "    invitee_email: _Text = Field(None, ", "    invitee_email: _Text = Field(..., "
            ),
        ),
        caught_by=by_tests(
            "unit/zoom/test_events.py::test_every_optional_field_may_be_missing",
            "unit/zoom/test_delivery.py::"
            "test_a_booking_of_which_nothing_but_its_event_id_is_known_is_a_delivery",
        ),
    ),
    SeededBug(
        name="a-new-kind-of-location-is-refused",
        why="The reference lists them all.",
        rows=(37,),
        replacements=(
            Replace(
                EVENTS,
                "    location_kind: Annotated[str, _open_enum(LOCATION_KINDS)] | None = Field(\n",
                "    location_kind: Literal[LOCATION_KINDS] | None = Field(\n",
            ),
        ),
        caught_by=by_tests("unit/zoom/test_events.py::test_unknown_enum_values_are_kept"),
    ),
    SeededBug(
        name="escapes-are-written-as-zoom-writes-them",
        why="All that was ever seen of Zoom's escapes is in lower case.",
        rows=(38, 53),
        replacements=(Replace(BODY, "u(?:00[01]|[dD][89a-fA-F]|[fF]{3})", "u(?:00[01]|d[89a-f]|f{3})"),),
        caught_by=by_tests("unit/zoom/test_body.py::test_a_body_is_read_as_if_all_of_it_were_looked_through"),
    ),
    SeededBug(
        name="a-refusal-repeats-what-it-refuses",
        why="Whoever reads it wants to see what was wrong.",
        rows=(43,),
        replacements=(
            Replace(
                "layers/runtime/bookings/envelope.py",
                'raise MalformedEnvelope("the message is not JSON") from None',
                'raise MalformedEnvelope(f"the message is not JSON: {text}") from None',
            ),
            Replace(BODY, "{error.msg} at character {error.pos}", "{error.doc}"),
            Replace(
                EVENTS,
                '_RULES.get(found["type"], "is not valid")}',
                "f\"{_RULES.get(found['type'], 'is not valid')}: {found['input']}\"}",
            ),
            Replace(EVENTS, "include_context=False, include_input=False", "include_context=False"),
        ),
        caught_by=by_tests(
            "unit/test_envelope.py::test_a_refused_message_is_not_repeated",
            "unit/zoom/test_body.py::test_no_refusal_repeats_what_stood_there",
            "unit/zoom/test_events.py::test_a_refusal_never_repeats_what_was_sent",
            "unit/test_receive.py::test_an_answer_to_the_unusable_repeats_nothing_of_it",
        ),
    ),
    SeededBug(
        name="a-validation-error-shows-its-input",
        why="It is pydantic's default, and helps to find what was wrong.",
        rows=(43,),
        replacements=(Replace(EVENTS, ", hide_input_in_errors=True)", ")"),),
        caught_by=by_tests("unit/test_errors.py::test_of_a_validation_error_the_input_is_not_told"),
    ),
    SeededBug(
        name="a-service-is-quoted",
        why="Its words say what is wrong with a call, and often what was in it.",
        rows=(22, 30, 39, 43, 47),
        replacements=(
            Replace(
                CLIENTS,
                'raise RefusedByService(f"{service}: {_describe(error)}")',
                'raise RefusedByService(f"{service}: {error}")',
            ),
            Replace(
                CLIENTS,
                'raise ServiceUnavailable(f"{service}: {_describe(error)}", answered=True)',
                'raise ServiceUnavailable(f"{service}: {error}", answered=True)',
            ),
            Replace(
                CLIENTS, "    except ParamValidationError:\n", "    except ParamValidationError as error:\n"
            ),
            Replace(CLIENTS, 'f"{service}: invalid parameters"', 'f"{service}: {error}"'),
            Replace(CLIENTS, 'f"{service}: {type(error).__name__}"', 'f"{service}: {error}"'),
        ),
        caught_by=by_tests(
            "unit/test_clients.py::test_a_service_out_of_reach_is_told_by_the_error_type",
            "unit/test_clients.py::test_parameters_that_botocore_refuses_are_refused",
            "adapters/test_clients.py::test_error_of_any_call_repeats_no_text",
            "adapters/test_clients.py::test_service_out_of_reach_is_named_by_the_error_type",
            "adapters/test_clients.py::test_parameters_that_botocore_refuses_are_refused",
            "adapters/test_table.py::test_a_failed_write_is_told_by_its_code_alone",
            "adapters/test_queues.py::test_a_message_that_is_not_taken_is_told_by_its_code",
            "adapters/test_secret.py::test_a_secret_that_can_not_be_read_is_unavailable_in_both_versions",
            "adapters/test_canaries.py::test_what_a_service_says_is_not_repeated",
        ),
    ),
    SeededBug(
        name="a-code-is-whatever-stands-in-its-place",
        why="A service's codes are names, and anything else never stood there.",
        rows=(43,),
        replacements=(Replace(CLIENTS, "code if _CODE.fullmatch(code) else", "code if code else"),),
        caught_by=by_tests(
            "unit/test_clients.py::test_an_error_answer_is_reduced_to_code_action_and_id",
            "adapters/test_clients.py::test_error_answer_is_named_by_code_action_and_id",
            "adapters/test_clients.py::test_sqs_error_has_the_code_of_its_query_protocol",
        ),
    ),
    SeededBug(
        name="a-request-id-is-whatever-stands-in-its-place",
        why="AWS's ids are letters and digits; a proxy's header may be anything.",
        rows=(43,),
        replacements=(Replace(CLIENTS, "if _REQUEST_ID.fullmatch(request_id):", "if request_id:"),),
        caught_by=by_tests(
            "unit/test_clients.py::test_an_error_answer_is_reduced_to_code_action_and_id",
            "adapters/test_clients.py::test_error_answer_is_named_by_code_action_and_id",
        ),
    ),
    SeededBug(
        name="a-denial-is-quoted",
        why="It says who may not do what; it says the role and the resource too.",
        rows=(43, 47),
        replacements=(
            Replace(CLIENTS, 'words.append(f"action {denied[1]}")', 'words.append(str(details["Message"]))'),
        ),
        caught_by=by_tests(
            "unit/test_clients.py::test_an_error_answer_is_reduced_to_code_action_and_id",
            "adapters/test_clients.py::test_error_answer_is_named_by_code_action_and_id",
            "adapters/test_clients.py::test_error_of_any_call_repeats_no_text",
        ),
    ),
    SeededBug(
        name="a-denial-names-no-action",
        why="The code says it; which of a role's permissions is missing is then found by trying.",
        rows=(47,),
        replacements=(Replace(CLIENTS, '        words.append(f"action {denied[1]}")\n', "        pass\n"),),
        caught_by=by_tests(
            "unit/test_clients.py::test_an_error_answer_is_reduced_to_code_action_and_id",
            "adapters/test_clients.py::test_error_answer_is_named_by_code_action_and_id",
            "adapters/test_clients.py::test_error_of_any_call_repeats_no_text",
        ),
    ),
    SeededBug(
        name="requests-and-answers-show-where-they-are-printed",
        why="A dataclass prints itself.",
        rows=(43,),
        replacements=(
            Replace(
                "layers/runtime/bookings/use_cases/answers.py",
                "body: str | None = field(default=None, repr=False)",
                "body: str | None = field(default=None)",
            ),
            Replace(
                RECEIVE, "    body: bytes | None = field(repr=False)\n", "    body: bytes | None = field()\n"
            ),
        ),
        caught_by=by_tests(
            "unit/test_errors.py::test_the_body_of_an_answer_shows_in_no_repr",
            "unit/test_receive.py::test_a_request_shows_nothing_of_itself_in_a_repr",
        ),
    ),
)

BUGS = (*_OF_DURABILITY, *_OF_AUTHENTICITY, *_OF_SECRETS, *_OF_BODIES)

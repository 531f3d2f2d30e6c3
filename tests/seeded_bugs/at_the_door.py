"""Bugs at the door: who is let in, what is answered when, and where a delivery goes from there."""

from tests.seeded_bugs.bugs import Replace, SeededBug, by_tests

ANSWER_BUDGET = "layers/runtime/bookings/clock.py"
BODY = "layers/runtime/bookings/zoom/body.py"
BUS = "layers/runtime/bookings/aws/bus.py"
CALLS = "layers/runtime/bookings/aws/calls.py"
CHALLENGE = "layers/runtime/bookings/zoom/challenge.py"
DELIVERY = "layers/runtime/bookings/zoom/delivery.py"
ERRORS = "layers/runtime/bookings/errors.py"
EVENTS = "layers/runtime/bookings/zoom/events.py"
PUBLISH = "layers/runtime/bookings/publish.py"
QUARANTINE = "layers/runtime/bookings/quarantine.py"
RECEIVE = "layers/runtime/bookings/receive.py"
SECRETS = "layers/runtime/bookings/live_secrets.py"
SIGNATURE = "layers/runtime/bookings/zoom/signature.py"
WEBHOOK = "functions/webhook/app.py"

_OF_DURABILITY = (
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
    SeededBug(
        name="the-door-publishes-behind-its-answer",
        why="Publishing takes time that Zoom need not wait for, so a thread does it.",
        rows=(8, 9, 25),
        replacements=(
            Replace(RECEIVE, "import re\n", "import re\nimport threading\n"),
            Replace(
                RECEIVE,
                "            self._publisher.publish(envelope, deadline)\n",
                "            threading.Thread(\n"
                "                target=self._publisher.publish, args=(envelope, deadline), daemon=True\n"
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
            Replace(WEBHOOK, "import os\n", "import os\nfrom http import HTTPStatus\n"),
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
                "            self._attempt(fallback, envelope, deadline)\n",
                "            raise\n",
            ),
        ),
        caught_by=by_tests(
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
                "        except ServiceError:\n            self._attempt(fallback",
                "        except ServiceError as error:\n"
                '            if not getattr(error, "answered", True):\n'
                "                return\n"
                "            self._attempt(fallback",
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
                "if not error.answered or again_seconds <= 0:",
                "if error.answered or again_seconds <= 0:",
            ),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::test_a_first_way_that_answers_is_tried_twice_before_the_fallback"
        ),
    ),
    SeededBug(
        name="each-call-has-its-time-and-none-is-kept-for-the-next",
        why="Every call has a time-out, so the answer must come in time.",
        rows=(13,),
        replacements=(
            Replace(
                ANSWER_BUDGET,
                "return max(0.0, min(at_most_seconds, self._end - self._clock.monotonic()))",
                "return at_most_seconds",
            ),
        ),
        caught_by=by_tests("unit/test_receive.py::test_with_every_service_hanging_an_answer_leaves_in_time"),
    ),
    SeededBug(
        name="the-first-way-uses-up-the-time-of-the-fallback",
        why="There is time left, so it is tried again.",
        rows=(11, 13),
        replacements=(
            Replace(
                PUBLISH,
                "self._attempt(first, envelope, deadline, reserved_seconds=ATTEMPT_SECONDS)",
                "self._attempt(first, envelope, deadline)",
            ),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::test_a_slow_secret_and_a_slow_bus_leave_the_fallback_enough_time"
        ),
    ),
    SeededBug(
        name="a-call-is-waited-for-however-long-it-takes",
        why="botocore has time-outs of its own.",
        rows=(13,),
        replacements=(Replace(CALLS, "return future.result(timeout_seconds)", "return future.result(5.0)"),),
        caught_by=by_tests("adapters/test_calls.py::test_a_call_that_hangs_is_given_up_in_time"),
    ),
    SeededBug(
        name="what-the-last-way-refuses-is-asked-for-again",
        why="Refused or down, Zoom will send it again; it is refused again, and then gone.",
        rows=(53,),
        replacements=(
            Replace(
                RECEIVE,
                "        except RefusedByService as error:\n            # Zoom's",
                "        except ZeroDivisionError as error:\n            # Zoom's",
            ),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::test_what_the_last_way_refuses_for_itself_is_in_quarantine"
        ),
    ),
    SeededBug(
        name="a-denied-permission-is-the-deliverys-fault",
        why="Access denied is a 4xx of AWS, and a 4xx is the caller's fault.",
        rows=(14, 47),
        replacements=(
            Replace(CALLS, '    "InvalidAttributeValue",\n', '    "AccessDeniedException",\n'),
            Replace(CALLS, '    "InvalidMessageContents",\n', '    "KMSAccessDeniedException",\n'),
        ),
        caught_by=by_tests(
            "adapters/test_calls.py::test_an_error_code_says_whether_trying_again_is_of_use",
            "adapters/test_handlers.py::test_a_table_that_is_down_makes_a_record_come_back_later_each_time",
        ),
    ),
    SeededBug(
        name="a-400-does-not-wait-for-the-quarantine",
        why="The quarantine is a convenience, and the answer is 400 either way.",
        rows=(39,),
        replacements=(
            Replace(
                RECEIVE,
                "        self._quarantine.send(message, deadline.remaining(ATTEMPT_SECONDS))\n",
                "        try:\n"
                "            self._quarantine.send(message, deadline.remaining(ATTEMPT_SECONDS))\n"
                "        except ServiceError:\n"
                "            return\n",
            ),
        ),
        caught_by=by_tests(
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
        rows=(35,),
        replacements=(
            Replace(
                SIGNATURE,
                'content = b"v0:" + timestamp.encode() + b":" + body',
                'content = b"v0:" + timestamp.encode() + b":" + json.dumps(json.loads(body)).encode()',
            ),
            Replace(SIGNATURE, "import hmac\n", "import hmac\nimport json\n"),
        ),
        caught_by=by_tests(
            "unit/functions/test_webhook.py::"
            "test_a_delivery_is_verified_by_its_raw_bytes_and_answered_with_itself"
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
                "        try:\n            secret, body = self._authentic(request, deadline)\n",
                '        if request.body and b"endpoint.url_validation" in request.body:\n'
                "            secret = self._secrets.values(deadline)[0]\n"
                "            return self._answer_challenge(json.loads(request.body), secret, {})\n"
                "        try:\n            secret, body = self._authentic(request, deadline)\n",
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
        replacements=(Replace(SECRETS, "live.append(known.previous)", "live = [known.current]"),),
        caught_by=by_tests(
            "unit/test_live_secrets.py::test_after_a_rotation_the_current_and_the_previous_secret_are_live",
            "unit/test_receive.py::test_during_a_rotation_requests_signed_with_either_secret_are_accepted",
        ),
    ),
    SeededBug(
        name="a-new-secret-is-found-when-the-old-one-has-aged",
        why="Secrets are read again every quarter of an hour, which is soon enough.",
        rows=(28,),
        replacements=(
            Replace(RECEIVE, "if not self._secrets.refresh(deadline):", "if self._secrets is not None:"),
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
                SECRETS,
                "            and self._clock.now() - known.current.created_at < GRACE\n",
                "",
            ),
            Replace(SECRETS, "if self._clock.now() - current.created_at < GRACE:", "if current.created_at:"),
        ),
        caught_by=by_tests(
            "unit/test_live_secrets.py::test_the_previous_secret_counts_until_its_grace_ends_and_no_longer",
            "unit/test_live_secrets.py::test_a_previous_secret_past_its_grace_is_not_even_read",
            "unit/test_receive.py::test_the_previous_secret_is_refused_after_its_grace",
        ),
    ),
    SeededBug(
        name="without-a-secret-a-delivery-is-refused",
        why="What can't be verified is unauthorised; Zoom does not send a 401 again.",
        rows=(30, 31),
        replacements=(
            Replace(
                RECEIVE,
                'return unavailable("secret_unavailable")',
                'return problem(HTTPStatus.UNAUTHORIZED, "", log={"outcome": "secret_unavailable"})',
            ),
        ),
        caught_by=by_tests(
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
                "            self._count(Count.SECRET_REFRESH_FAILED)\n            return False\n",
                "            self._count(Count.SECRET_REFRESH_FAILED)\n            raise\n",
            ),
        ),
        caught_by=by_tests(
            "unit/test_receive.py::test_with_secrets_manager_down_a_warm_process_goes_on",
            "unit/test_live_secrets.py::"
            "test_while_secrets_cannot_be_read_those_known_go_on_and_it_is_counted",
        ),
    ),
    SeededBug(
        name="an-empty-secret-is-a-secret",
        why="HMAC takes any key.",
        rows=(31,),
        replacements=(Replace(SECRETS, "MIN_LENGTH = 16", "MIN_LENGTH = 0"),),
        caught_by=by_tests(
            "unit/test_receive.py::test_with_an_unusable_secret_nothing_is_accepted",
            "unit/test_live_secrets.py::test_a_blank_or_short_secret_is_none",
        ),
    ),
    SeededBug(
        name="every-forgery-has-the-secret-read-again",
        why="It may just have been changed.",
        rows=(28, 32),
        replacements=(Replace(SECRETS, "MIN_REFRESH = timedelta(minutes=1)", "MIN_REFRESH = timedelta(0)"),),
        caught_by=by_tests(
            "unit/test_receive.py::test_a_flood_of_forgeries_refreshes_the_secret_once_a_minute",
            "unit/test_live_secrets.py::test_a_refresh_happens_at_most_once_a_minute_whatever_asks_for_it",
        ),
    ),
    SeededBug(
        name="a-refresh-that-failed-does-not-count",
        why="Nothing was read, so it may be tried at once.",
        rows=(32,),
        replacements=(
            Replace(
                SECRETS,
                "            self._count(Count.SECRET_REFRESH_FAILED)\n",
                "            self._count(Count.SECRET_REFRESH_FAILED)\n"
                "            self._refreshed_at = None\n",
            ),
        ),
        caught_by=by_tests("unit/test_live_secrets.py::test_a_refresh_that_fails_counts_as_one_too"),
    ),
)

_OF_BODIES = (
    SeededBug(
        name="the-cap-is-a-round-million",
        why="EventBridge takes that much; in base64 it no longer fits the quarantine.",
        rows=(34,),
        replacements=(Replace(RECEIVE, "MAX_BODY_BYTES = 720_000", "MAX_BODY_BYTES = 1_000_000"),),
        caught_by=by_tests(
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
                "if self._authentic(request, deadline) and len(request.body or b'') > MAX_BODY_BYTES:",
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
                "            if not _EVENT_NAME.fullmatch(name):\n",
                "            if name not in (CREATED, CANCELED):\n",
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
                "            object_pairs_hook=_object,\n"
                "            parse_int=_integer,\n"
                "            parse_float=_float,\n"
                "            parse_constant=_refuse_constant,\n",
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
            "unit/zoom/test_body.py::test_a_character_that_a_queue_refuses_is_refused_wherever_it_stands",
            "unit/test_receive.py::test_what_is_authentic_but_unusable_is_in_quarantine_whole_before_the_answer",
        ),
    ),
    SeededBug(
        name="a-retry-that-is-too-late-is-refused",
        why="What happened three hours ago can only be sent again by somebody else.",
        rows=(3,),
        replacements=(
            Replace(
                RECEIVE,
                "        if identity.event_time > latest:\n",
                "        oldest = (self._clock.now() - timedelta(hours=3)).timestamp() * 1000\n"
                "        if not oldest <= identity.event_time <= latest:\n",
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
            "unit/test_errors.py::test_of_any_other_error_only_its_kind_and_place_are_told",
            "unit/functions/test_webhook.py::test_nothing_personal_and_no_secret_is_in_log_or_metrics",
            "unit/test_batch.py::test_what_a_bad_message_holds_is_not_logged",
        ),
    ),
    SeededBug(
        name="the-log-holds-the-event-that-came",
        why="One switch of the logger, and every problem can be looked into.",
        rows=(43,),
        replacements=(Replace(WEBHOOK, "log_event=False", "log_event=True"),),
        caught_by=by_tests(
            "unit/functions/test_webhook.py::test_nothing_personal_and_no_secret_is_in_log_or_metrics"
        ),
    ),
)

BUGS = (*_OF_DURABILITY, *_OF_AUTHENTICITY, *_OF_SECRETS, *_OF_BODIES)

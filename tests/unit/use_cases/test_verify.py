"""Verifying: forgeries, rotations and Secrets Manager down, as the answers show them."""

from bisect import bisect_right
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings.counts import Count
from bookings.limits import SECRET_MAX_AGE
from bookings.use_cases.receive import Request
from tests.fakes import DENIED, HANGS, NOW, UNREACHABLE, Trouble
from tests.receiving import CHALLENGE, NEW_SECRET, WRONG_SECRET, ReceiverUnderTest, problem_of
from tests.samples import SECRET, canceled, created, raw, signed

REQUEST = signed(raw(created()), NOW)
DOUBLED = {**REQUEST.headers, "x-zm-signature": ",".join([REQUEST.headers["x-zm-signature"]] * 2)}


MALFORMED = {  # no secret could make these acceptable
    "an unsigned event": (Request({}, REQUEST.body), "SignatureMissing"),
    "an unsigned challenge": (Request({}, raw(CHALLENGE)), "SignatureMissing"),
    "doubled": (replace(REQUEST, headers=DOUBLED), "SignatureMalformed"),
    "stale": (signed(raw(created()), NOW - timedelta(seconds=301)), "TimestampOutsideWindow"),
    "from the future": (signed(raw(created()), NOW + timedelta(seconds=301)), "TimestampOutsideWindow"),
    "broken base64": (replace(REQUEST, body=None), "SignatureMismatch"),
}
FORGERIES = MALFORMED | {
    "another secret": (signed(raw(created()), NOW, secret=WRONG_SECRET), "SignatureMismatch"),
    "another body": (replace(REQUEST, body=raw(canceled())), "SignatureMismatch"),
    "a forged challenge": (signed(raw(CHALLENGE), NOW, secret=WRONG_SECRET), "SignatureMismatch"),
}


# failure matrix: 32, 35, 40, 42
@pytest.mark.parametrize("name", FORGERIES)
def test_forgery_is_answered_401_with_its_reason(name: str) -> None:
    under_test = ReceiverUnderTest()
    request, reason = FORGERIES[name]
    answer = under_test.receiver.receive(request)
    assert "errors" not in problem_of(answer, 401)
    assert answer.log == {"outcome": "refused", "reason": reason}
    mismatch = reason == "SignatureMismatch"
    assert under_test.counts.all == {Count.SIGNATURE_MISMATCH if mismatch else Count.SIGNATURE_MALFORMED: 1}
    assert under_test.service_calls == 0
    assert under_test.secret.calls == (0 if name in MALFORMED else 2)  # the first read and one refresh


# failure matrix: 30, 32
@pytest.mark.parametrize(("trouble", "status"), [(None, 401), (DENIED, 503)])
def test_flood_reads_the_secret_once_a_minute(trouble: Trouble | None, status: int) -> None:
    under_test = ReceiverUnderTest().warm()
    under_test.secret.trouble = trouble
    assert under_test.post(created(), secret=WRONG_SECRET).status == status
    assert {under_test.receiver.receive(request).status for request, _ in MALFORMED.values()} == {401}
    for _ in range(599):  # five a second
        assert under_test.post(created(), secret=WRONG_SECRET).status == status
        under_test.clock.advance(0.2)
    assert (under_test.secret.calls, under_test.service_calls) == (2, 0)


# failure matrix: 28, 30
@pytest.mark.parametrize("trouble", [DENIED, HANGS, UNREACHABLE])
def test_unreadable_secret_refuses_no_newer_one(trouble: Trouble) -> None:
    under_test = ReceiverUnderTest().warm()
    under_test.secret.store(NEW_SECRET)
    under_test.secret.trouble = trouble
    for _ in range(2):
        answer = under_test.post(created(), secret=NEW_SECRET)
        problem_of(answer, 503)
        assert answer.log == {"outcome": "secret_unavailable", "reason": "the secrets may be outdated"}
    assert under_test.counts.all == {Count.REFRESH_FAILED: 1, Count.NOTHING_TO_VERIFY_WITH: 2}
    assert under_test.post(created()).status == 200
    under_test.secret.trouble = None
    under_test.clock.advance(60)
    assert under_test.post(created(), secret=NEW_SECRET).status == 200  # Zoom's retry
    under_test.secret.trouble = trouble  # the last read succeeded, so this is a forgery
    assert under_test.post(created(), secret=WRONG_SECRET).status == 401


# failure matrix: 30, 31
@pytest.mark.parametrize(
    ("stored", "trouble", "reason"),
    [
        ("fifteen-charact", None, "the stored secret is shorter than 16 characters"),
        ('{"a": "b"}', None, "the stored secret is a JSON object; store the token alone, as plain text"),
        (NEW_SECRET, DENIED, "fake: AccessDeniedException"),
        (NEW_SECRET, HANGS, "fake: no answer in time"),
    ],
)
def test_cold_process_needs_a_usable_secret(stored: str, trouble: Trouble | None, reason: str) -> None:
    under_test = ReceiverUnderTest()
    under_test.secret.store(stored)
    under_test.secret.trouble = trouble
    answer = under_test.post(created(), secret=stored)
    problem_of(answer, 503)
    assert answer.log == {"outcome": "secret_unavailable", "reason": reason}
    assert (under_test.counts.all, under_test.service_calls) == ({Count.NOTHING_TO_VERIFY_WITH: 1}, 0)


MONTH, DAY, MINUTE = timedelta(days=30), timedelta(days=1), timedelta(minutes=1)
PAUSES = st.sampled_from([1, 29, 59, 60, 61, 900, 901, 3600, 86_399])
ACTIONS = st.sampled_from(["pass", "pass", "store", "deliver", "deliver", "trouble", "restart"])
SECRETS = st.sampled_from([SECRET, NEW_SECRET, "another-secret-of-22-c"])


# failure matrix: 28, 29, 30
@given(st.lists(st.tuples(ACTIONS, SECRETS, PAUSES), min_size=5, max_size=40))
def test_no_rotation_refuses_in_the_grace_or_accepts_after(steps: list[tuple[str, str, int]]) -> None:
    under_test = ReceiverUnderTest()
    clock, source = under_test.clock, under_test.secret
    stored, up_since = [(clock.now() - MONTH, SECRET)], clock.now() - MONTH

    def live_by_readings(secret: str, longest_unread: timedelta) -> set[bool]:
        """Whether the secret is live now, by each reading that a process may have."""
        since = now - longest_unread
        results = set()
        for known_at in (since, *(at for at, _ in stored if at >= since)):
            known = stored[: max(1, bisect_right(stored, known_at, key=lambda each: each[0]))]
            in_grace = known[-2:-1] if now - known[-1][0] < DAY else []
            results.add(secret in (value for _, value in (*in_grace, known[-1])))
        return results

    for action, secret, pause in steps:
        now = clock.now()
        match action:
            case "pass":
                clock.freeze(pause)
            case "store":
                source.store(secret)
                stored.append((now, secret))
                clock.freeze(1)  # so that each time has one stored secret
            case "trouble":
                source.trouble, up_since = (None if source.trouble else DENIED), now
            case "restart":
                under_test = ReceiverUnderTest(secret=source, clock=clock)
            case "deliver":
                status = under_test.post({"event": "meeting.started"}, secret=secret).status
                up = timedelta(0) if source.trouble else now - up_since
                if live_by_readings(secret, MINUTE) == {True}:
                    assert status == 204 or (status == 503 and up < MINUTE)
                unread = SECRET_MAX_AGE if up > SECRET_MAX_AGE + MINUTE else MONTH
                if live_by_readings(secret, unread) == {False}:
                    assert status in (401, 503)

"""`bookings recover`: which deliveries of Zoom's log are posted again, its output, and its exit codes."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

import cli.recover
import cli.stack
from bookings.domain.booking import booking_id_of

from ... import samples
from ...zoom_api import CLIENT_SECRET, TOKEN, FakeZoom
from .conftest import NOW, SECRET, Webhook, bookings

JSON, PROBLEM = "application/json", "application/problem+json"
CANARY = "kanarie"
EMAIL = f"{CANARY}@example.com"
HOURS_AGO = {"a": 3, "b": 2, "c": 1, "old": 8 * 24}
DELIVERY = "scheduler.scheduled_event_created"
NAMES = {"meeting": "meeting.started", "others": "schedulers.x", "new": "scheduler.new"}


@pytest.fixture(autouse=True)
def stack(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A stack of which the command needs only the webhook and the secret."""
    stack = SimpleNamespace(webhook_url=webhook.url, secret=lambda: SECRET)
    monkeypatch.setattr(cli.stack, "find_stack", lambda **_: stack)
    return stack


def body(name: str) -> bytes:
    """Returns a delivery. The texts of strangers have the canary."""
    if name == "broken":
        return b"{broken"
    at = int(NOW.timestamp() - HOURS_AGO.get(name, 1) * 3600) * 1000
    texts = {"invitee_email": EMAIL, "summary": CANARY}
    return samples.raw(samples.created(at, event_id=name, **texts) | {"event": NAMES.get(name, DELIVERY)})


def fill(zoom: FakeZoom, log: str) -> None:
    """Logs deliveries, each written as name, one digit of the request id, and the answers of its tries."""
    for delivery in log.split():
        request, _, statuses = delivery.partition(":")
        zoom.log(body(request[:-1]), request, *map(int, statuses.split(",")))
        zoom.entries[-1]["event"] = NAMES.get(request[:-1], DELIVERY)


def recover(*options: str) -> tuple[int, str]:
    """Calls the command. It must print no secret and nothing personal."""
    exit_code, shown, errors = bookings("recover", *options)
    for secret in (CANARY, SECRET, TOKEN, CLIENT_SECRET):
        assert secret not in shown + errors
    return exit_code, shown


# failure matrix: 50
@pytest.mark.parametrize(
    ("log", "options", "expected"),
    [
        ("c1:503,503,503,503 a2:401", "", "a2:1:401 c1:4:503"),  # the oldest event first
        ("a1:503,503,503,503 a2:503,503", "", "a1:6:503"),  # of two subscriptions
        ("a1:503,503,200 b2:503,500 c3:200", "", "b2:2:500"),
        ("a1:503,200,503", "", "a1:2:503"),
        ("a1:503,503 a2:503,200", "", "a1:3:503"),  # only another subscription took it
        ("meeting1:503 others2:503 new3:503", "", "new3:1:503"),
        ("broken1:503", "", "broken1:1:503"),
        ("old1:503 a2:503 c3:503", "", "a2:1:503 c3:1:503"),
        ("old1:503 a2:503 c3:503", "--since 10d", "old1:1:503 a2:1:503 c3:1:503"),
        *(("a1:503 c2:503", f"--since {span}", "c2:1:503") for span in ("2h", "120m", "2026-11-22T09:00:01")),
        ("a1:503 c2:503", "--since 2026-11-22T10:00:00+01:00", "a1:1:503 c2:1:503"),
        ("c1:200 b2:503,503 a3:200 old4:200 meeting5:200", "--delivered", "a3:0:200+ b2:2:503 c1:0:200+"),
        ("a1:503,503,200 a2:200", "--delivered", "a1:2:200+"),
        ("a1:200 a2:503,503", "--delivered", "a2:2:503"),
        ("a1:503,200,503", "--delivered", "a1:2:503"),
    ],
)
def test_deliveries_that_failed_for_good_are_posted(
    webhook: Webhook, zoom: FakeZoom, log: str, options: str, expected: str
) -> None:
    fill(zoom, log)
    exit_code, shown = recover("--json", *options.split())
    found = json.loads(shown)["deliveries"]
    described = [
        f"{each['request_id']}:{each['failed_tries']}:{each['last_status']}{'+' * ('delivered' in each)}"
        for each in found
    ]
    assert (exit_code, " ".join(described)) == (0, expected)
    assert webhook.posted() == [(each["request_id"], body(each["request_id"][:-1])) for each in found]


def test_empty_log_needs_nothing_more(stack: Any, zoom: FakeZoom) -> None:
    stack.secret = None
    empty = "Zoom's delivery log holds no delivery of the Scheduler"
    assert (recover(), len(zoom.requests)) == ((0, f"{empty} that failed for good.\n"), 2)
    assert (recover("--delivered"), len(zoom.requests)) == ((0, f"{empty}.\n"), 5)


def test_person_sees_each_answer_and_the_sum(zoom: FakeZoom) -> None:
    fill(zoom, "a1:200 b2:503,503,200 c3:503,500")
    c = f"2026-11-22T11:00:00Z {DELIVERY}, failed 2 x, last with 500\n  {booking_id_of('c', EMAIL)}\n"
    accepted = "  200: accepted\n"
    a = f"2026-11-22T09:00:00Z {DELIVERY}, delivered\n  {booking_id_of('a', EMAIL)}\n"
    b = f"2026-11-22T10:00:00Z {DELIVERY}, failed 2 x, then delivered\n  {booking_id_of('b', EMAIL)}\n"
    of_three = "Found 3 deliveries (2 delivered well, 1 failed for good)"
    total = "accepted, 0 in quarantine, 0 not taken.\n"
    assert recover() == (0, f"{c}{accepted}Found 1 delivery: 1 {total}")
    assert recover("--delivered") == (0, f"{a}{accepted}{b}{accepted}{c}{accepted}{of_three}: 3 {total}")
    assert recover("--dry-run") == (0, f"{c}Found 1 delivery; nothing was sent.\n")


def test_program_gets_json(webhook: Webhook, zoom: FakeZoom, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(zoom, "a1:503,500")
    tries = {"failed_tries": 2, "last_status": "500", "failed_reason_type": "http_status"}
    booking = {"event": DELIVERY, "event_time": "2026-11-22T09:00:00Z", "request_id": "a1"}
    delivery: dict[str, Any] = {**booking, **tries, "booking_id": booking_id_of("a", EMAIL)}
    fed = delivery | {"answer": 200, "outcome": "accepted"}
    assert json.loads(recover("--json")[1]) == {"deliveries": [fed], "unreadable": 0}
    monkeypatch.setattr(cli.stack, "find_stack", None)  # a dry run needs none
    assert json.loads(recover("--dry-run", "--json")[1]) == {"deliveries": [delivery], "unreadable": 0}
    assert len(webhook.requests) == 1


@pytest.mark.parametrize(
    ("statuses", "content_type", "exit_code", "total"),
    [
        ([200, 204, 299], JSON, 0, "3 accepted, 0 in quarantine, 0 not taken"),
        ([200, 400, 200], PROBLEM, 3, "2 accepted, 1 in quarantine, 0 not taken"),
        ([200, 400, 200], JSON, 1, "2 accepted, 0 in quarantine, 1 not taken"),
        ([503, 400, 200], PROBLEM, 1, "1 accepted, 1 in quarantine, 1 not taken"),
        ([401, 413, 200], PROBLEM, 1, "1 accepted, 0 in quarantine, 2 not taken"),
        ([307, 300, 200], JSON, 1, "1 accepted, 0 in quarantine, 2 not taken"),
    ],
)
def test_worst_answer_sets_the_exit_code(
    webhook: Webhook, zoom: FakeZoom, statuses: list[int], content_type: str, exit_code: int, total: str
) -> None:
    fill(zoom, "a1:503 b2:503 c3:200")
    webhook.statuses, webhook.content_type = [*statuses], content_type
    found, shown = recover("--delivered")
    assert (found, len(webhook.posted()), total in shown) == (exit_code, 3, True)
    assert ("kept whole in quarantine" in shown) is ("1 in quarantine" in total)
    assert ("a token that was just stored" in shown) is (401 in statuses)
    assert ("stays in Zoom's log for 7 days" in shown) is ("0 not taken" not in total)


# failure matrix: 50
def test_missing_answer_holds_up_no_other(zoom: FakeZoom, stack: Any, dead_urls: list[str]) -> None:
    fill(zoom, "a1:503 b2:503")
    stack.webhook_url = dead_urls[0]
    exit_code, shown = recover("--json")
    detail = f"{stack.webhook_url} gave no answer: nothing accepts connections there."
    outcomes = [(each["answer"], each["outcome"], each["detail"]) for each in json.loads(shown)["deliveries"]]
    assert (exit_code, outcomes) == (1, [(None, "no answer", detail)] * 2)


def test_unreadable_tries_are_reported(webhook: Webhook, zoom: FakeZoom) -> None:
    zoom.log(None, "id-1", 503)
    zoom.log(None, "id-2", 200)
    fill(zoom, "a3:503")
    for options, tries in (([], "1 failed try has"), (["--delivered"], "2 tries have")):
        exit_code, shown = recover(*options)
        assert exit_code == 1
        assert shown.endswith(f"\n{tries} no body in Zoom's delivery log that could be sent.\n")
    assert len(webhook.posted()) == 2


@pytest.mark.parametrize("stamp", [10**30, -5, True, "soon", None, 1.5])
def test_event_without_a_time_or_booking_is_posted(webhook: Webhook, zoom: FakeZoom, stamp: object) -> None:
    zoom.log(samples.raw({"event": "scheduler.x\x1b[31m", "event_ts": stamp}), "id-1", 503)
    exit_code, shown = recover()
    assert (exit_code, len(webhook.posted())) == (0, 1)
    assert shown.startswith("time unknown scheduler.x\ufffd[31m, failed 1 x, last with 503\n  booking unk")

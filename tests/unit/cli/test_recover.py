"""`bookings recover`: what of Zoom's delivery log goes through the door again."""

import email.utils
import json
import socket
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from bookings.domain.booking import booking_id_of
from bookings.zoom.signature import check_form, verify
from cli import posting, zoom_log
from cli.zoom_log import MAX_PAGES

from ... import samples, zoom_api
from .conftest import SECRET, STACK_NAME, Deployed, Server, bookings, serving

CANARY = "kanarie"
NOW_MS = int(time.time() * 1000)
HOUR_MS = 3_600_000
IDS = [str(uuid.UUID(int=number)) for number in range(9)]


@dataclass(kw_only=True)
class Local:
    """A local stack of which the command needs no more than its webhook and its secret."""

    state: dict[str, Any]
    secret_reads: int = 0

    def write_state(self, **changes: Any) -> None:
        Path(".local").mkdir(exist_ok=True)
        Path(".local/stack.json").write_text(json.dumps(self.state | changes))


@pytest.fixture
def local(webhook: Server) -> Iterator[Local]:
    def answer(_path: str, headers: dict[str, str], _body: bytes) -> tuple[int, str, bytes]:
        assert headers["x-amz-target"] == "secretsmanager.GetSecretValue"
        found.secret_reads += 1
        return 200, "application/x-amz-json-1.1", json.dumps({"SecretString": SECRET}).encode()

    with serving(answer) as server:
        found = Local(
            state={
                "endpoint_url": server.url,
                "region": "us-east-1",
                "webhook_url": webhook.url,
                "outputs": {"ZoomSecretArn": "arn"},
            }
        )
        found.write_state()
        yield found


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was waited for, in seconds; nothing is."""
    waited: list[float] = []
    monkeypatch.setattr(zoom_log, "_pause", waited.append)
    return waited


def created(at: int = NOW_MS - HOUR_MS, event_id: str = "evt-1") -> bytes:
    return samples.raw(
        samples.created(at, event_id=event_id, invitee_email=f"{CANARY}@example.com", summary=CANARY)
    )


def canceled(at: int = NOW_MS - HOUR_MS, event_id: str = "evt-1") -> bytes:
    return samples.raw(
        samples.canceled(at, event_id=event_id, invitee_email=f"{CANARY}@example.com", summary=CANARY)
    )


def recovered(*options: str) -> Result:
    """Calls the command; whatever it says, it tells no secret and no person."""
    result = bookings("recover", *options)
    for secret in (CANARY, SECRET, zoom_api.TOKEN, zoom_api.CLIENT_SECRET):
        assert secret not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def posted(webhook: Server) -> list[tuple[str, bytes]]:
    """Request id and body of each delivery that came through the door, each signed now."""
    for _, headers, body in webhook.requests:
        signature, timestamp = check_form(
            headers["x-zm-signature"], headers["x-zm-request-timestamp"], datetime.now(UTC), 5
        )
        assert verify([SECRET], signature, timestamp, body) == SECRET
    return [(headers["x-zm-request-id"], body) for _, headers, body in webhook.requests]


# ── what goes through the door ────────────────────────────────────────────────────────────────────────────


# failure matrix: 50
def test_what_failed_is_posted_as_it_was_under_its_own_id_the_oldest_event_first(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom
) -> None:
    newer, older = canceled(NOW_MS - HOUR_MS), created(NOW_MS - 2 * HOUR_MS)
    zoom.log(newer, IDS[0], 503, 503, 503, 503)
    zoom.log(older, IDS[1], 401)

    result = recovered("--local")

    assert result.exit_code == 0, result.stderr
    assert posted(webhook) == [(IDS[1], older), (IDS[0], newer)]
    assert webhook.requests[0][1]["content-type"] == "application/json; charset=utf-8"


# failure matrix: 50
def test_each_body_is_posted_once_however_often_it_was_tried_and_subscribed(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom
) -> None:
    zoom.log(created(), IDS[0], 503, 503, 503, 503)
    zoom.log(created(), IDS[1], 503, 503)

    result = recovered("--local", "--json")

    assert [body for _, body in posted(webhook)] == [created()]
    assert [each["failed_tries"] for each in json.loads(result.stdout)["deliveries"]] == [6]


# failure matrix: 50
def test_a_delivery_whose_latest_try_succeeded_is_left_out(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom
) -> None:
    zoom.log(created(event_id="came-late"), IDS[0], 503, 503, 200)
    zoom.log(created(event_id="never-came"), IDS[1], 503, 503)
    zoom.log(created(event_id="came-at-once"), IDS[2], 200)

    assert recovered("--local").exit_code == 0
    assert posted(webhook) == [(IDS[1], created(event_id="never-came"))]


# failure matrix: 50
def test_a_try_that_failed_after_one_that_succeeded_counts(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom
) -> None:
    zoom.log(created(), IDS[0], 503, 200, 503)

    recovered("--local")
    assert posted(webhook) == [(IDS[0], created())]


def test_what_another_subscription_took_is_posted_all_the_same(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom
) -> None:
    zoom.log(created(), IDS[0], 503, 503)
    zoom.log(created(), IDS[1], 503, 200)

    recovered("--local")
    assert len(posted(webhook)) == 1


def test_other_products_are_left_alone_and_new_scheduler_events_are_not(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom
) -> None:
    new = samples.raw(samples.created(NOW_MS) | {"event": "scheduler.scheduled_event_confirmed_by_host"})
    zoom.log(samples.raw({"event": "meeting.started", "event_ts": NOW_MS}), IDS[0], 503)
    zoom.log(new, IDS[1], 503)
    zoom.log(samples.raw({"event": "schedulers.other"}), IDS[2], 503)

    recovered("--local")
    assert posted(webhook) == [(IDS[1], new)]


# failure matrix: 50
def test_each_page_of_the_log_is_read(local: Local, webhook: Server, zoom: zoom_api.FakeZoom) -> None:
    zoom.page = 2
    bodies = [created(NOW_MS - HOUR_MS + number, f"evt-{number}") for number in range(5)]
    for number, body in enumerate(bodies):
        zoom.log(body, IDS[number], 503)

    recovered("--local")

    assert [body for _, body in posted(webhook)] == bodies
    failed = [query for _, _, query in zoom.asked if query.get("type") == "2"]
    assert failed == [
        {"type": "2", "page_size": "300"},
        {"type": "2", "page_size": "300", "next_page_token": "page-2"},
        {"type": "2", "page_size": "300", "next_page_token": "page-4"},
    ]


def test_without_failures_nothing_more_is_asked_for(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom
) -> None:
    zoom.log(created(), IDS[0], 200)

    result = recovered("--local")

    assert result.exit_code == 0
    assert "no delivery of the Scheduler that failed for good" in result.stdout
    assert [query.get("type") for _, _, query in zoom.asked] == [None, "2"]
    assert (local.secret_reads, webhook.requests) == (0, [])


def test_a_body_that_is_logged_as_an_object_is_written_compactly(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom
) -> None:
    body = samples.created(NOW_MS, summary="Zoë's")
    zoom.log(body, IDS[0], 503, 503)

    recovered("--local")
    compact = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    assert posted(webhook) == [(IDS[0], compact)]


def test_half_a_character_in_a_logged_object_is_posted_as_its_escape(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom
) -> None:
    zoom.log(samples.created(NOW_MS, summary="\ud83d"), IDS[0], 503)

    recovered("--local")
    assert b'"summary":"\\ud83d"' in webhook.requests[0][2]


@pytest.mark.parametrize(
    ("logged", "sent"),
    [
        ({"request_headers": {"x-zm-request-id": "from_headers"}, "request_id": "other"}, "from_headers"),
        ({"request_headers": None, "request_id": "of-the-entry"}, "of-the-entry"),
        ({"request_headers": "no JSON", "request_id": "of-the-entry"}, "of-the-entry"),
        ({"request_headers": {"x-zm-request-id": "a\r\nx-evil: 1"}, "request_id": "fine"}, "fine"),
        ({"request_headers": {"x-zm-request-id": "a\r\nx-evil: 1"}, "request_id": 5}, None),
    ],
)
def test_the_request_id_is_the_original_one_if_it_can_be_one(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom, logged: dict[str, Any], sent: str | None
) -> None:
    zoom.log(created(), IDS[0], 503)
    zoom.entries[0] |= logged

    recovered("--local")

    [(request_id, _)] = posted(webhook)
    assert request_id == sent if sent else uuid.UUID(request_id).version == 4
    assert "x-evil" not in webhook.requests[0][1]


def test_a_deployed_stack_is_fed_too(deployed: Deployed, webhook: Server, zoom: zoom_api.FakeZoom) -> None:
    deployed.point_webhook_at(webhook.url)
    zoom.log(created(), IDS[0], 503)

    assert recovered("--stack", STACK_NAME).exit_code == 0
    assert posted(webhook) == [(IDS[0], created())]


# ── what was delivered well ───────────────────────────────────────────────────────────────────────────────


def test_what_was_delivered_well_is_posted_too_if_asked_for(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom
) -> None:
    newest, between, oldest = (created(NOW_MS - hours * HOUR_MS, f"evt-{hours}") for hours in (1, 2, 3))
    zoom.log(newest, IDS[0], 200)
    zoom.log(between, IDS[1], 503, 503, 503, 503)
    zoom.log(oldest, IDS[2], 200)
    zoom.log(created(NOW_MS - 8 * 24 * HOUR_MS, "too-old"), IDS[3], 200)
    zoom.log(samples.raw({"event": "meeting.started", "event_ts": NOW_MS}), IDS[4], 200)

    result = recovered("--local", "--delivered")

    assert result.exit_code == 0, result.stderr
    assert posted(webhook) == [(IDS[2], oldest), (IDS[1], between), (IDS[0], newest)]


def test_a_body_that_failed_on_one_try_and_succeeded_on_another_is_posted_once(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom
) -> None:
    zoom.log(created(), IDS[0], 503, 503, 200)
    zoom.log(created(), IDS[1], 200)

    result = recovered("--local", "--delivered", "--json")

    assert posted(webhook) == [(IDS[0], created())]
    [told] = json.loads(result.stdout)["deliveries"]
    assert (told["failed_tries"], told["last_status"], told["delivered"]) == (2, "200", True)


def test_a_body_that_failed_for_good_at_one_subscription_is_told_as_failed_and_posted_once(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom
) -> None:
    zoom.log(created(), IDS[0], 200)
    zoom.log(created(), IDS[1], 503, 503)

    result = recovered("--local", "--delivered", "--json")

    assert posted(webhook) == [(IDS[1], created())]
    [told] = json.loads(result.stdout)["deliveries"]
    assert (told["failed_tries"], told["last_status"], told.get("delivered")) == (2, "503", None)


def test_each_page_of_what_was_delivered_well_is_read(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom
) -> None:
    zoom.page = 2
    bodies = [created(NOW_MS - HOUR_MS + number, f"evt-{number}") for number in range(5)]
    for number, body in enumerate(bodies):
        zoom.log(body, IDS[number], 200)

    recovered("--local", "--delivered")

    assert [body for _, body in posted(webhook)] == bodies


def test_a_person_sees_what_was_delivered_well_apart(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom
) -> None:
    for number, statuses in enumerate([(200,), (503, 503, 200), (503, 500)]):
        zoom.log(created(1_795_165_200_000 + 1000 * number, f"evt-{number}"), IDS[number], *statuses)

    result = recovered("--local", "--since", "2026-11-01", "--delivered")

    lines = result.stdout.splitlines()
    assert [line for line in lines if not line.startswith("  ")] == [
        "2026-11-20T09:00:00Z scheduler.scheduled_event_created, delivered",
        "2026-11-20T09:00:01Z scheduler.scheduled_event_created, failed 2 x, then delivered",
        "2026-11-20T09:00:02Z scheduler.scheduled_event_created, failed 2 x, last with 500",
        "Found 3 deliveries (2 delivered well, 1 failed for good): 3 accepted, 0 in quarantine, 0 not taken.",
    ]


def test_a_program_gets_what_was_delivered_well_apart(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom
) -> None:
    zoom.log(created(1_795_165_200_000), IDS[0], 200)

    result = recovered("--local", "--since", "2026-11-01", "--delivered", "--json")

    assert json.loads(result.stdout) == {
        "deliveries": [
            {
                "booking_id": booking_id_of("evt-1", f"{CANARY}@example.com"),
                "event": "scheduler.scheduled_event_created",
                "event_time": "2026-11-20T09:00:00Z",
                "request_id": IDS[0],
                "failed_tries": 0,
                "last_status": "200",
                "failed_reason_type": None,
                "delivered": True,
                "answer": 200,
                "outcome": "accepted",
            }
        ],
        "unreadable": 0,
    }


def test_a_dry_run_lists_what_was_delivered_well(webhook: Server, zoom: zoom_api.FakeZoom) -> None:
    zoom.log(created(), IDS[0], 200)

    result = recovered("--dry-run", "--delivered")

    assert result.exit_code == 0
    last = "Found 1 delivery (1 delivered well, 0 failed for good); nothing was sent."
    assert result.stdout.splitlines()[-1] == last
    assert webhook.requests == []


def test_an_empty_log_is_told_as_such(local: Local, webhook: Server, zoom: zoom_api.FakeZoom) -> None:
    result = recovered("--local", "--delivered")

    assert result.exit_code == 0
    assert result.stdout == "Zoom's delivery log holds no delivery of the Scheduler.\n"
    assert (local.secret_reads, webhook.requests) == (0, [])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--delivered"], "2 tries have no body in Zoom's delivery log that could be sent."),
        ([], "1 failed try has no body in Zoom's delivery log that could be sent."),
    ],
)
def test_what_was_delivered_well_and_has_no_body_is_told_where_it_was_asked_for(
    local: Local,
    webhook: Server,
    zoom: zoom_api.FakeZoom,
    options: list[str],
    told: str,
) -> None:
    zoom.log(None, IDS[0], 200)
    zoom.log(None, IDS[1], 503)

    result = recovered("--local", *options)

    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == told
    assert webhook.requests == []


@pytest.mark.parametrize(
    ("status", "content_type", "exit_code"),
    [(200, "application/json", 0), (400, "application/problem+json", 3), (503, "application/json", 1)],
)
def test_what_was_delivered_well_ends_by_its_answer_too(
    local: Local,
    webhook: Server,
    zoom: zoom_api.FakeZoom,
    status: int,
    content_type: str,
    exit_code: int,
) -> None:
    webhook.statuses, webhook.content_type = [status], content_type
    zoom.log(created(), IDS[0], 200)

    assert recovered("--local", "--delivered").exit_code == exit_code


# ── since when ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("since", "found"),
    [
        (None, ["day", "hour"]),
        ("7d", ["day", "hour"]),
        ("10d", ["week", "day", "hour"]),
        ("2h", ["hour"]),
        ("30m", []),
        ((datetime.now(UTC) - timedelta(hours=30)).isoformat(), ["day", "hour"]),
        ((datetime.now(UTC) - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S"), ["hour"]),
    ],
    ids=["default", "7d", "10d", "2h", "30m", "time with offset", "time in UTC"],
)
def test_only_events_of_the_asked_time_are_taken(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom, since: str | None, found: list[str]
) -> None:
    for name, hours in (("week", 8 * 24), ("day", 24), ("hour", 1)):
        zoom.log(created(NOW_MS - hours * HOUR_MS, name), name, 503)

    recovered("--local", *(["--since", since] if since else []))
    assert [request_id for request_id, _ in posted(webhook)] == found


@pytest.mark.parametrize("since", ["", "yesterday", "7", "7w", "-1d", "999999d", "2026-13-01"])
def test_what_is_no_time_is_a_wrong_call(local: Local, zoom: zoom_api.FakeZoom, since: str) -> None:
    result = recovered("--local", "--since", since)
    assert result.exit_code == 2
    assert "--since is a span before now" in result.stderr
    assert zoom.asked == []


# ── what is said, and how it ends ─────────────────────────────────────────────────────────────────────────


def test_a_person_sees_each_answer_and_the_sum(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom
) -> None:
    zoom.log(created(1_795_165_200_000), IDS[0], 503, 503, 503, 503)

    result = recovered("--local", "--since", "2026-11-01")

    assert result.stdout.splitlines() == [
        "2026-11-20T09:00:00Z scheduler.scheduled_event_created, failed 4 x, last with 503",
        f"  {booking_id_of('evt-1', f'{CANARY}@example.com')}",
        "  200: accepted",
        "Found 1 delivery: 1 accepted, 0 in quarantine, 0 not taken.",
    ]


def test_a_program_gets_json(local: Local, webhook: Server, zoom: zoom_api.FakeZoom) -> None:
    zoom.log(created(1_795_165_200_000), IDS[0], 503, 500)

    result = recovered("--local", "--since", "2026-11-01", "--json")

    assert json.loads(result.stdout) == {
        "deliveries": [
            {
                "booking_id": booking_id_of("evt-1", f"{CANARY}@example.com"),
                "event": "scheduler.scheduled_event_created",
                "event_time": "2026-11-20T09:00:00Z",
                "request_id": IDS[0],
                "failed_tries": 2,
                "last_status": "500",
                "failed_reason_type": "http_status",
                "answer": 200,
                "outcome": "accepted",
            }
        ],
        "unreadable": 0,
    }


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_dry_run_lists_and_sends_nothing_and_needs_no_stack(
    webhook: Server, zoom: zoom_api.FakeZoom, as_json: list[str]
) -> None:
    zoom.log(created(), IDS[0], 503)

    result = recovered("--dry-run", *as_json)

    assert result.exit_code == 0
    assert booking_id_of("evt-1", f"{CANARY}@example.com") in result.stdout
    assert webhook.requests == []
    if not as_json:
        assert result.stdout.splitlines()[-1] == "Found 1 delivery; nothing was sent."


@pytest.mark.parametrize(
    ("statuses", "content_type", "exit_code", "total"),
    [
        ((200, 200, 200), "application/json", 0, "3 accepted, 0 in quarantine, 0 not taken"),
        ((200, 400, 200), "application/problem+json", 3, "2 accepted, 1 in quarantine, 0 not taken"),
        ((200, 400, 200), "application/json", 1, "2 accepted, 0 in quarantine, 1 not taken"),
        ((503, 400, 200), "application/problem+json", 1, "1 accepted, 1 in quarantine, 1 not taken"),
        ((401, 413, 200), "application/problem+json", 1, "1 accepted, 0 in quarantine, 2 not taken"),
        ((302, 200, 200), "text/html", 1, "2 accepted, 0 in quarantine, 1 not taken"),
    ],
)
def test_it_goes_on_after_a_failure_and_ends_by_the_worst_answer(
    local: Local,
    webhook: Server,
    zoom: zoom_api.FakeZoom,
    statuses: tuple[int, ...],
    content_type: str,
    exit_code: int,
    total: str,
) -> None:
    webhook.statuses, webhook.content_type = list(statuses), content_type
    for number in range(3):
        zoom.log(created(event_id=f"evt-{number}"), IDS[number], 503)

    result = recovered("--local")

    assert result.exit_code == exit_code
    assert len(posted(webhook)) == 3
    assert total in result.stdout
    assert ("kept whole in quarantine" in result.stdout) is ("1 in quarantine" in total)
    assert ("a token that was just stored" in result.stdout) is (401 in statuses)


# failure matrix: 50
def test_a_door_that_does_not_answer_is_told_for_each_delivery(
    local: Local, zoom: zoom_api.FakeZoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "_TIMEOUT_SECONDS", 0.05)
    zoom.log(created(event_id="a"), IDS[0], 503)
    zoom.log(created(event_id="b"), IDS[1], 503)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        local.write_state(webhook_url=f"http://127.0.0.1:{silent.getsockname()[1]}/")
        result = recovered("--local", "--json")

    assert result.exit_code == 1
    told = json.loads(result.stdout)["deliveries"]
    assert [(each["answer"], each["outcome"]) for each in told] == [(None, "no answer")] * 2
    assert "none within 0.05 s" in told[0]["detail"]


@pytest.mark.parametrize("body", [None, "", 7, ["x"], "no JSON", "[]", "{}"])
def test_what_the_log_has_no_usable_body_of_is_told_and_not_passed_over(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom, body: object
) -> None:
    zoom.log(body, IDS[0], 503)
    zoom.log(created(), IDS[1], 503)

    result = recovered("--local")

    assert result.exit_code == 1
    assert "1 failed try has no body" in result.stdout
    assert len(posted(webhook)) == 1


def test_a_body_that_is_no_json_goes_through_the_door_if_the_log_says_whose_it_is(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom
) -> None:
    zoom.log("{broken", IDS[0], 503, event="scheduler.scheduled_event_created")
    zoom.log("{broken", IDS[1], 503, event="meeting.started")

    assert recovered("--local").exit_code == 0
    assert posted(webhook) == [(IDS[0], b"{broken")]


@pytest.mark.parametrize("stamp", [10**30, -5, True, "soon", None, 1.5])
def test_an_event_without_a_usable_time_or_booking_is_posted_and_told_as_such(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom, stamp: object
) -> None:
    zoom.log(samples.raw({"event": "scheduler.x\x1b[31m", "event_ts": stamp}), IDS[0], 503)

    result = recovered("--local")

    assert result.exit_code == 0
    assert len(posted(webhook)) == 1
    assert result.stdout.startswith("time unknown scheduler.x\N{REPLACEMENT CHARACTER}[31m, failed 1 x")
    assert "booking unknown" in result.stdout


# ── Zoom's troubles ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["ZOOM_ACCOUNT_ID", "ZOOM_CLIENT_ID", "ZOOM_CLIENT_SECRET", "ZOOM_APP_ID"])
def test_what_is_not_set_is_named(
    zoom: zoom_api.FakeZoom, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, " ")
    result = recovered("--dry-run")
    assert result.exit_code == 2
    assert name in result.stderr
    assert zoom.asked == []


def test_the_app_may_be_said(zoom: zoom_api.FakeZoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZOOM_APP_ID")
    assert recovered("--dry-run", "--app-id", zoom_api.APP_ID).exit_code == 0
    other = recovered("--dry-run", "--app-id", "../users/me?")
    assert other.exit_code == 1
    assert "no app of this id" in other.stderr
    assert zoom.asked[-1][1] == "/v2/marketplace/apps/..%2Fusers%2Fme%3F/webhook_logs"


@pytest.mark.parametrize(
    "url",
    ["http://api.zoom.us/v2", "ftp://127.0.0.1", "api.zoom.us", "https://a:b@zoom.us", "http://[::1"],
)
@pytest.mark.parametrize("name", ["ZOOM_API_URL", "ZOOM_OAUTH_URL"])
def test_no_secret_goes_over_an_open_line(
    zoom: zoom_api.FakeZoom, monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    monkeypatch.setenv(name, url)
    result = recovered("--dry-run")
    assert result.exit_code == 2
    assert "https" in result.stderr
    assert zoom.asked == []


def test_credentials_that_zoom_refuses_are_told(
    zoom: zoom_api.FakeZoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOOM_CLIENT_SECRET", "wrong-canary-é")
    result = recovered("--dry-run")
    assert result.exit_code == 1
    assert "Zoom does not take these credentials (401, invalid_client)" in result.stderr
    assert "wrong-canary" not in result.output


@pytest.mark.parametrize(
    ("answer", "scope"),
    [
        (zoom_api.reply(401, {"code": 124, "message": CANARY}), "marketplace_app:read:admin"),
        (zoom_api.reply(403, b"<html>"), "marketplace_app:read:admin"),
        (
            zoom_api.reply(
                400,
                {
                    "code": 4711,
                    "message": "Invalid access token, does not contain scopes:[marketplace_app:read].",
                },
            ),
            "marketplace_app:read",
        ),
    ],
)
def test_a_missing_scope_is_named(zoom: zoom_api.FakeZoom, answer: zoom_api.Reply, scope: str) -> None:
    zoom.replies["webhook_logs"] = [answer]
    result = recovered("--dry-run")
    assert result.exit_code == 1
    assert f"Add the scope {scope} to the app" in result.stderr


def test_a_pause_that_zoom_asks_for_is_made(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom, pauses: list[float]
) -> None:
    zoom.log(created(), IDS[0], 503)
    zoom.replies["token"] = [zoom_api.reply(429, {})]
    zoom.replies["webhook_logs"] = [
        zoom_api.reply(429, {}, retry_after="7"),
        zoom_api.reply(429, {}, retry_after=email.utils.formatdate(time.time() + 20, usegmt=True)),
    ]

    assert recovered("--local").exit_code == 0
    assert len(posted(webhook)) == 1
    assert pauses[:2] == [1, 7]
    assert 15 < pauses[2] <= 20


@pytest.mark.parametrize(
    "retry_after",
    ["61", "9" * 30, (datetime.now(UTC) + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M:%SZ")],
    ids=["a second too much", "many digits", "a time"],
)
def test_a_pause_too_long_is_left_to_the_person(
    zoom: zoom_api.FakeZoom, pauses: list[float], retry_after: str
) -> None:
    zoom.replies["webhook_logs"] = [zoom_api.reply(429, {}, retry_after=retry_after)]
    result = recovered("--dry-run")
    assert result.exit_code == 1
    assert "wants a pause of" in result.stderr
    assert pauses == []


@pytest.mark.parametrize("where", ["token", "webhook_logs"])
@pytest.mark.parametrize("answer", [zoom_api.reply(429, {}), zoom_api.reply(500, CANARY.encode())])
def test_a_zoom_that_is_down_is_asked_a_few_times(
    zoom: zoom_api.FakeZoom, pauses: list[float], where: str, answer: zoom_api.Reply
) -> None:
    zoom.replies[where] = [answer] * 9
    result = recovered("--dry-run")
    assert result.exit_code == 1
    assert "does not work now, tried 4 times" in result.stderr
    assert len(zoom.replies[where]) == 5
    assert pauses == [1, 2, 4]


def test_a_zoom_that_recovers_meanwhile_is_read(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom
) -> None:
    zoom.log(created(), IDS[0], 503)
    zoom.replies["webhook_logs"] = [zoom_api.reply(502, b"")] * 3
    assert recovered("--local").exit_code == 0
    assert len(posted(webhook)) == 1


def test_a_zoom_that_hangs_is_given_up(zoom: zoom_api.FakeZoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoom_log, "_TIMEOUT_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("ZOOM_OAUTH_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/oauth/token")
        result = recovered("--dry-run")
    assert result.exit_code == 1
    assert "no answer, none within 0.05 s" in result.stderr


@pytest.mark.parametrize(
    ("where", "answer", "said"),
    [
        ("token", zoom_api.reply(200, b"{"), "not a JSON object"),
        ("token", zoom_api.reply(200, {"access_token": f"{CANARY}\r\nx: 1"}), "no access token"),
        ("token", zoom_api.reply(302, {}, location="/elsewhere"), "it answers 302"),
        ("webhook_logs", zoom_api.reply(200, CANARY.encode()), "not a JSON object"),
        ("webhook_logs", zoom_api.reply(200, [CANARY]), "not a JSON object"),
        ("webhook_logs", zoom_api.reply(200, b"[" * 200_000), "not a JSON object"),
        ("webhook_logs", zoom_api.reply(200, {"webhook_logs": CANARY}), "has not the form"),
        ("webhook_logs", zoom_api.reply(200, {"webhook_logs": [], "next_page_token": 5}), "has not the form"),
        ("webhook_logs", zoom_api.reply(302, {}, location="/elsewhere"), "it answers 302"),
        ("webhook_logs", zoom_api.reply(400, {"code": 300, "message": CANARY}), "it answers 400"),
    ],
)
def test_an_answer_that_zoom_does_not_document_is_told(
    zoom: zoom_api.FakeZoom, where: str, answer: zoom_api.Reply, said: str
) -> None:
    zoom.log(created(), IDS[0], 503)
    zoom.replies[where] = [answer]
    result = recovered("--dry-run")
    assert result.exit_code == 1
    assert said in result.stderr


def test_a_log_without_an_end_is_given_up_and_nothing_is_sent(
    local: Local, webhook: Server, zoom: zoom_api.FakeZoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoom_log, "MAX_PAGES", 20)
    zoom.endless = True
    zoom.log(created(), IDS[0], 503)
    result = recovered("--local")
    assert result.exit_code == 1
    assert "does not end" in result.stderr
    assert len(zoom.asked) == 1 + 20
    assert webhook.requests == []
    assert MAX_PAGES == 1000


def test_a_page_that_names_itself_as_the_next_is_given_up(zoom: zoom_api.FakeZoom) -> None:
    page = zoom_api.reply(200, {"webhook_logs": [], "next_page_token": "again"})
    zoom.replies["webhook_logs"] = [page] * 9
    result = recovered("--dry-run")
    assert result.exit_code == 1
    assert "does not end" in result.stderr
    assert len(zoom.replies["webhook_logs"]) == 7

"""The operator's command, called in the folder of the running stack."""

import contextlib
import json
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

from typer.testing import CliRunner

from cli.main import app
from tests.e2e.stack import Stack, served, wait_for
from tests.samples import canceled, created, raw


def bookings(stack: Stack, *arguments: str, stdin: str = "", **environment: str) -> Any:
    with contextlib.chdir(stack.folder):
        result = CliRunner().invoke(app, [*arguments, "--local", "--json"], input=stdin, env=environment)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


# failure matrix: 52
def test_booking_is_sent_shown_announced_and_erased(stack: Stack, event_id: str) -> None:
    (stack.folder / "delivery.json").write_bytes(raw(created(event_id=event_id)))
    assert bookings(stack, "send", "delivery.json")["status"] == 200
    [item] = wait_for("the booking", lambda: stack.items(event_id))
    assert bookings(stack, "show", item["booking_id"])["status"] == "confirmed"
    assert bookings(stack, "announce", item["booking_id"])["announced"] == 1
    first, again = stack.events(event_id)
    assert first == again
    bookings(stack, "erase", item["booking_id"], "--yes")
    assert stack.deliver(created(event_id=event_id)) == "Erased"
    [tombstone] = stack.items(event_id)
    assert tombstone.keys() == {"booking_id", "revision", "erased_at"}
    assert len(stack.events(event_id)) == 2


class Zoom(BaseHTTPRequestHandler):
    """Gives access tokens, and the log of failed tries."""

    tries: list[dict[str, Any]]

    def handle_any(self) -> None:
        tries = self.tries if "type=2" in self.path else []
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"access_token": "a-token", "webhook_logs": tries}).encode())

    do_GET = do_POST = handle_any  # noqa: N815 - names of http.server


# failure matrix: 50
def test_outage_is_recovered_from_zooms_log(stack: Stack, event_id: str) -> None:
    at = int(time.time() * 1000) - 3_600_000
    bodies = [created(at, event_id=event_id), canceled(at + 60_000, event_id=event_id)]
    with stack.denied("WebhookRole", "events:PutEvents", "sqs:SendMessage"):
        answers = [stack.post(body) for body in bodies]
    assert [answer.status for answer in answers] == [503, 503]
    sent = zip(bodies, answers, strict=True)
    Zoom.tries = [{"request_body": raw(body).decode(), "request_id": x.request_id} for body, x in sent]
    with served(Zoom) as url:
        names = ("ACCOUNT_ID", "CLIENT_ID", "CLIENT_SECRET", "APP_ID", "API_URL", "OAUTH_URL")
        report = bookings(stack, "recover", **{f"ZOOM_{name}": url for name in names})
    assert [each["outcome"] for each in report["deliveries"]] == ["accepted", "accepted"]
    assert [stack.outcome(answer) for answer in answers] == ["BookingWritten", "BookingWritten"]
    assert [item["status"] for item in stack.items(event_id)] == ["canceled"]

"""`bookings send`: what it posts, what it prints, how it ends."""

import json
import re
import socket
import uuid
from datetime import UTC, datetime

import pytest
import typer

from bookings.zoom.signature import check_form, verify
from cli import posting
from cli import send as send_module

from .conftest import EVENTS, SECRET, STACK_NAME, Deployed, Local, Server, bookings

SAMPLE = str(EVENTS / "scheduled_event_created.json")
SAMPLE_BYTES = (EVENTS / "scheduled_event_created.json").read_bytes()


def signed_with(secret: str, headers: dict[str, str], body: bytes) -> bool:
    signature, timestamp = check_form(
        headers["x-zm-signature"], headers["x-zm-request-timestamp"], datetime.now(UTC), 5
    )
    return verify([secret], signature, timestamp, body) == secret


def test_the_files_bytes_are_posted_as_they_are_and_signed_now(webhook: Server) -> None:
    result = bookings("send", SAMPLE, "--url", webhook.url, "--secret", SECRET)

    assert result.exit_code == 0
    [(path, headers, body)] = webhook.requests
    assert (path, body) == ("/webhooks/zoom", SAMPLE_BYTES)
    assert signed_with(SECRET, headers, body)
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert uuid.UUID(headers["x-zm-request-id"]).version == 4


def test_the_body_may_come_from_standard_input_in_any_bytes(webhook: Server) -> None:
    odd = b'{"name": "\xc3\xa9\\u00e9" }\r\n\x00'

    assert bookings("send", "-", "--url", webhook.url, "--secret", SECRET, stdin=odd).exit_code == 0
    assert webhook.requests[0][2] == odd


def test_a_person_sees_the_answer_and_its_body(webhook: Server) -> None:
    webhook.body = '{"plainToken": "Zoë", "encryptedToken": "00"}'.encode()

    shown = bookings("send", SAMPLE, "--url", webhook.url, "--secret", SECRET).stdout

    assert f"POST {webhook.url}, {len(SAMPLE_BYTES):,} bytes, request id" in shown
    assert re.search(r"^200 OK after \d+ ms$", shown, re.MULTILINE)
    assert '"plainToken": "Zoë"' in shown


def test_a_body_that_comes_back_is_not_printed_again(webhook: Server) -> None:
    webhook.body = SAMPLE_BYTES

    lines = bookings("send", SAMPLE, "--url", webhook.url, "--secret", SECRET).stdout.splitlines()

    assert lines[2:] == ["The body came back as it was sent."]


def test_a_program_gets_json(webhook: Server) -> None:
    webhook.status, webhook.content_type = 400, "application/problem+json"
    webhook.body = b'{"title": "Bad Request", "errors": []}'

    result = bookings("send", SAMPLE, "--url", webhook.url, "--secret", SECRET, "--json")

    printed = json.loads(result.stdout)
    assert result.exit_code == 1
    assert printed.pop("elapsed_ms") >= 0
    assert printed == {
        "url": webhook.url,
        "request_id": webhook.requests[0][1]["x-zm-request-id"],
        "status": 400,
        "reason": "Bad Request",
        "content_type": "application/problem+json",
        "body": {"title": "Bad Request", "errors": []},
    }


@pytest.mark.parametrize(
    ("body", "printed"), [(b"", None), (b"gone \xff wild", "gone \ufffd wild"), (b"[1]", [1])]
)
def test_a_body_that_is_no_object_is_printed_too(webhook: Server, body: bytes, printed: object) -> None:
    webhook.body = body

    result = bookings("send", SAMPLE, "--url", webhook.url, "--secret", SECRET, "--json")

    assert json.loads(result.stdout)["body"] == printed


@pytest.mark.parametrize(
    ("status", "exit_code"), [(200, 0), (204, 0), (299, 0), (307, 1), (400, 1), (401, 1), (413, 1), (503, 1)]
)
def test_the_exit_code_is_0_for_2xx_only(webhook: Server, status: int, exit_code: int) -> None:
    webhook.status, webhook.body = status, b""

    assert bookings("send", SAMPLE, "--url", webhook.url, "--secret", SECRET).exit_code == exit_code
    assert len(webhook.requests) == 1  # a redirect is an answer, not a way


def test_nothing_in_an_answer_steers_the_terminal(webhook: Server) -> None:
    webhook.body = "\x1b]0;owned\x07 [red]not markup[/red] \u202egnp.exe\x9b31m".encode()

    shown = bookings("send", SAMPLE, "--url", webhook.url, "--secret", SECRET).stdout

    assert "\N{REPLACEMENT CHARACTER}]0;owned\N{REPLACEMENT CHARACTER} [red]not markup[/red]" in shown
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(shown)


def test_an_answer_in_json_does_not_steer_the_terminal_either(webhook: Server) -> None:
    webhook.body = json.dumps({"detail": "\x1b[31m\x9b31m\u202e"}, ensure_ascii=False).encode()
    webhook.body = webhook.body.replace(b"\x1b", b"\\u001b")

    shown = bookings("send", SAMPLE, "--url", webhook.url, "--secret", SECRET).stdout

    assert not {"\x1b", "\x9b", "\u202e"} & set(shown)


def test_the_secret_may_stand_in_the_environment(webhook: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOOM_WEBHOOK_SECRET", SECRET)

    assert bookings("send", SAMPLE, "--url", webhook.url).exit_code == 0
    assert signed_with(SECRET, *webhook.requests[0][1:])


def test_the_secret_is_asked_for_without_being_shown(
    webhook: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bool, bool]] = []

    def prompt(text: str, *, hide_input: bool, err: bool) -> str:
        asked.append((text, hide_input, err))
        return SECRET

    monkeypatch.setattr(send_module, "_at_terminal", lambda: True)
    monkeypatch.setattr(typer, "prompt", prompt)

    assert bookings("send", SAMPLE, "--url", webhook.url).exit_code == 0
    assert signed_with(SECRET, *webhook.requests[0][1:])
    assert asked == [("Zoom secret token", True, True)]


def test_without_a_secret_nothing_is_sent(webhook: Server) -> None:
    result = bookings("send", SAMPLE, "--url", webhook.url)

    assert result.exit_code == 2
    assert result.stderr == (
        "Error: There is no secret to sign with: set ZOOM_WEBHOOK_SECRET, or say --secret.\n"
    )
    assert webhook.requests == []


def test_the_local_stack_tells_its_url_and_its_secret(local: Local, webhook: Server) -> None:
    assert bookings("send", SAMPLE, "--local").exit_code == 0
    assert signed_with(SECRET, *webhook.requests[0][1:])
    assert set(local.credentials) == {"test"}


def test_the_local_stack_is_the_default_while_it_runs(local: Local, webhook: Server) -> None:
    assert bookings("send", SAMPLE).exit_code == 0
    assert len(webhook.requests) == 1


def test_a_stacks_own_secret_goes_before_the_environments(
    local: Local, webhook: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOOM_WEBHOOK_SECRET", "the-secret-of-another-stack")

    assert bookings("send", SAMPLE, "--local").exit_code == 0
    assert signed_with(SECRET, *webhook.requests[0][1:])


def test_a_secret_that_is_said_goes_before_the_stacks_own(local: Local, webhook: Server) -> None:
    assert bookings("send", SAMPLE, "--local", "--secret", "another-secret-token").exit_code == 0
    assert signed_with("another-secret-token", *webhook.requests[0][1:])
    assert local.credentials == []


def test_a_deployed_stack_tells_its_url_and_its_secret(deployed: Deployed, webhook: Server) -> None:
    deployed.point_webhook_at(webhook.url)

    assert bookings("send", SAMPLE, "--stack", STACK_NAME).exit_code == 0
    assert signed_with(SECRET, *webhook.requests[0][1:])


@pytest.mark.parametrize("extra", [["--url", "{url}"], ["--local"], ["--stack", STACK_NAME]])
@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_the_secret_is_never_printed(
    local: Local, webhook: Server, extra: list[str], as_json: list[str]
) -> None:
    local.point_webhook_at(webhook.url)
    target = [part.format(url=webhook.url) for part in extra]
    said = ["--secret", SECRET] if "--url" in extra else []
    webhook.status = 503

    result = bookings("send", SAMPLE, *target, *said, *as_json)

    assert result.exit_code == 1
    assert len(webhook.requests) == 1
    assert SECRET not in result.output


def test_a_closed_port_is_told_in_a_sentence() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: nobody else takes it meanwhile
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/webhooks/zoom"

        result = bookings("send", SAMPLE, "--url", url, "--secret", SECRET)

    assert result.exit_code == 1
    assert result.stderr == f"Error: {url} gave no answer: nothing accepts connections there.\n"


def test_a_server_that_hangs_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "_TIMEOUT_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/webhooks/zoom"

        result = bookings("send", SAMPLE, "--url", url, "--secret", SECRET)

    assert result.exit_code == 1
    assert result.stderr == f"Error: {url} gave no answer: none within 0.05 s.\n"


def test_a_server_that_speaks_no_tls_is_told_in_a_sentence(webhook: Server) -> None:
    url = webhook.url.replace("http://", "https://")

    result = bookings("send", SAMPLE, "--url", url, "--secret", SECRET)

    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {url} gave no answer: its TLS certificate or connection is not acceptable.\n"
    )


@pytest.mark.parametrize(
    "url", ["example.com/webhooks/zoom", "ftp://example.com", "https://", "http://[::1", "http://a:b/", ""]
)
def test_what_is_no_url_is_a_wrong_call(url: str) -> None:
    result = bookings("send", SAMPLE, "--url", url, "--secret", SECRET)

    assert result.exit_code == 2
    assert result.stderr == ("Error: --url must be a whole URL, https://….amazonaws.com/webhooks/zoom.\n")


@pytest.mark.parametrize("other", [["--local"], ["--stack", STACK_NAME]])
def test_a_url_beside_a_stack_is_a_wrong_call(webhook: Server, other: list[str]) -> None:
    result = bookings("send", SAMPLE, "--url", webhook.url, "--secret", SECRET, *other)

    assert result.exit_code == 2
    assert result.stderr == "Error: --url excludes --local and --stack.\n"


def test_a_file_that_is_not_there_is_a_wrong_call(webhook: Server) -> None:
    result = bookings("send", "not-there.json", "--url", webhook.url, "--secret", SECRET)

    assert result.exit_code == 2
    assert "not-there.json" in result.stderr
    assert webhook.requests == []

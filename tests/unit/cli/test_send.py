"""`bookings send`: which secret signs, its output, and its exit code."""

import json
import re

import pytest
import typer

import cli.send

from .conftest import EVENTS, SECRET, STACK, STEERING, Deployed, Webhook, bookings

SAMPLE = str(EVENTS / "scheduled_event_created.json")
SAMPLE_BYTES = (EVENTS / "scheduled_event_created.json").read_bytes()


def send(url: str, *options: str, stdin: bytes | None = None) -> tuple[int, str, str]:
    file = SAMPLE if stdin is None else "-"
    return bookings("send", file, "--url", url, "--secret", SECRET, *options, stdin=stdin)


def test_person_sees_request_answer_and_body(webhook: Webhook) -> None:
    webhook.body = '{"plainToken": "Zoë", "encryptedToken": "00"}'.encode()
    exit_code, shown, _ = send(webhook.url)
    [(request_id, body)] = webhook.posted()
    assert (exit_code, body) == (0, SAMPLE_BYTES)
    assert re.sub(r"\d+ ms", "9 ms", shown).splitlines() == [
        f"POST {webhook.url}, {len(SAMPLE_BYTES):,} bytes, request id {request_id}",
        "200 OK after 9 ms",
        *("{", '  "plainToken": "Zoë",', '  "encryptedToken": "00"', "}"),
    ]
    webhook.body = odd = b'{"name": "\xc3\xa9" }\r\n\x00'
    assert send(webhook.url, stdin=odd)[1].splitlines()[2:] == ["The body came back as it was sent."]
    assert webhook.posted()[1][1] == odd


def test_program_gets_json_and_exit_code_1(webhook: Webhook) -> None:
    webhook.statuses, webhook.content_type = [400], "application/problem+json"
    webhook.body = b'{"title": "Bad Request", "errors": []}'
    exit_code, shown, _ = send(webhook.url, "--json")
    printed = json.loads(shown)
    assert (exit_code, printed.pop("elapsed_ms") >= 0) == (1, True)
    [(request_id, _)] = webhook.posted()
    answer = {"status": 400, "reason": "Bad Request", "content_type": "application/problem+json"}
    body = {"title": "Bad Request", "errors": []}
    assert printed == answer | {"url": webhook.url, "request_id": request_id, "body": body}


@pytest.mark.parametrize(
    "body",
    [
        "\x00\x1b]0;owned\x07\r\x7f\x9b31m\u202e\u2066\u200f\u061c Zoë\t会議 [red]markup[/red]",
        '{"detail": "\\u001b[31m\\ud83d\x9b31m\u202e Zoë 会議 [red]markup[/red]"}',
    ],
    ids=["text", "JSON"],
)
def test_answer_never_steers_the_terminal(webhook: Webhook, body: str) -> None:
    webhook.statuses, webhook.body = [503], body.encode()
    exit_code, shown, _ = send(webhook.url)
    assert (exit_code, [*STEERING & set(shown)]) == (1, [])
    assert re.search(r"\ufffd+ Zoë\s+会議 \[red\]markup\[/red\]", shown)


def test_option_stack_environment_or_prompt_gives_the_secret(
    deployed: Deployed, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prompt(_: str, *, hide_input: bool, err: bool) -> str:
        assert (hide_input, err) == (True, True)
        return "typed-secret-token"

    monkeypatch.setattr(cli.send, "at_terminal", lambda: True)
    monkeypatch.setattr(typer, "prompt", prompt)
    deployed.deploy(WebhookUrl=webhook.url)
    on_the_stack, by_url = ["--stack", STACK], ["--url", webhook.url]
    for options, environment, secret in (
        (on_the_stack, "the-secret-of-another-stack", SECRET),
        ([*on_the_stack, "--secret", "another-secret-token"], "", "another-secret-token"),
        (by_url, SECRET, SECRET),
        (by_url, "", "typed-secret-token"),
    ):
        monkeypatch.setenv("ZOOM_WEBHOOK_SECRET", environment)
        exit_code, shown, _ = bookings("send", SAMPLE, *options)
        assert (exit_code, len(webhook.posted(secret)), secret in shown) == (0, 1, False)
        webhook.requests.clear()

"""Nothing that somebody made who doesn't know the secret is accepted, answered 5xx, or costs a call.

Accepted is told apart from refused by `gateway.is_authentic`, the contract in other words than the product's.
`python -m tests.hostile` goes on where these tests stop; each try is drawn from a seed that is printed with a
failure.
"""

from collections.abc import Callable
from io import StringIO
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from bookings.observability import logger
from tests.hostile.attacked import REFUSALS, AttackedDoor
from tests.hostile.attempts import Forgery, run
from tests.hostile.forgeries import BODIES, flips, forge, seen_at
from tests.hostile.gateway import SIGNATURE, TIMESTAMP, Event, app, signature_of, signed_event
from tests.samples import created, raw

pytestmark = pytest.mark.no_cover  # it would double the time, and other tests measure it

TRIES = 100_000
THROUGH_THE_HANDLER = 1_000

BODY = raw(created())
NOW_TEXT = "1795348800"


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_no_flip_of_a_single_bit_of_an_authentic_request_is_accepted(body: bytes) -> None:
    attacked = AttackedDoor()
    authentic = signed_event(body, attacked.door.clock.now())
    attacked.post(authentic)
    assert attacked.accepted == 1

    for flipped in flips(authentic["headers"], body):
        attacked.post(flipped)

    assert attacked.accepted == 1
    assert attacked.refused == 8 * (len(body) + len(NOW_TEXT) + len("v0=") + 64)
    attacked.check_refreshes()
    assert attacked.is_still_open()


def test_no_mutated_and_no_random_request_is_accepted() -> None:
    forgery = Forgery()

    run(forgery, 0, TRIES)

    attacked = forgery.attacked
    assert attacked.refused > 0.9 * TRIES
    assert attacked.accepted > 0.01 * TRIES, "what is authentic all the same must be among the tries"
    assert attacked.door.secret.calls == 1
    assert attacked.is_still_open()


def test_a_flood_of_forgeries_reads_the_secret_at_most_once_a_minute() -> None:
    attacked = AttackedDoor()
    random = Random(0)  # noqa: S311 - chance that can be had again, no secret
    for _ in range(4 * 60 * 10):  # four a second, for ten minutes
        attacked.post(forge(random, seen_at(attacked.door.clock.now())))
        attacked.door.clock.advance(0.25)
        attacked.check_refreshes()
    assert 9 <= attacked.door.secret.calls <= 11


def headers_with(change: Callable[[dict[str, str]], object]) -> dict[str, str]:
    """Returns the headers of an authentic request after a change to them."""
    headers = dict(signed_event(BODY, AttackedDoor().door.clock.now())["headers"])
    change(headers)
    return headers


RIGHT = signature_of(NOW_TEXT, BODY)
ANOTHER = "v0=" + "0" * 64

REFUSED_ODDITIES: dict[str, Callable[[dict[str, str]], object]] = {
    "no signature": lambda headers: headers.pop(SIGNATURE),
    "no timestamp": lambda headers: headers.pop(TIMESTAMP),
    "an empty signature": lambda headers: headers.update({SIGNATURE: ""}),
    "a blank timestamp": lambda headers: headers.update({TIMESTAMP: " "}),
    "the signature twice": lambda headers: headers.update({SIGNATURE: f"{RIGHT},{RIGHT}"}),
    "another signature before": lambda headers: headers.update({SIGNATURE: f"{ANOTHER}, {RIGHT}"}),
    "another signature behind": lambda headers: headers.update({SIGNATURE: f"{RIGHT}, {ANOTHER}"}),
    "another one in another case": lambda headers: headers.update({SIGNATURE.upper(): ANOTHER}),
    "the same one in another case": lambda headers: headers.update({SIGNATURE.title(): RIGHT}),
    "the time in two cases": lambda headers: headers.update({TIMESTAMP.upper(): NOW_TEXT}),
    "white space before": lambda headers: headers.update({SIGNATURE: f" {RIGHT}"}),
    "a tab behind": lambda headers: headers.update({SIGNATURE: f"{RIGHT}\t"}),
    "a line feed behind": lambda headers: headers.update({SIGNATURE: f"{RIGHT}\n"}),
    "a line feed behind the time": lambda headers: headers.update({TIMESTAMP: f"{NOW_TEXT}\n"}),
    "a NUL behind": lambda headers: headers.update({SIGNATURE: f"{RIGHT}\x00"}),
    "in quotes": lambda headers: headers.update({SIGNATURE: f'"{RIGHT}"'}),
    "in upper case": lambda headers: headers.update({SIGNATURE: f"v0={RIGHT[3:].upper()}"}),
    "of version 1": lambda headers: headers.update({SIGNATURE: f"v1={RIGHT[3:]}"}),
    "of no version": lambda headers: headers.update({SIGNATURE: RIGHT[3:]}),
    "as an authorization": lambda headers: headers.update({"authorization": headers.pop(SIGNATURE)}),
    "underscores": lambda headers: headers.update({"x_zm_signature": headers.pop(SIGNATURE)}),
    "a name with a space": lambda headers: headers.update({f"{SIGNATURE} ": headers.pop(SIGNATURE)}),
    "full-width digits": lambda headers: headers.update({TIMESTAMP: "１７９５３４８８００"}),
    "Arabic digits": lambda headers: headers.update({TIMESTAMP: "١٧٩٥٣٤٨٨٠٠"}),
    "milliseconds": lambda headers: headers.update({TIMESTAMP: f"{NOW_TEXT}000"}),
    "a sign": lambda headers: headers.update({TIMESTAMP: f"+{NOW_TEXT}"}),
    "a fraction": lambda headers: headers.update({TIMESTAMP: f"{NOW_TEXT}.0"}),
    "an underscore in the time": lambda headers: headers.update({TIMESTAMP: "1_795348800"}),
    "the time of a second later": lambda headers: headers.update({TIMESTAMP: "1795348801"}),
    "infinity": lambda headers: headers.update({TIMESTAMP: "inf"}),
    "8 KB of signature": lambda headers: headers.update({SIGNATURE: RIGHT + "0" * 8000}),
}

ACCEPTED_ODDITIES: dict[str, Callable[[dict[str, str]], object]] = {
    "names in upper case": lambda headers: headers.update(
        {SIGNATURE.upper(): headers.pop(SIGNATURE), TIMESTAMP.upper(): headers.pop(TIMESTAMP)}
    ),
    "no request id": lambda headers: headers.pop("x-zm-request-id"),
    "a request id of control characters": lambda headers: headers.update({"x-zm-request-id": "\x00\n" * 99}),
    "another content type": lambda headers: headers.update({"content-type": "text/plain; charset=utf-16"}),
    "headers by the dozen": lambda headers: headers.update({f"x-{n}": "é" * 50 for n in range(50)}),
}


@pytest.mark.parametrize("change", REFUSED_ODDITIES.values(), ids=REFUSED_ODDITIES)
def test_an_oddity_of_what_signs_is_refused(change: Callable[[dict[str, str]], object]) -> None:
    attacked = AttackedDoor()
    attacked.post({"headers": headers_with(change), "body": BODY.decode(), "isBase64Encoded": False})
    assert (attacked.refused, attacked.accepted) == (1, 0)


@pytest.mark.parametrize("change", ACCEPTED_ODDITIES.values(), ids=ACCEPTED_ODDITIES)
def test_an_oddity_of_what_doesnt_sign_changes_nothing(change: Callable[[dict[str, str]], object]) -> None:
    attacked = AttackedDoor()
    attacked.post({"headers": headers_with(change), "body": BODY.decode(), "isBase64Encoded": False})
    assert (attacked.refused, attacked.accepted) == (0, 1)


@pytest.mark.filterwarnings("ignore:No application metrics")  # the fakes have their own counts
def test_the_function_itself_answers_forgeries_as_the_receiver_does(monkeypatch: pytest.MonkeyPatch) -> None:
    attacked = AttackedDoor()
    monkeypatch.setattr(app, "receiver", attacked.door.receiver)
    monkeypatch.setattr(logger.registered_handler, "stream", StringIO())
    seen = seen_at(attacked.door.clock.now())
    context = SimpleNamespace(
        function_name="webhook", memory_limit_in_mb=512, invoked_function_arn="arn", aws_request_id="id"
    )
    statuses = set()
    for seed in range(THROUGH_THE_HANDLER):
        event: Event = forge(Random(seed), seen)  # noqa: S311 - chance that can be had again, no secret
        before = attacked.accepted
        attacked.post(event)
        response: dict[str, Any] = app.lambda_handler(event, context)
        statuses.add(response["statusCode"])
        if attacked.accepted == before:
            assert response["statusCode"] in (401, 413), seed
            assert any(text in response["body"] for text in REFUSALS), seed
    assert statuses <= {200, 204, 400, 401, 413}
    assert {200, 401} <= statuses

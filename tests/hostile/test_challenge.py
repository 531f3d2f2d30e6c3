"""The challenge is no oracle: no token, escape or encoding makes it sign an event.

The attack on the running stack stands in `tests/stack/test_door.py`.
"""

import json

import pytest

from tests.hostile.attempts import Oracle, run
from tests.hostile.challenges import (
    FORGED,
    LONGEST_TOKEN,
    NAME,
    TOKEN_CHARACTERS,
    OracleHunt,
    is_event_signed,
)
from tests.hostile.gateway import SIGNATURE, TIMESTAMP, event_of, mac, signed_event
from tests.samples import raw

pytestmark = pytest.mark.no_cover  # it would double the time, and other tests measure it

TRIES = 30_000


def test_no_disguise_of_an_event_is_signed() -> None:
    oracle = Oracle()

    run(oracle, 0, TRIES)

    hunt = oracle.hunt
    assert hunt.answered > 0.05 * TRIES, "good tokens must be among the tries, and answered"
    assert hunt.refused > 0.5 * TRIES
    assert hunt.attacked.accepted == 0
    assert hunt.attacked.refused > hunt.answered, "whatever was answered was used as a signature"
    assert hunt.attacked.is_still_open()


def test_the_shortest_forged_event_is_no_longer_than_a_token() -> None:
    # Else the length alone would refuse all the forgeries above, and nothing of the form were tested.
    assert len(f"v0:1795348800:{FORGED.decode()}") <= LONGEST_TOKEN


@pytest.mark.parametrize("character", sorted(TOKEN_CHARACTERS))
def test_nothing_that_is_answered_begins_like_what_zoom_signs(character: str) -> None:
    # By every character that is answered, one after the other in the place of the colon.
    hunt = OracleHunt()
    token = f"v0{character}1795348800"
    answer = hunt.ask(raw({"event": NAME, "payload": {"plainToken": token}}), token)
    assert json.loads(answer.body or "")["encryptedToken"] == mac(token.encode())
    assert not is_event_signed(token)


@pytest.mark.parametrize("place", ["{}good", "go{}od", "good{}"])
def test_a_token_with_any_other_character_is_refused(place: str) -> None:
    hunt = OracleHunt()
    others = [code for code in range(0x1100) if chr(code) not in TOKEN_CHARACTERS]
    for code in others:
        challenge = {"event": NAME, "payload": {"plainToken": place.format(chr(code))}}
        hunt.ask(raw(challenge), "v0:")
        hunt.ask(json.dumps(challenge).encode(), "v0:")
    assert (hunt.answered, hunt.refused) == (0, 2 * len(others))


def test_a_captured_challenge_with_another_token_is_refused() -> None:
    hunt = OracleHunt()
    now = hunt.attacked.door.clock.now()
    captured = signed_event(raw({"event": NAME, "payload": {"plainToken": "xys8n8PGS7mAU0m5-YJjRA"}}), now)
    timestamp = captured["headers"][TIMESTAMP]
    wanted = raw({"event": NAME, "payload": {"plainToken": f"v0:{timestamp}:{FORGED.decode()}"}})

    answers = [
        hunt.attacked.post(event_of({}, wanted)),
        hunt.attacked.post(event_of(captured["headers"], wanted)),
        hunt.attacked.post(event_of(captured["headers"] | {SIGNATURE: "v0=" + "0" * 64}, wanted)),
    ]

    assert [int(answer.status) for answer in answers] == [401, 401, 401]
    assert (hunt.attacked.refused, hunt.attacked.accepted) == (3, 0)


def test_what_a_captured_challenge_was_answered_signs_no_event() -> None:
    hunt = OracleHunt()
    body = raw({"event": NAME, "payload": {"plainToken": "xys8n8PGS7mAU0m5-YJjRA"}})
    captured = signed_event(body, hunt.attacked.door.clock.now())
    answered = json.loads(hunt.attacked.post(captured).body or "")["encryptedToken"]
    assert answered == mac(b"xys8n8PGS7mAU0m5-YJjRA")

    hunt.use(answered)

    assert (hunt.attacked.refused, hunt.attacked.accepted) == (1, 1)

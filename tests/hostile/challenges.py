"""The door as a signing oracle: challenges whose answer would be the signature of a forged event.

Zoom's challenge asks for HMAC(secret, token); its events are signed with HMAC(secret, "v0:{ts}:{body}"). Who
gets a token of that form answered holds a valid signature of an event that Zoom never sent. The worst is
supposed: that the challenge itself verifies, because it was captured, or because somebody makes Zoom send it.
"""

import json
import string
from collections.abc import Callable
from random import Random
from typing import Any

from bookings.use_cases.answers import Answer
from tests.hostile.attacked import AttackedDoor, Breach
from tests.hostile.gateway import SIGNATURE, TIMESTAMP, app, event_of, mac, signature_of, signed_event
from tests.samples import created, raw

NAME = "endpoint.url_validation"
TOKEN_CHARACTERS = frozenset(string.ascii_letters + string.digits + "_.~+/=-")
LONGEST_TOKEN = 256
OK, BAD_REQUEST = 200, 400

# The shortest that is a booking: with "v0:{ts}:" before it, it is no longer than a token may be.
FORGED = raw(
    {
        "event": "scheduler.scheduled_event_created",
        "event_ts": 1_795_341_600_000,
        "payload": {"object": {"scheduled_event": {"event_id": "evt-forged"}}},
    }
)

# What a colon may be written as, or be taken for.
_COLONS = (
    *(":", "\uff1a", "\ufe55", "\ufe13", "\u2236", "\ua789", "\u02d0", "%3a", "&#58;", "&colon;", "\\u003a"),
    *("=3A", "+ADo-", "\x3a\u0301", ":\u200d", "\u200b:", "\x00:", "\x1b:", "\r\n:", "\u2028:", ";", "."),
)

_SURROGATE = "\ud800"


def is_event_signed(content: str) -> bool:
    """Whether a text is what the signature of some event is made over."""
    return content.startswith("v0:")


class OracleHunt:
    """Sends challenges, and holds whatever is answered against all that may be signed."""

    def __init__(self) -> None:
        self.attacked = AttackedDoor()
        self.answered = self.refused = 0

    def ask(self, body: bytes, forged: str) -> Answer:
        """Posts a body, correctly signed, that means to have `forged` signed.

        Raises:
            Breach: it was, or anything else than one whole token in the form that Zoom's have.
        """
        door = self.attacked.door
        answer = door.receiver.receive(app.to_request(signed_event(body, door.clock.now())))
        status, text = int(answer.status), answer.body or ""
        would_be = mac(forged.encode(errors="surrogatepass"))
        if would_be in text and is_event_signed(forged):
            raise Breach(f"signed {forged[:80]!r}: {body[:2000]!r}")
        if status not in (OK, 204, BAD_REQUEST):
            raise Breach(f"{status} to a signed body: {body[:2000]!r}")
        published, door.bus.published = len(door.bus.published), []
        door.quarantine.messages.clear()
        if status == OK and not published:
            told: dict[str, Any] = json.loads(text)
            token = told.get("plainToken")
            if (
                told.keys() != {"plainToken", "encryptedToken"}
                or not isinstance(token, str)
                or not 0 < len(token) <= LONGEST_TOKEN
                or not TOKEN_CHARACTERS.issuperset(token)
                or told["encryptedToken"] != mac(token.encode())
            ):
                raise Breach(f"answered {text[:500]!r} to {body[:2000]!r}")
            self.answered += 1
        else:
            if "encryptedToken" in text and not published:
                raise Breach(f"a refusal holds {text[:500]!r}")
            self.refused += 1
        return answer

    def use(self, signature: str) -> None:
        """Posts the forged event under what a challenge was answered; it must not be taken.

        Raises:
            Breach: it was.
        """
        timestamp = str(int(self.attacked.door.clock.now().timestamp()))
        headers = {TIMESTAMP: timestamp, SIGNATURE: f"v0={signature}"}
        self.attacked.post(event_of(headers, FORGED))

    def ask_without_the_secret(self, body: bytes, captured: dict[str, str]) -> None:
        """Posts a challenge unsigned, and under the signature of a captured one: nothing is signed."""
        self.attacked.post(event_of({}, body))
        self.attacked.post(event_of(captured, body))

    def attack(self, random: Random) -> None:
        """One try: asks for a signature in one of many ways, and uses whatever comes of it."""
        now = self.attacked.door.clock.now()
        timestamp = str(int(now.timestamp()) + random.choice((0, 0, 0, 1, -1, 300)))
        forged = f"v0:{timestamp}:{random.choice(_EVENTS)}"
        body = draw_challenge(random, forged)
        answer = self.ask(body, forged)
        if int(answer.status) == OK and b"encryptedToken" in (answer.body or "").encode():
            told = json.loads(answer.body or "")
            if "encryptedToken" in told:
                self.use(told["encryptedToken"])
        if random.random() < 0.1:
            captured = {TIMESTAMP: timestamp, SIGNATURE: signature_of(timestamp, _CAPTURED)}
            if body != _CAPTURED:
                self.ask_without_the_secret(body, captured)


_CAPTURED = raw({"payload": {"plainToken": "xys8n8PGS7mAU0m5-YJjRA"}, "event_ts": 1, "event": NAME})
_EVENTS = (FORGED.decode(), "{}", '{"event":"x"}', "", "A" * 245)


def draw_challenge(random: Random, forged: str) -> bytes:
    """Returns the body of a challenge that wants a text signed, in one of many disguises."""
    token = _disguised(random, forged)
    written = _string(random, token)
    return random.choice(_SHAPES)(random, written, token)


def _disguised(random: Random, forged: str) -> str:
    odd = random.choice(("\x00", "\n", " ", "\t", "\ufeff", _SURROGATE, "\u202e", "a" * 300, "v0"))
    ways: tuple[Callable[[], str], ...] = (
        lambda: forged,
        lambda: forged,
        lambda: forged.replace(":", random.choice(_COLONS)),
        lambda: forged.replace(":", random.choice(_COLONS), 1),
        lambda: random.choice((odd + forged, forged + odd, odd)),
        lambda: forged[: random.randrange(len(forged) + 1)],
        lambda: "".join(random.choices(("v", "0", ":", "A", "=", "é", "\x7f"), k=random.randrange(300))),
        # A good token: the hunt must see the door answer, too.
        lambda: "".join(random.choices(sorted(TOKEN_CHARACTERS), k=random.choice((1, 22, 256, 257)))),
    )
    return random.choice(ways)()


def _string(random: Random, token: str) -> str:
    """Returns a text as a JSON string, escaped in one of the ways that JSON knows."""
    style = random.randrange(5)
    plain = json.dumps(token, ensure_ascii=style < 2)
    form = random.choice(("\\u%04x", "\\u%04X"))
    match style:
        case 2:
            return plain.replace(":", form % ord(":"))
        case 3:
            units = token.encode("utf-16-be", errors="surrogatepass")
            escapes = (form % int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
            return f'"{"".join(escapes)}"'
        case 4:
            some = random.choice("v0:e{")
            return plain.replace(some, form % ord(some), random.choice((1, -1)))
    return plain


# ── shapes of a body around the token ────────────────────────────────────────────────────────────────────

Shape = Callable[[Random, str, str], bytes]


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _plainly(_random: Random, written: str, _token: str) -> bytes:
    return _bytes(f'{{"event":"{NAME}","event_ts":1,"payload":{{"plainToken":{written}}}}}')


def _twice(random: Random, written: str, _token: str) -> bytes:
    """A good token and this one under one name, whichever a parser would take."""
    names = ("plainToken", "plainToken", "plain\\u0054oken", "plaintoken", "PlainToken")
    first, second = random.choice((('"good"', written), (written, '"good"')))
    pairs = f'"{random.choice(names)}":{first},"{random.choice(names)}":{second}'
    if random.random() < 0.3:
        return _bytes(f'{{"event":"{NAME}","payload":{{"plainToken":"good"}},"payload":{{{pairs}}}}}')
    return _bytes(f'{{"event":"{NAME}","payload":{{{pairs}}}}}')


def _elsewhere(random: Random, written: str, _token: str) -> bytes:
    """The token at another place, or inside another type."""
    payloads = (
        f'"payload":{written}',
        f'"plainToken":{written}',
        f'"payload":{{"plainToken":[{written}]}}',
        f'"payload":{{"plainToken":{{"plainToken":{written}}}}}',
        f'"payload":[{{"plainToken":{written}}}]',
        f'"payload":{{"object":{{"plainToken":{written}}}}}',
        f'"payload":{{"encryptedToken":{written}}}',
        f'"payload":{{"plainToken":"good","encryptedToken":{written}}}',
        f'"payload":{{"plainToken":"good"}},"plainToken":{written}',
        f'"payload":{{{written}:"plainToken"}}',
    )
    return _bytes(f'{{"event":"{NAME}",{random.choice(payloads)}}}')


def _named_otherwise(random: Random, written: str, _token: str) -> bytes:
    """Another event's name that somebody may take for the challenge's."""
    names = (
        *(
            f'"{NAME} "',
            f'" {NAME}"',
            f'"{NAME}\\u0000"',
            f'"{NAME.upper()}"',
            '"endpoint\\u002eurl_validation"',
        ),
        *(f'["{NAME}"]', '"scheduler.endpoint.url_validation"', '"scheduler.x"', "null", "1", '""'),
    )
    return _bytes(f'{{"event":{random.choice(names)},"payload":{{"plainToken":{written}}}}}')


def _encoded_otherwise(random: Random, written: str, token: str) -> bytes:
    body = _plainly(random, written, token)
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: b"\xef\xbb\xbf" + body,
        lambda: body.decode(errors="replace").encode("utf-16"),
        lambda: body.decode(errors="replace").encode("utf-16-le"),
        lambda: body.decode(errors="replace").encode("utf-32"),
        lambda: body.decode(errors="replace").encode("utf-7"),
        lambda: body.replace(b"v0:", b"v0\xc0\xba"),  # an overlong colon
        lambda: body.replace(b"v0:", b"v0\xe0\x80\xba"),
        lambda: body.replace(b"v0:", b"v0\xed\xa0\x80:"),  # a surrogate in UTF-8
        lambda: body.replace(b":", b" : "),
        lambda: body + b"\x00",
        lambda: body + body,
        lambda: body[: random.randrange(len(body))],
        lambda: b"[" + body + b"]",
    )
    return random.choice(ways)()


def _mixed_into_an_event(random: Random, written: str, _token: str) -> bytes:
    """A valid event that is a challenge as well."""
    event = created() | {"event": random.choice((NAME, "scheduler.scheduled_event_created"))}
    text = json.dumps(event)
    return _bytes(text.replace('"payload": {', f'"payload": {{"plainToken": {written}, ', 1))


_SHAPES: tuple[Shape, ...] = (
    *(_plainly, _plainly, _plainly, _twice, _elsewhere, _named_otherwise, _encoded_otherwise),
    _mixed_into_an_event,
)

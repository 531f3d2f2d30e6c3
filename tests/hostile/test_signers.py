"""What others sign is accepted: Node, OpenSSL and Python agree with the door on all that Zoom may send.

What Node and OpenSSL made of the bodies is kept in `tests/data/foreign_signatures.json`, for machines without
them; where they are, they sign anew.
"""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bookings.use_cases.answers import Answer
from bookings.use_cases.receive import Request
from tests.door import Door
from tests.fakes import InMemorySecret
from tests.hostile.gateway import SIGNATURE
from tests.hostile.gateway import TIMESTAMP as TIMESTAMP_HEADER
from tests.hostile.signers import (
    BODIES,
    MAX_BODY_BYTES,
    SIGNERS,
    TIMESTAMP,
    VECTORS,
    by_hmac,
    by_node,
    by_openssl,
    has,
)
from tests.samples import SECRET

REAL: dict[str, dict[str, str]] = {
    vector["name"][:2]: vector
    for vector in json.loads(
        (Path(__file__).parents[1] / "data/signature_vectors.json").read_text(encoding="utf-8")
    )["vectors"]
}
KEPT: dict[str, dict[str, str]] = {
    vector["name"]: vector for vector in json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]
}

needs_node = pytest.mark.skipif(
    not has("node"), reason="NOT signed anew: there is no node; what is kept is tested"
)
needs_openssl = pytest.mark.skipif(
    not has("openssl"), reason="NOT signed anew: there is no openssl; what is kept is tested"
)


def posted(body: bytes, signature: str, timestamp: str = TIMESTAMP, door: Door | None = None) -> Answer:
    door = door or Door()
    return door.receiver.receive(Request({SIGNATURE: signature, TIMESTAMP_HEADER: timestamp}, body))


def assert_accepted(body: bytes, signature: str) -> None:
    door = Door()
    answer = posted(body, signature, door=door)
    assert int(answer.status) == 200
    assert [event.detail.encode() for event in door.bus.published] == [body]


@pytest.mark.parametrize("signer", SIGNERS)
@pytest.mark.parametrize("name", BODIES)
def test_what_python_signs_is_accepted(name: str, signer: str) -> None:
    assert_accepted(BODIES[name], SIGNERS[signer](SECRET, TIMESTAMP, BODIES[name]))


@pytest.mark.parametrize("name", BODIES)
def test_what_node_and_openssl_have_signed_is_accepted(name: str) -> None:
    assert_accepted(BODIES[name], KEPT[name]["node"])
    assert_accepted(BODIES[name], KEPT[name]["openssl"])


@pytest.mark.parametrize("name", [name for name, vector in KEPT.items() if "stringified" in vector])
def test_what_node_has_written_with_stringify_and_signed_is_accepted(name: str) -> None:
    assert_accepted(KEPT[name]["stringified"].encode(), KEPT[name]["node_stringified"])


def test_what_is_kept_is_of_the_bodies_as_they_are_now() -> None:
    assert KEPT.keys() == BODIES.keys()
    for name, vector in KEPT.items():
        if "stringified" in vector:
            written = vector["stringified"].encode()
            assert hashlib.sha256(written).hexdigest() == vector["stringified_sha256"], name
    # JSON.stringify does write another body: were it to write the same, nothing were shown by it.
    differ = [name for name, vector in KEPT.items() if vector["node"] != vector["node_stringified"]]
    assert {"plain", "emoji escaped", "a time of 1.0", "names like numbers"} <= {*differ}
    assert max(map(len, BODIES.values())) == MAX_BODY_BYTES


@needs_node
@pytest.mark.parametrize("stringify", [False, True], ids=["as it is", "JSON.stringify"])
def test_what_node_signs_now_is_accepted(stringify: bool) -> None:
    answers = by_node([(SECRET, TIMESTAMP, body) for body in BODIES.values()], stringify=stringify)
    refused = {}
    for (name, body), (signature, written) in zip(BODIES.items(), answers, strict=True):
        assert stringify or written == body
        if (status := int(posted(written, signature).status)) != 200:
            refused[name] = status
    assert refused == {}


@needs_openssl
def test_what_openssl_signs_now_is_accepted() -> None:
    statuses = {
        name: int(posted(body, by_openssl(SECRET, TIMESTAMP, body)).status) for name, body in BODIES.items()
    }
    assert statuses == dict.fromkeys(BODIES, 200)


# -- Zoom's own ----------------------------------------------------------------------------------------------


def door_at(vector: dict[str, str]) -> Door:
    """Returns a door with the vector's secret, at the vector's time."""
    door = Door()
    door.clock.advance(int(vector["timestamp"]) - door.clock.now().timestamp())
    door.secret.versions = InMemorySecret(door.clock, vector["secret"]).versions
    assert door.clock.now() == datetime.fromtimestamp(int(vector["timestamp"]), UTC)
    return door


def test_zooms_own_challenge_is_answered_as_zoom_expects() -> None:
    vector = REAL["V1"]
    answer = posted(vector["body"].encode(), vector["signature"], vector["timestamp"], door_at(vector))
    assert int(answer.status) == 200
    assert json.loads(answer.body or "")["encryptedToken"] == vector["encryptedToken"]


def test_zooms_own_event_of_letters_mixed_with_escapes_is_accepted() -> None:
    vector = REAL["V2"]
    body = vector["body"].encode()
    assert int(posted(body, vector["signature"], vector["timestamp"], door_at(vector)).status) == 204
    # Read and written again it is another body, whoever writes it.
    for again in (json.dumps(json.loads(body)), json.dumps(json.loads(body), ensure_ascii=False)):
        refused = posted(again.encode(), vector["signature"], vector["timestamp"], door_at(vector))
        assert int(refused.status) == 401


@needs_node
@needs_openssl
@pytest.mark.parametrize("name", REAL)
def test_node_and_openssl_sign_zooms_own_vectors_as_zoom_does(name: str) -> None:
    vector = REAL[name]
    request = vector["secret"], vector["timestamp"], vector["body"].encode()
    ((node, _),) = by_node([request], stringify=False)
    assert node == by_openssl(*request) == by_hmac(*request) == vector["signature"]


@needs_node
def test_node_writing_zooms_own_event_again_breaks_its_signature() -> None:
    vector: dict[str, Any] = REAL["V2"]
    request = vector["secret"], vector["timestamp"], vector["body"].encode()
    ((signature, written),) = by_node([request], stringify=True)
    assert written != request[2]
    assert hmac.compare_digest(signature, vector["signature"]) is False
    assert int(posted(written, vector["signature"], vector["timestamp"], door_at(vector)).status) == 401
    assert int(posted(written, signature, vector["timestamp"], door_at(vector)).status) == 204

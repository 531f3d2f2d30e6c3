"""What Zoom may send, signed by implementations that are not ours: Node's, OpenSSL's, Python's two.

`python -m tests.hostile.signers` writes `tests/data/foreign_signatures.json` anew, so that what Node and
OpenSSL sign is tested where there is neither.
"""

import base64
import hashlib
import hmac
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bookings.zoom.events import CANCELED, CREATED
from tests.samples import SECRET, canceled, created, raw, sample

VECTORS = Path(__file__).parents[1] / "data/foreign_signatures.json"
MAX_BODY_BYTES = 720_000
TIMESTAMP = "1795348800"  # the fakes' clock

_EMOJI = "🚗👩‍👩‍👧‍👦🇸🇪"


def _padded(size: int, filler: str) -> bytes:
    body = created(meeting_notes="HERE")
    room = size - len(raw(body)) + len("HERE")
    unit = len(filler.encode())
    text = filler * (room // unit) + "x" * (room % unit)
    return raw(body).replace(b"HERE", text.encode())


def _with(replaced: bytes, by: bytes) -> bytes:
    body = raw(created(summary="SUMMARY"))
    assert replaced in body
    return body.replace(replaced, by)


BODIES: dict[str, bytes] = {
    "plain": raw(created()),
    "the reference's created": raw(sample(CREATED)),
    "the reference's canceled": raw(sample(CANCELED)),
    "emoji as they are": raw(created(summary=_EMOJI)),
    "emoji escaped": json.dumps(created(summary=_EMOJI)).encode(),
    "escapes in upper case": _with(b"SUMMARY", rb"\uD83D\uDE92 \u00E9"),
    "mixed with escapes": _with(b"SUMMARY", "Zoë \\u00eb \\ud83d\\ude92 🚒 – \\u2013".encode()),
    "escapes of what needs none": _with(b"SUMMARY", rb"\u0053\/\u0055"),
    "separators of lines": raw(created(summary="a\u2028b\u2029c\x85d")),
    "combining characters, not composed": raw(created(summary="e\u0301 é")),
    "right to left": raw(created(summary="\u202eabc\u202c עברית")),
    "a time of 1.0": _with(b"1795341600000", b"1.0"),
    "a time of 1e0": _with(b"1795341600000", b"1e0"),
    "a time with a fraction of zero": _with(b"1795341600000", b"1795341600000.000"),
    "positions of 1.0": _with(b'"position": 0', b'"position": 1.0'),
    "white space everywhere": json.dumps(canceled(), indent="\t").encode() + b"\r\n ",
    "no white space": json.dumps(canceled(), separators=(",", ":")).encode(),
    "sorted names": json.dumps(canceled(), sort_keys=True).encode(),
    "names in reverse": json.dumps(dict(reversed(canceled().items()))).encode(),
    "names like numbers": raw(created(payment={"10": 1, "9": 2, "b": 3, "-1": 4, "a": 5, "1.0": 6})),
    "a proto": raw(created(payment={"__proto__": {"a": 1}, "constructor": None})),
    "big integers": raw(created(payment=[2**53 + 1, -(2**62), 2**62])),
    "floats": raw(created(payment=[0.1, 1e21, 5e-324, -0.0, 1.7976931348623157e308])),
    "one byte below the cap": _padded(MAX_BODY_BYTES - 1, "x"),
    "at the cap": _padded(MAX_BODY_BYTES, "x"),
    "at the cap, in emoji": _padded(MAX_BODY_BYTES, "🚗"),
}


def by_hashlib(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC as RFC 2104 writes it down, on hashes alone."""
    key = secret.encode().ljust(64, b"\x00")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + f"v0:{timestamp}:".encode() + body)
    return "v0=" + hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner.digest()).hexdigest()


def by_hmac(secret: str, timestamp: str, body: bytes) -> str:
    return "v0=" + hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, "sha256").hexdigest()


def by_openssl(secret: str, timestamp: str, body: bytes) -> str:
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-hmac", secret],
        input=f"v0:{timestamp}:".encode() + body,
        capture_output=True,
        check=True,
    )
    return "v0=" + done.stdout.decode().split()[-1]


def by_node(requests: Sequence[tuple[str, str, bytes]], *, stringify: bool) -> list[tuple[str, bytes]]:
    """Returns signature and body of each secret, timestamp and body; one process signs them all.

    Args:
        stringify: let Node read the body and write it again, and sign what it has written.
    """
    lines = [
        json.dumps(
            {
                "secret": secret,
                "timestamp": timestamp,
                "base64": base64.b64encode(body).decode(),
                "stringify": stringify,
            }
        )
        for secret, timestamp, body in requests
    ]
    done = subprocess.run(
        ["node", str(Path(__file__).parent / "sign.js")],
        input="\n".join(lines).encode(),
        capture_output=True,
        check=True,
    )
    answers: list[dict[str, str]] = [json.loads(line) for line in done.stdout.decode().splitlines()]
    return [(answer["signature"], base64.b64decode(answer["base64"])) for answer in answers]


SIGNERS: dict[str, Callable[[str, str, bytes], str]] = {"hashlib": by_hashlib, "hmac": by_hmac}
"""Those that are everywhere."""


def has(program: str) -> bool:
    return shutil.which(program) is not None


def _vectors() -> dict[str, Any]:
    requests = {name: (SECRET, TIMESTAMP, body) for name, body in BODIES.items()}
    node = by_node(list(requests.values()), stringify=False)
    stringified = by_node(list(requests.values()), stringify=True)
    vectors = []
    for (name, each), (signature, body), (of_written, written) in zip(
        requests.items(), node, stringified, strict=True
    ):
        assert body == each[2]
        vector: dict[str, str] = {"name": name, "node": signature, "openssl": by_openssl(*each)}
        vector["stringified_sha256"] = hashlib.sha256(written).hexdigest()
        vector["node_stringified"] = of_written
        if len(written) < 5_000:
            vector["stringified"] = written.decode()
        vectors.append(vector)
    return {
        "note": "Written by `python -m tests.hostile.signers`; the bodies are those of its BODIES, by name. "
        "`stringified` is the body as JSON.stringify writes it, where it is short.",
        "node": _version("node", "--version"),
        "openssl": _version("openssl", "version"),
        "secret": SECRET,
        "timestamp": TIMESTAMP,
        "vectors": vectors,
    }


def _version(*command: str) -> str:
    return subprocess.run(command, capture_output=True, check=True).stdout.decode().strip()


if __name__ == "__main__":
    if not (has("node") and has("openssl")):
        sys.exit(f"node and openssl are both needed on this {platform.system()} machine")
    VECTORS.write_text(json.dumps(_vectors(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

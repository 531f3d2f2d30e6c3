"""What is fuzzed, each a function of some bytes that fails on whatever must not be; and its corpus.

Nothing here needs the fuzzer: `make test` runs the targets over the corpus by itself.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bookings.zoom.body import BodyError, canonical_json, parse_body
from tests.hostile.attacked import AttackedDoor
from tests.hostile.gateway import SIGNATURE, TIMESTAMP, event_of, signature_of
from tests.hostile.pipeline import Pipeline
from tests.hostile.usable import is_usable
from tests.simulation.specification import canonical_text

CORPUS = Path(__file__).parent / "corpus"
MAX_BYTES = 4096
"""Of an input: enough for a delivery with everything in it, small enough for thousands a second."""

RIGHT = b"@"
"""At the start of a line: what is right there, the time of now or the signature of what follows."""

LIVES = 500
"""Inputs for one door or one pipeline: after that a new one, so that nothing piles up."""


class Renewed[T]:
    """Something to try inputs on, made anew now and then."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._left = 0

    def get(self) -> T:
        if not self._left:
            self._left, self._current = LIVES, self._make()
        self._left -= 1
        return self._current


_door = Renewed(AttackedDoor)
_pipeline = Renewed(Pipeline)


def verify(data: bytes) -> None:
    """Takes a line for the timestamp, one for the signature, and a body; judges who is let in."""
    attacked = _door.get()
    timestamp, _, rest = data.partition(b"\n")
    signature, _, body = rest.partition(b"\n")
    if timestamp.startswith(RIGHT):
        now = str(int(attacked.door.clock.now().timestamp()))
        timestamp = now.encode() + timestamp.removeprefix(RIGHT)
    sent_at = timestamp.decode("latin-1")
    if signature.startswith(RIGHT):
        right = signature_of(sent_at, body)
        signature = right.encode() + signature.removeprefix(RIGHT)
    attacked.post(event_of({TIMESTAMP: sent_at, SIGNATURE: signature.decode("latin-1")}, body))
    attacked.check_refreshes()


def parse(data: bytes) -> None:
    """Takes a body; judges whether it is parsed if it can be used, and to what."""
    try:
        value: dict[str, Any] | None = parse_body(data)
    except BodyError:
        value = None
    assert (value is not None) == is_usable(data), "taken" if value is not None else "refused"
    if value is None:
        return
    written = canonical_json(value)
    assert written.decode() == canonical_text(value), "written otherwise"
    again = parse_body(written)
    assert again == value, "not the same any more"
    assert canonical_json(again) == written, "another canonical form"


def webhook(data: bytes) -> None:
    """Takes a body, signs it, and judges what became of it on its whole way."""
    _pipeline.get().deliver(data)


TARGETS: dict[str, Callable[[bytes], None]] = {"verify": verify, "parse": parse, "webhook": webhook}


def corpus(name: str) -> Iterator[Path]:
    """Yields the files that are kept for a target."""
    yield from sorted(path for path in (CORPUS / name).iterdir() if path.is_file())

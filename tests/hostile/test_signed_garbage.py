"""What is correctly signed and broken is in quarantine byte for byte, and no error is left to chance.

Judged is the whole way, by `pipeline.Pipeline`: whatever is not refused must be on the bus as it was sent,
and a booking in the table as the specification has it, and announced.
"""

import pytest

from bookings.zoom.body import BodyError, parse_body
from bookings.zoom.events import CANCELED, CREATED
from tests.hostile.attempts import SignedGarbage, run
from tests.hostile.garbage import DEPTHS, known_garbage
from tests.hostile.pipeline import Fate, Pipeline
from tests.hostile.usable import is_usable
from tests.samples import canceled, created, raw, sample

pytestmark = pytest.mark.no_cover  # it would double the time, and other tests measure it

TRIES = 6_000

KNOWN = known_garbage()
FIT_AFTER_ALL = {"in utf-7", "in cp1252", "-0 as the time", "1e12 as the time"}
"""ASCII is the same in these encodings, and -0 and 1e12 are whole numbers to JSON."""


@pytest.mark.parametrize("name", KNOWN)
def test_known_garbage_is_in_quarantine_byte_for_byte(name: str) -> None:
    expected = Fate.MERGED if name in FIT_AFTER_ALL else Fate.QUARANTINED
    assert Pipeline().deliver(KNOWN[name]) is expected


def test_random_garbage_is_merged_published_or_in_quarantine_and_never_lost() -> None:
    garbage = SignedGarbage()

    run(garbage, 0, TRIES)

    assert sum(garbage.fates.values()) == TRIES
    assert garbage.fates[Fate.QUARANTINED] > 0.5 * TRIES
    assert {*garbage.fates} >= {Fate.MERGED, Fate.PUBLISHED, Fate.CHALLENGE_REFUSED}, "all ways are tried"


@pytest.mark.parametrize("depth", DEPTHS)
def test_no_depth_is_too_deep_to_be_refused(depth: int) -> None:
    for opening in (b"[", b'{"a":', b'[{"a":'):
        with pytest.raises(BodyError):
            parse_body(opening * depth)


def test_every_character_is_taken_exactly_if_a_queue_takes_it() -> None:
    wrong = []
    for code in range(0x10000):
        body = b'{"event": "x", "a": "\\u%04x"}' % code
        taken = True
        try:
            parse_body(body)
        except BodyError:
            taken = False
        if taken != is_usable(body):
            wrong.append(code)
    assert wrong == []


@pytest.mark.parametrize(
    "body", [created(), canceled(), sample(CREATED), sample(CANCELED), {"event": "x", "a": "é🚗\t"}]
)
def test_the_second_opinion_takes_what_is_good(body: dict[str, object]) -> None:
    # It is what the fuzzed parser is held against: were it to refuse everything, so could the parser.
    assert is_usable(raw(body))
    assert parse_body(raw(body)) == body

"""The corpus that fuzzing has left behind, once more; this needs no fuzzer.

An input that failed is written to `.local/fuzz/`. Put into the corpus it fails here, until it is mended.
"""

import pytest

from tests.hostile.targets import MAX_BYTES, TARGETS, corpus

pytestmark = pytest.mark.no_cover  # it would double the time, and other tests measure it

LARGEST_BYTES = 600_000
"""Of all corpora together: they are minimised, and grow with what they cover only."""


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_of_the_corpus_fails(name: str) -> None:
    tried = 0
    for path in corpus(name):
        try:
            TARGETS[name](path.read_bytes())
        except Exception as error:
            error.add_note(f"by {path}")
            raise
        tried += 1
    assert tried >= 30, "a corpus worth its name"


def test_the_corpora_stay_small() -> None:
    sizes = [path.stat().st_size for name in TARGETS for path in corpus(name)]
    assert max(sizes) <= MAX_BYTES
    assert sum(sizes) <= LARGEST_BYTES

"""Whatever Zoom may make of its events' schema, each one is merged, published or in quarantine.

Single changes are made everywhere, each with each kind of value; whether one must be taken follows from
Zoom's reference. Several at once go by chance.
"""

import json

import pytest

from tests.hostile.attempts import SchemaMutations, run
from tests.hostile.mutations import EVENT, EVENTS, REFERENCE, complete, single_mutations
from tests.hostile.pipeline import Fate, Pipeline
from tests.simulation.specification import reading_of

pytestmark = pytest.mark.no_cover  # it would double the time, and other tests measure it

TRIES = 2_500


@pytest.mark.parametrize("name", EVENTS)
def test_each_field_dropped_nulled_or_retyped_is_taken_exactly_if_the_reference_allows_it(name: str) -> None:
    pipeline = Pipeline()
    wrong, tried = [], 0
    for what, body, taken in single_mutations(name):
        fate = pipeline.deliver(json.dumps(body).encode())
        tried += 1
        expected = {
            True: {Fate.MERGED},
            False: {Fate.QUARANTINED},
            None: {Fate.MERGED, Fate.QUARANTINED},
        }[taken]
        if what.startswith(f"{EVENT} = "):
            expected |= {Fate.OTHER_PRODUCT, Fate.PUBLISHED}
        if fate not in expected:
            wrong.append((what, fate))
    assert wrong == []
    assert tried > 40 * len(REFERENCE[name])


@pytest.mark.parametrize("name", EVENTS)
def test_what_is_mutated_has_every_field_of_the_reference(name: str) -> None:
    assert Pipeline().deliver(json.dumps(complete(name)).encode()) is Fate.MERGED
    missing = [path for path in REFERENCE[name] if not _has(complete(name), path)]
    assert missing == []
    assert {"location", "cancellation"} & {*reading_of(complete(name)).details}


def test_events_with_several_fields_changed_are_merged_or_in_quarantine_and_never_lost() -> None:
    mutations = SchemaMutations()

    run(mutations, 0, TRIES)

    assert sum(mutations.fates.values()) == TRIES
    assert min(mutations.fates[Fate.MERGED], mutations.fates[Fate.QUARANTINED]) > 0.2 * TRIES


def _has(body: object, path: str) -> bool:
    node = body
    for part in path.replace("[]", ".0").split("."):
        if isinstance(node, list) and node:
            node = node[0]
        elif isinstance(node, dict) and part in node:
            node = node[part]
        else:
            return False
    return True

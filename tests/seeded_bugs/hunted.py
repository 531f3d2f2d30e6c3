"""The bugs that the simulation catches too, each by the first invariant that it sees violated."""

from dataclasses import replace

from tests.seeded_bugs.bugs import SeededBug, Simulation

SCHEDULES = 300
"""Far more than any of them takes; the simulation stops at the first that fails."""

HUNTED = {
    "the-last-write-wins": "table equals the fold",
    "a-move-is-taken-for-a-cancel": "comes to rest",
    "a-late-created-resurrects": "table equals the fold",
    "of-two-at-one-time-the-first-wins": "table equals the fold",
    "a-duplicate-is-written-again": "replay changes nothing",
    "an-event-id-depends-on-the-clock": "one event a change",
    "a-digest-is-of-the-body-as-it-was-written": "table equals the fold",
    "a-cancel-of-the-same-moment-loses": "table equals the fold",
    "a-booking-is-updated-when-it-arrives": "table equals the fold",
    "a-moved-booking-is-a-lost-customer": "table equals the fold",
    "links-are-shared-with-everybody": "one event a change",
    "failed-entries-are-ignored": "one event a change",
    "the-stream-goes-on-behind-the-last-that-failed": "one event a change",
    "the-stream-is-not-told-to-wait": "one event a change",
    "a-whole-batch-is-deleted-on-a-partial-failure": "table equals the fold",
    "a-record-that-failed-is-done": "table equals the fold",
    "what-is-no-event-is-done": "no limbo",
    "a-write-that-failed-is-forgotten": "table equals the fold",
    "what-is-past-its-retention-is-written": "not resurrected",
    "nothing-is-left-of-an-erased-booking": "comes to rest",
    "a-body-has-another-digest-than-before": "table equals the fold",
    "a-kept-body-is-read-by-rules-of-its-own": "table equals the fold",
    "the-door-publishes-behind-its-answer": "durable when answered",
    "what-cant-be-used-is-not-kept": "quarantined whole",
    "without-a-secret-a-delivery-is-refused": "no refusal of what is authentic",
    "fields-that-nobody-knows-are-refused": "no refusal of what is authentic",
    "a-retry-that-is-too-late-is-refused": "no refusal of what is authentic",
    "a-duplicate-is-suppressed-before-its-effect": "table equals the fold",
    "a-lost-swap-is-tried-again-without-the-winner": "table equals the fold",
    "a-write-has-no-condition": "table equals the fold",
    "a-tombstone-has-no-revision": "comes to rest",
    "an-empty-string-is-a-value": "table equals the fold",
    "an-answer-that-got-lost-is-taken-for-a-yes": "durable when answered",
    "by-queue-an-event-has-another-shape": "durable when answered",
    "a-delivery-is-published-before-it-is-checked": "table equals the fold",
    "the-signature-is-over-json-written-again": "no refusal of what is authentic",
    "null-is-refused": "no refusal of what is authentic",
}


def with_simulation(bug: SeededBug) -> SeededBug:
    """Returns the bug with the simulation among those that catch it, if it does."""
    if bug.name not in HUNTED:
        return bug
    return replace(bug, caught_by=(*bug.caught_by, Simulation(HUNTED[bug.name], SCHEDULES)))

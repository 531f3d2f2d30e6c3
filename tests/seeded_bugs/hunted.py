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
}


def with_simulation(bug: SeededBug) -> SeededBug:
    """Returns the bug with the simulation among those that catch it, if it does."""
    if bug.name not in HUNTED:
        return bug
    return replace(bug, caught_by=(*bug.caught_by, Simulation(HUNTED[bug.name], SCHEDULES)))

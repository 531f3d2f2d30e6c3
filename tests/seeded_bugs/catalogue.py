"""All seeded bugs, in the order a booking travels."""

from tests.seeded_bugs import (
    at_the_door,
    in_the_commands,
    in_the_domain,
    in_the_handlers,
    in_the_template,
    of_the_announcer,
)
from tests.seeded_bugs.bugs import SeededBug
from tests.seeded_bugs.hunted import with_simulation

CATALOGUE: tuple[SeededBug, ...] = tuple(
    with_simulation(bug)
    for bug in (
        *at_the_door.BUGS,
        *in_the_handlers.BUGS,
        *in_the_domain.BUGS,
        *of_the_announcer.BUGS,
        *in_the_commands.BUGS,
        *in_the_template.BUGS,
    )
)

"""One run: the artefact, the processes, rounds until enough were killed, and everything cleared away again."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.kills.artefact import Artefact
from tests.kills.environments import Processes
from tests.kills.judge import Violation
from tests.kills.world import AWS, Tally, World


async def run(
    artefact: Artefact, *, kills: int, seed: int, progress: Callable[[Tally], None] = lambda _tally: None
) -> Tally:
    """Runs rounds until so many processes were killed, and returns the tally.

    Raises:
        Violation: something does not hold; its notes say in which round, and what the functions logged.
        FunctionError, Stuck: something went wrong that no kill explains.
    """
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        logs = Path(folder)
        async with AWS() as aws, Processes(artefact, logs) as processes:
            world = World(aws, processes, seed)
            while world.tally.killed < kills:
                for log in logs.iterdir():
                    log.open("w").close()  # the processes append, so they go on at its new end
                number = world.tally.rounds + 1
                try:
                    await world.round(number)
                except BaseException as error:
                    error.add_note(f"seed {seed}, round {number}, after {world.tally.killed} kills")
                    raise
                progress(world.tally)
            return world.tally

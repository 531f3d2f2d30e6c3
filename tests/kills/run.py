"""One run: the processes, rounds until enough were killed, and everything cleared away again."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.kills.artefact import Artefact
from tests.kills.child import Stuck
from tests.kills.environments import FunctionError, Processes
from tests.kills.judge import Violation
from tests.kills.world import AWS, Tally, World


async def run(
    artefact: Artefact,
    *,
    kills: int,
    seed: int,
    progress: Callable[[Tally], None] = lambda _tally: None,
    said: Callable[[str], None] = lambda _text: None,
) -> Tally:
    """Runs rounds until so many processes were killed, and returns the tally.

    Args:
        said: is told what the functions printed, after each round.

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
                except (Violation, FunctionError, Stuck) as error:
                    error.add_note(f"seed {seed}, round {number}, after {world.tally.killed} kills")
                    for log in sorted(logs.iterdir()):
                        for line in errors_in(log):
                            error.add_note(f"{log.stem}: {line}")
                    raise
                progress(world.tally)
                for log in logs.iterdir():
                    said(log.read_text(errors="replace"))
            return world.tally


def errors_in(log: Path) -> list[str]:
    """Returns what a function logged last that is no everyday line; a process killed mid-line leaves some."""
    lines = log.read_text(errors="replace").splitlines()
    return [line[:300] for line in lines if '"level":"ERROR"' in line or not line.startswith("{")][-5:]

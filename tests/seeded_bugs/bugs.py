"""What a seeded bug is: a mistake somebody could make, as a patch, and who catches it."""

from dataclasses import dataclass


class StalePatch(Exception):
    """A replacement doesn't fit the file any more. Write it anew for the code as it stands now."""


@dataclass(frozen=True, slots=True)
class Replace:
    """A change of one file of the product.

    Attributes:
        path: from the root of the project.
        old: stands exactly once in the file.
    """

    path: str
    old: str
    new: str

    def applied(self, text: str) -> str:
        """Returns the text with the change in it.

        Raises:
            StalePatch: `old` isn't there, or more than once.
        """
        found = text.count(self.old)
        if found != 1:
            raise StalePatch(f"{self.path} holds this {found} times, and must hold it once:\n{self.old}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class FailingTests:
    """FailingTests that catch a bug: each of them fails, in one of its cases at least.

    Attributes:
        nodes: ids as pytest has them, with or without the brackets of a case.
    """

    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Simulation:
    """The simulation catches a bug: it ends with the invariant's name.

    Attributes:
        violated: the invariant, as the simulation prints it.
        schedules: how many it may run until then.
    """

    violated: str
    schedules: int

    def command(self) -> tuple[str, ...]:
        return (
            *("tests.simulation", "--processes", "1", "--from-seed", "0"),
            *("--schedules", str(self.schedules)),
        )


Catcher = FailingTests | Simulation


@dataclass(frozen=True, slots=True)
class SeededBug:
    """A mistake somebody could make.

    Attributes:
        name: what the code does now, in a few words; it names the test.
        why: what a developer would have done, and thought.
        rows: of the failure matrix, that the tests which catch it name.
        caught_by: each of them catches it by itself.
    """

    name: str
    why: str
    rows: tuple[int, ...]
    replacements: tuple[Replace, ...]
    caught_by: tuple[Catcher, ...]

    @property
    def nodes(self) -> tuple[str, ...]:
        """The tests that catch it."""
        return tuple(
            node for catcher in self.caught_by if isinstance(catcher, FailingTests) for node in catcher.nodes
        )


def by_tests(*nodes: str) -> tuple[Catcher, ...]:
    """Returns the catchers of a bug that tests alone catch; `nodes` are told from `tests/` on."""
    return (FailingTests(tuple(f"tests/{node}" for node in nodes)),)

"""The attacks that go by chance, each try drawn from one seed: the same number is the same try again."""

import json
from abc import ABC, abstractmethod
from collections import Counter
from random import Random

from tests.hostile.attacked import AttackedDoor
from tests.hostile.challenges import OracleHunt
from tests.hostile.forgeries import forge, seen_at
from tests.hostile.garbage import draw_garbage
from tests.hostile.mutations import draw_mutation
from tests.hostile.pipeline import Pipeline
from tests.hostile.targets import Renewed


class Attack(ABC):
    """Tries one thing after the other; each try fails by raising."""

    @abstractmethod
    def attempt(self, random: Random) -> None: ...

    @abstractmethod
    def tally(self) -> dict[str, int]:
        """Returns what came of the tries so far."""


class Forgery(Attack):
    """Requests by somebody who doesn't know the secret."""

    def __init__(self) -> None:
        self.attacked = AttackedDoor()
        self._seen = seen_at(self.attacked.door.clock.now())

    def attempt(self, random: Random) -> None:
        self.attacked.post(forge(random, self._seen))
        self.attacked.check_refreshes()

    def tally(self) -> dict[str, int]:
        return {
            "refused": self.attacked.refused,
            "authentic after all, and taken": self.attacked.accepted,
            "reads of the secret": self.attacked.door.secret.calls,
        }


class Oracle(Attack):
    """Challenges that want an event signed."""

    def __init__(self) -> None:
        self.hunt = OracleHunt()

    def attempt(self, random: Random) -> None:
        self.hunt.attack(random)

    def tally(self) -> dict[str, int]:
        return {
            "tokens answered": self.hunt.answered,
            "nothing signed": self.hunt.refused,
            "forgeries refused": self.hunt.attacked.refused,
        }


class _OnTheWholeWay(Attack):
    def __init__(self) -> None:
        self._pipeline = Renewed(Pipeline)
        self.fates: Counter[str] = Counter()

    def attempt(self, random: Random) -> None:
        self.fates[self._pipeline.get().deliver(self.draw(random))] += 1

    @abstractmethod
    def draw(self, random: Random) -> bytes: ...

    def tally(self) -> dict[str, int]:
        return {str(fate): number for fate, number in self.fates.most_common()}


class SignedGarbage(_OnTheWholeWay):
    """Correctly signed bodies, broken in some way."""

    def draw(self, random: Random) -> bytes:
        return draw_garbage(random)


class SchemaMutations(_OnTheWholeWay):
    """Both events with several fields changed at once."""

    def draw(self, random: Random) -> bytes:
        return json.dumps(draw_mutation(random)).encode()


ATTACKS: dict[str, type[Attack]] = {
    "forgery": Forgery,
    "oracle": Oracle,
    "garbage": SignedGarbage,
    "mutations": SchemaMutations,
}


def run(attack: Attack, first_seed: int, tries: int) -> None:
    """Makes the tries of consecutive seeds.

    Raises:
        AssertionError: one of them failed; the note on it says which.
    """
    random = Random()  # noqa: S311 - chance that can be had again, no secret
    for seed in range(first_seed, first_seed + tries):
        random.seed(seed)
        try:
            attack.attempt(random)
        except BaseException as error:
            error.add_note(f"Again: python -m tests.hostile --attack {name_of(attack)} --seed {seed}")
            raise


def name_of(attack: Attack) -> str:
    return next(name for name, kind in ATTACKS.items() if isinstance(attack, kind))

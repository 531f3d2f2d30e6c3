"""`python -m tests.hostile` shows how to repeat a failure, and the fuzzer still fits its targets."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.hostile import __main__ as command
from tests.hostile.attempts import ATTACKS, Attack

ROOT = Path(__file__).parents[2]


class FailsNowAndThen(Attack):
    """An attack that comes through with one seed in a thousand or so."""

    def attempt(self, random: Random) -> None:
        assert random.random() > 0.001, "came through"

    def tally(self) -> dict[str, int]:
        return {"repelled": 1}


def test_a_try_that_comes_through_is_told_with_the_seed_that_makes_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(ATTACKS, "forgery", FailsNowAndThen)

    assert not command.attack("forgery", 0, seconds=60.0, tries=None)

    told = capsys.readouterr().err
    assert "came through" in told
    seed = int(told.partition("--attack forgery --seed ")[2].split()[0])
    assert not command.attack("forgery", seed, seconds=0.0, tries=1)
    assert command.attack("forgery", seed + 1, seconds=0.0, tries=1)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_that_is_repelled_says_how_often(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.attack(name, 0, seconds=0.0, tries=30)
    assert "30 tries" in capsys.readouterr().out


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="NOT fuzzed: atheris has no wheel for this machine; the corpus is replayed all the same",
)
def test_the_fuzzer_goes_on_from_the_corpus_and_sees_the_products_code(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.hostile.guided", "verify"),
            *("--seconds", "1", "--seed", "1", "--found", str(tmp_path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    last = [line for line in done.stderr.splitlines() if " cov: " in line][-1]
    assert int(last.split(" cov: ")[1].split()[0]) > 100, "few lines of the product were seen"
    assert (tmp_path / "verify").is_dir()

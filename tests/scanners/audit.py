"""`python -m tests.scanners.audit`: no pinned package has a known vulnerability.

Ends with 0 if every pin of every lock file was checked and none is known to be vulnerable, with 1 if one is,
and with 3 if that could not be found out; `--or-skip` says so in plain sight and ends with 0 then, for
`make check` where the advisories are out of reach.

pip-audit asks the sources and says "no known vulnerabilities", with 0, also where the source knew none of the
packages, as behind a mirror that serves packages alone. So its word is taken only if it names each pin as
checked, and if it finds what is wrong with a package that is known to be vulnerable.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LOCKS = (ROOT / "layers/runtime/requirements.txt", *sorted((ROOT / "requirements").glob("*.txt")))

CONTROL = ("urllib3", "1.24.1")
"""Vulnerable since 2019 (CVE-2019-11324): a source that doesn't know it knows nothing."""

ACKNOWLEDGED: dict[str, str] = {}
"""Each advisory's id with the reason for which it does no harm here."""

SOURCES = ("pypi", "osv")
TIMEOUT_SECONDS = 15  # of one request
TOLD_CHARACTERS = 160  # of an error

CLEAN, VULNERABLE, NOT_CHECKED = 0, 1, 3

type Pin = tuple[str, str]
type Ask = Callable[[Path], str]


class CouldNotCheck(Exception):
    """The source did not answer for each pin. The message says why; try another one, or later."""


@dataclass(frozen=True, slots=True)
class Vulnerability:
    """A known weakness of a pinned package; `fixed_in` is empty where no version is without it."""

    package: str
    version: str
    advisory: str
    fixed_in: tuple[str, ...]

    def __str__(self) -> str:
        fix = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "no fixed version"
        return f"{self.package} {self.version}: {self.advisory}, {fix}"


def pins(lock: str) -> set[Pin]:
    """Returns each package of a lock file with its version, whichever platform it is for."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\\n]+)", lock, re.MULTILINE)
    return {(normalised(name), version) for name, version in found}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def audit(wanted: set[Pin], ask: Ask) -> list[Vulnerability]:
    """Returns the known vulnerabilities of the pins but those that are acknowledged.

    Args:
        ask: takes a requirements file and returns what pip-audit prints as JSON.

    Raises:
        CouldNotCheck: there is no answer, or none for each of the pins, or none that can be believed.
    """
    if not wanted:
        raise CouldNotCheck("no package is pinned")
    asked = wanted | {CONTROL}
    skipped: dict[str, str] = {}
    checked: dict[Pin, list[dict[str, Any]]] = {}
    for together in _one_version_of_each(asked):
        for each in _answered(ask, together):
            if "vulns" in each:
                checked[normalised(each["name"]), each["version"]] = each["vulns"]
            else:
                skipped[normalised(each["name"])] = each["skip_reason"]

    if missing := sorted(asked - checked.keys()):
        name, version = missing[0]
        because = skipped.get(name, "it is not in the report")
        raise CouldNotCheck(
            f"not checked are {len(missing)} of {len(asked)} packages, the first {name} {version}: {because}"
        )
    if not checked[CONTROL]:
        raise CouldNotCheck(f"the source knows nothing against {' '.join(CONTROL)}, which is vulnerable")
    return [
        Vulnerability(*pin, found["id"], tuple(found["fix_versions"]))
        for pin in sorted(wanted)
        for found in checked[pin]
        if not {found["id"], *found["aliases"]} & ACKNOWLEDGED.keys()
    ]


def _one_version_of_each(asked: set[Pin]) -> list[dict[str, str]]:
    """Returns the pins in parts that name no package twice, which pip-audit refuses."""
    parts: list[dict[str, str]] = []
    for name, version in sorted(asked):
        part = next((part for part in parts if name not in part), None)
        if part is None:
            parts.append(part := {})
        part[name] = version
    return parts


def _answered(ask: Ask, together: dict[str, str]) -> list[dict[str, Any]]:
    """Returns pip-audit's report on these pins.

    They are not asked for by their lock files: of those it leaves out what is not for this platform.
    """
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        file = Path(folder) / "pins.txt"
        file.write_text("".join(f"{name}=={version}\n" for name, version in together.items()))
        text = ask(file)
    try:
        answer: list[dict[str, Any]] = json.loads(text)["dependencies"]
        valid = all({"name", "version", "vulns"} <= each.keys() or "skip_reason" in each for each in answer)
    except (ValueError, KeyError, TypeError, AttributeError):
        valid = False
    if not valid:
        raise CouldNotCheck(f"pip-audit printed something else than its report: {text[:TOLD_CHARACTERS]!r}")
    return answer


def pip_audit(*options: str) -> Ask:
    """Returns a way to ask by pip-audit, which prints its report and ends with 1 also where it failed."""

    def ask(file: Path) -> str:
        command = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "--format", "json"]
        command += ["--progress-spinner", "off", "--timeout", str(TIMEOUT_SECONDS), *options]
        ended = subprocess.run(
            [*command, "--requirement", str(file)], capture_output=True, text=True, check=False
        )
        if not ended.stdout:
            said = ended.stderr.strip().splitlines() or ["pip-audit said nothing"]
            raise CouldNotCheck(said[-1][:TOLD_CHARACTERS])
        return ended.stdout

    return ask


def main(arguments: Sequence[str] | None = None, asks: dict[str, Ask] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.scanners.audit", description=__doc__)
    parser.add_argument("--or-skip", action="store_true", help="end with 0 where nothing could be checked")
    options = parser.parse_args(arguments)
    wanted = set().union(*(pins(lock.read_text()) for lock in LOCKS))
    reasons = []
    for source, ask in (asks or {name: pip_audit("-s", name) for name in SOURCES}).items():
        try:
            vulnerabilities = audit(wanted, ask)
        except CouldNotCheck as error:
            reasons.append(f"{source}: {error}")
            continue
        for vulnerability in vulnerabilities:
            print(vulnerability, file=sys.stderr)
        print(f"audit: {len(wanted)} packages checked by {source}, {len(vulnerabilities)} vulnerabilities")
        return VULNERABLE if vulnerabilities else CLEAN
    print("\n".join(reasons), file=sys.stderr)
    said = f"{len(wanted)} packages could not be checked for known vulnerabilities"
    print(
        f"SKIPPED: {said}. `make audit` fails until they are." if options.or_skip else said, file=sys.stderr
    )
    return CLEAN if options.or_skip else NOT_CHECKED


if __name__ == "__main__":
    sys.exit(main())

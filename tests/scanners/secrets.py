"""`python -m tests.scanners.secrets`: no file of the project holds a secret; ends with 1 where one does.

detect-secrets looks for the forms that services give their keys (AWS, GitHub, Slack, private keys, …), for
values whose names sound like secrets, and for base64 of high entropy. It knows nothing of this project, so
what can't be a secret here is told by its form, each with the reason. Without a file of accepted findings:
such a file hides the next secret on the same line.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).parents[2]

NOT_USED = {
    "HexHighEntropyString",  # hex is a digest or an id in this project, in hundreds of places
    "IPPublicDetector",  # an address is no secret
}

# Bits a character. Zoom's secret tokens have 22 characters, so 4.46 at the most: the detector's own limit
# never finds one.
LEAST_ENTROPY = 4.0

# In made-up deliveries Zoom's ids have the form of its tokens, and every test has a secret of its own; so
# there the limit is the detector's own, and a name that sounds like a secret says nothing.
SAMPLES = ("tests/", "events/", "docs/openapi.yaml")
LEAST_ENTROPY_OF_SAMPLES = 4.5
NOT_USED_ON_SAMPLES = {"KeywordDetector"}

# Nothing but names, versions and digests; tests/unit/test_requirements.py holds each line to that.
NOT_SCANNED = re.compile(r"(requirements/[a-z]+|layers/runtime/requirements)\.txt")

# The two detectors that guess. The others know the form of a service's key.
GUESSES = {"Secret Keyword", "Base64 High Entropy String"}

_WORD = r"([a-z]+|[A-Z]+|([A-Z][a-z]+)+|\d{1,2}|123456789012)"
NO_SECRETS = (
    # Words, joined or not, as in `a-secret-token-of-22-c` or `GetSecretValue`: no service gives such keys. An
    # ARN is of this form too, with the account id of AWS's own examples.
    rf"{_WORD}([-_/.:= ]{_WORD})*",
    r"eJ[\w+/=-]{99,}|eN[\w+/=-]{99,}",  # a kept body, compressed by zlib
    r"[a-z0-9]{26}(-[0-9a-f]{16})?",  # a booking's id, of lower-case letters and digits
    r"zoom-request/[0-9a-f_]{36}\\?",  # a correlation id
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A place where something looks like a secret; never holds what stands there."""

    path: str
    line: int
    kind: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.kind}"


def tracked(root: Path) -> list[str]:
    """Returns the files that Git has or would take, from the root on."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    return sorted({path for path in listed.stdout.split("\0") if path and (root / path).is_file()})


def may_stand(value: str) -> bool:
    """Says whether a value that a detector guessed to be a secret is none."""
    return any(re.fullmatch(form, value) for form in NO_SECRETS)


def secrets_in(root: Path, paths: Iterable[str]) -> Iterator[Finding]:
    """Yields what looks like a secret in these files."""
    scanned = [path for path in paths if not NOT_SCANNED.fullmatch(path)]
    samples = [path for path in scanned if path.startswith(SAMPLES)]
    for detectors, among in (
        (_detectors(LEAST_ENTROPY, NOT_USED), [path for path in scanned if path not in samples]),
        (_detectors(LEAST_ENTROPY_OF_SAMPLES, NOT_USED | NOT_USED_ON_SAMPLES), samples),
    ):
        with transient_settings({"plugins_used": detectors}):
            for path in among:
                for found in scan_file(str(root / path)):
                    if found.type not in GUESSES or not may_stand(found.secret_value or ""):
                        yield Finding(path, found.line_number, found.type)


def _detectors(least_entropy: float, not_used: set[str]) -> list[dict[str, object]]:
    kinds: Iterable[type] = get_mapping_from_secret_type_to_class().values()
    return [
        {"name": name, "limit": least_entropy} if name == "Base64HighEntropyString" else {"name": name}
        for name in sorted({kind.__name__ for kind in kinds} - not_used)
    ]


def main() -> int:
    paths = tracked(ROOT)
    findings = sorted(str(finding) for finding in secrets_in(ROOT, paths))
    for finding in findings:
        print(finding, file=sys.stderr)
    print(f"secrets: {len(paths)} files, {len(findings)} findings")
    return 1 if findings or not paths else 0


if __name__ == "__main__":
    sys.exit(main())

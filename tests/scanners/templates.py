"""`python -m tests.scanners.templates`: checkov has nothing against the templates; ends with 1 where it has.

It gets them as CloudFormation does, after SAM's transform: of `AWS::Serverless` it evaluates less. A third
one goes with them each time, broken in many places, and each has to be found: a scanner that reads nothing
finds nothing, too.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.template.stacks import BOOKINGS, ROOT, SUBSCRIBER, Stack, stack

CHECKOV = ROOT / ".venv-scan/bin/checkov"
ACKNOWLEDGED = ROOT / ".checkov.yaml"

_AWS_KEY = "AKIA" + "Q4LZ7XN2PT5VKWJD"
_POLICY = "Properties.Policies.0.PolicyDocument.Statement"
PLANTED: tuple[tuple[str, str, object], ...] = (
    ("CKV_AWS_28", "BookingsTable.Properties.PointInTimeRecoverySpecification", None),
    ("CKV_AWS_45", "WebhookFunction.Properties.Environment.Variables.FAN_OUT", _AWS_KEY),
    ("CKV_AWS_60", "WebhookRole.Properties.AssumeRolePolicyDocument.Statement.0.Principal", {"AWS": "*"}),
    (
        "CKV_AWS_61",
        "BookingEventsRole.Properties.AssumeRolePolicyDocument.Statement.0.Principal",
        {"AWS": ["123456789012"]},
    ),
    (
        "CKV_AWS_63",
        f"BookingCreatedRole.{_POLICY}.0.Action",
        "*",
    ),  # it reads a policy's first statement alone
    ("CKV_AWS_66", "WebhookLogGroup.Properties.RetentionInDays", None),
    ("CKV_AWS_95", "WebhookApiApiGatewayDefaultStage.Properties.AccessLogSettings", None),
    ("CKV_AWS_111", f"BookingCanceledRole.{_POLICY}.1.Resource", "*"),
    ("CKV_AWS_363", "BookingCreatedFunction.Properties.Runtime", "python3.7"),
    ("CKV_AWS_364", "WebhookFunctionZoomDeliveryPermission.Properties.SourceArn", None),
)
"""A check each, and what breaks it: a path in the bookings stack and what stands there then."""


def planted() -> Stack:
    broken = stack(BOOKINGS)
    for _, path, value in PLANTED:
        broken = broken.broken(path, value)
    return broken


def reports(templates: dict[str, Stack]) -> dict[str, Any]:
    """Returns what checkov says: `passed_checks`, `failed_checks` and more, each of all templates."""
    with tempfile.TemporaryDirectory(prefix="checkov-") as folder:
        for name, template in templates.items():
            (Path(folder) / f"{name}.json").write_text(json.dumps(template.template))
        command = [str(CHECKOV), "--directory", folder, "--framework", "cloudformation", "--output", "json"]
        command += ["--config-file", str(ACKNOWLEDGED), "--skip-download", "--skip-results-upload"]
        # Nothing of the developer's own account at the maker's service plays a part, and nothing is sent.
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("BC_", "CKV_"))
        }
        ended = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    try:
        found: dict[str, Any] = json.loads(ended.stdout)["results"]
    except (ValueError, KeyError, TypeError) as error:
        raise SystemExit(f"checkov printed no report: {ended.stderr[-500:]}") from error
    return found


def main() -> int:
    templates = {"bookings": stack(BOOKINGS), "subscriber": stack(SUBSCRIBER), "planted": planted()}
    found = reports(templates)
    failed: dict[str, list[str]] = {name: [] for name in templates}
    passed = dict.fromkeys(templates, 0)
    for check in found["failed_checks"]:
        failed[Path(check["file_path"]).stem].append(f"{check['check_id']} {check['resource']}")
    for check in found["passed_checks"]:
        passed[Path(check["file_path"]).stem] += 1

    complaints = [f"{name}: {each}" for name in ("bookings", "subscriber") for each in failed[name]]
    complaints += [f"not read: {path}" for path in found.get("parsing_errors", [])]
    complaints += [f"nothing of {name} was checked" for name, count in passed.items() if not count]
    ids = {each.split()[0] for each in failed["planted"]}
    complaints += [f"{check} does not find {path} broken" for check, path, _ in PLANTED if check not in ids]
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    checks = passed["bookings"] + passed["subscriber"]
    print(f"checkov: {checks} checks of 2 templates passed, {len(PLANTED)} planted findings found")
    return 1 if complaints else 0


if __name__ == "__main__":
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # SAM's translator wants one
    sys.exit(main())

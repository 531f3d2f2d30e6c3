"""CloudFormation accepts the templates, and the environments of samconfig.toml fit them."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from bookings.use_cases.live_secrets import unusable
from tests.template.stacks import BOOKINGS, ROOT, SUBSCRIBER, stack

MAX_TEMPLATE_BYTES = 1_000_000  # CloudFormation's limit for a template in S3
CONFIG: dict[str, Any] = tomllib.loads((ROOT / "samconfig.toml").read_text())
DOCS = "\n".join((ROOT / page).read_text() for page in ("README.md", "docs/operations.md"))
NAME = "zoom-scheduler-bookings"
RETENTION = ["BookingRetentionDays", "ArchiveRetentionDays", "LogRetentionDays"]

# Stack name, whether a person confirms, and parameters.
ENVIRONMENTS: dict[str, tuple[str, bool, dict[str, str]]] = {
    "default": (NAME, True, {}),
    "dev": (f"{NAME}-dev", False, dict.fromkeys(RETENTION, "7")),
    "staging": (f"{NAME}-staging", True, dict.fromkeys(RETENTION, "30")),
    "prod": (f"{NAME}-prod", True, {"DeletionProtection": "true"} | dict.fromkeys(RETENTION[1:], "90")),
}


@pytest.mark.parametrize("path", [BOOKINGS, SUBSCRIBER], ids=["bookings", "subscriber"])
def test_expanded_template_fits_the_resource_schemas(path: Path) -> None:
    text = json.dumps(stack(path).template)

    assert [f"{match.rule.id} {match.message}" for match in lint(text, config=ManualArgs())] == []
    assert len(text) < MAX_TEMPLATE_BYTES


def test_four_environments_exist_and_hold_no_secret() -> None:
    assert CONFIG.keys() == {"version", *ENVIRONMENTS}
    assert CONFIG["default"]["validate"]["parameters"] == {"lint": True}
    assert "ZoomSecretToken" not in json.dumps(CONFIG)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environment_has_its_stack_bucket_and_parameters(name: str) -> None:
    stack_name, confirmed, overrides = ENVIRONMENTS[name]
    deploy = dict(CONFIG[name]["deploy"]["parameters"])
    given = dict(entry.split("=", 1) for entry in deploy.pop("parameter_overrides", []))

    assert CONFIG[name]["global"]["parameters"] == {"stack_name": stack_name}
    assert given == overrides
    for parameter, value in given.items():
        declared = stack().template["Parameters"][parameter]
        allowed = declared.get("AllowedValues") or range(declared["MinValue"], declared["MaxValue"] + 1)
        assert value in map(str, allowed)
    assert deploy.pop("tags").split()[0] == f"project={NAME}"
    # No role has a name, so the weaker capability is enough.
    assert deploy == {
        "capabilities": "CAPABILITY_IAM", "resolve_s3": True, "s3_prefix": stack_name,
        "confirm_changeset": confirmed,
    }  # fmt: skip


def test_documented_deployments_exist() -> None:
    environments, stacks = (
        set(re.findall(pattern, DOCS)) for pattern in (r"--config-env (\w+)", r"--stack\s+(zoom[\w-]+)")
    )
    assert set() < environments <= CONFIG.keys()
    assert stacks == {f"{NAME}-{environment}" for environment in environments}
    # Overrides replace the environment's whole list, and show a secret in the shell's history.
    assert set(re.findall(r"--parameter-overrides (\w+)", DOCS)) == {"EventBusName"}  # of an example


def test_an_update_without_the_token_changes_nothing() -> None:
    # CloudFormation updates a secret only if its properties change. It keeps a parameter that is not given.
    secret = stack().of_type("AWS::SecretsManager::Secret")["ZoomSecret"]["SecretString"]
    assert secret == {"Fn::If": ["TokenIsGiven", {"Ref": "ZoomSecretToken"}, "not-set"]}
    assert "is" in str(unusable("not-set"))


def test_policies_name_actions_that_exist() -> None:
    session = botocore.session.Session()
    for path in (ROOT / "docs/permissions").glob("*.json"):
        for statement in json.loads(path.read_text())["Statement"]:
            for action in statement["Action"]:
                service, operation = action.split(":")
                if service not in {"s3", "iam"} and operation not in {"*", "TagResource"}:
                    assert operation in session.get_service_model(service).operation_names

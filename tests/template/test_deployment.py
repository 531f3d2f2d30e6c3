"""CloudFormation would take the templates, and each environment of samconfig.toml fits its template."""

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from tests.template.stacks import BOOKINGS, ROOT, SUBSCRIBER, source, stack

ENVIRONMENTS = ("default", "dev", "staging", "prod")
MAX_TEMPLATE_BYTES = 1_000_000  # of a template in S3, CloudFormation's limit


def complaints(template: dict[str, Any]) -> list[str]:
    """Returns what CloudFormation's own resource schemas, as cfn-lint has them, say against a template."""
    return [f"{match.rule.id} {match.message}" for match in lint(json.dumps(template), config=ManualArgs())]


def config() -> dict[str, Any]:
    return tomllib.loads((ROOT / "samconfig.toml").read_text())


def overrides(environment: str) -> dict[str, str]:
    given = config()[environment]["deploy"]["parameters"].get("parameter_overrides", [])
    return dict(entry.split("=", 1) for entry in given)


@pytest.mark.parametrize("path", [BOOKINGS, SUBSCRIBER], ids=["bookings", "subscriber"])
def test_the_expanded_template_fits_the_schemas_of_its_resources(path: Path) -> None:
    assert complaints(stack(path).template) == []
    assert len(json.dumps(stack(path).template)) < MAX_TEMPLATE_BYTES


def test_a_property_that_a_resource_does_not_have_is_found() -> None:
    template = copy.deepcopy(stack(BOOKINGS).template)
    template["Resources"]["BookingBus"]["Properties"]["Retention"] = 1

    assert any("Retention" in complaint for complaint in complaints(template))


def test_there_are_the_four_environments() -> None:
    assert config().keys() == {"version", *ENVIRONMENTS}


def test_environments_stand_beside_each_other() -> None:
    names = [config()[environment]["global"]["parameters"]["stack_name"] for environment in ENVIRONMENTS]
    prefixes = [config()[environment]["deploy"]["parameters"]["s3_prefix"] for environment in ENVIRONMENTS]

    assert len(set(names)) == len(names)
    assert prefixes == names


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_sets_parameters_that_there_are_to_values_they_take(environment: str) -> None:
    parameters = source(BOOKINGS)["Parameters"]

    for name, value in overrides(environment).items():
        parameter = parameters[name]
        if "AllowedValues" in parameter:
            assert value in [str(allowed) for allowed in parameter["AllowedValues"]], name
        else:
            assert parameter["MinValue"] <= int(value) <= parameter["MaxValue"], name


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_environment_holds_the_secret(environment: str) -> None:
    assert "ZoomSecretToken" not in overrides(environment)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_may_make_roles_and_has_a_bucket(environment: str) -> None:
    parameters = config()[environment]["deploy"]["parameters"]

    # No role has a name, so that the weaker capability is enough.
    assert (parameters["capabilities"], parameters["resolve_s3"]) == ("CAPABILITY_IAM", True)
    assert parameters["confirm_changeset"] is (environment != "dev")


def test_production_is_protected_and_remembers_longer_than_the_others() -> None:
    days = {name: int(overrides("prod")[name]) for name in ("ArchiveRetentionDays", "LogRetentionDays")}

    assert overrides("prod")["DeletionProtection"] == "true"
    assert "BookingRetentionDays" not in overrides("prod")
    for environment in ("dev", "staging"):
        assert all(int(overrides(environment)[name]) < longest for name, longest in days.items())


def test_validation_lints() -> None:
    assert config()["default"]["validate"]["parameters"] == {"lint": True}

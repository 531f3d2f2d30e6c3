"""The contract of Secrets Manager."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from tests.aws.errors import AWSError
from tests.aws.worlds import StrictWorld, World, said
from tests.fakes import NOW

TOKEN = "token-of-the-tests-22c"


def versions(world: World, arn: str) -> dict[str, Any]:
    read = world.client("secretsmanager").get_secret_value
    return {
        stage: said(partial(read, SecretId=arn, VersionStage=stage))
        for stage in ("AWSCURRENT", "AWSPREVIOUS")
    }


def values(world: World, arn: str) -> dict[str, str]:
    return {
        stage: found if isinstance(found, str) else found["SecretString"]
        for stage, found in versions(world, arn).items()
    }


def test_a_new_secret_has_a_current_version_and_no_previous_one(world: World) -> None:
    arn = world.secret("zoom", TOKEN)
    assert values(world, arn) == {"AWSCURRENT": TOKEN, "AWSPREVIOUS": "ResourceNotFoundException"}


def test_a_version_is_told_with_its_secret_and_its_stages(world: World) -> None:
    arn = world.secret("zoom", TOKEN)
    current = versions(world, arn)["AWSCURRENT"]
    assert current.keys() == {
        *("ARN", "Name", "VersionId", "SecretString", "VersionStages", "CreatedDate"),
    }
    assert (current["ARN"], current["Name"], current["VersionStages"]) == (arn, "zoom", ["AWSCURRENT"])
    assert current["CreatedDate"].utcoffset() is not None


def test_a_new_value_moves_the_current_version_to_previous_and_drops_the_one_before(world: World) -> None:
    arn = world.secret("zoom", "first")
    world.put_secret(arn, "second")
    assert values(world, arn) == {"AWSCURRENT": "second", "AWSPREVIOUS": "first"}
    world.put_secret(arn, "third")
    assert values(world, arn) == {"AWSCURRENT": "third", "AWSPREVIOUS": "second"}
    told = versions(world, arn)
    assert told["AWSCURRENT"]["VersionId"] != told["AWSPREVIOUS"]["VersionId"]


def test_a_version_keeps_the_time_it_was_made(strict: StrictWorld) -> None:
    arn = strict.secret("zoom", "first")
    strict.clock.advance(3600)
    strict.put_secret(arn, "second")
    told = versions(strict, arn)
    assert told["AWSPREVIOUS"]["CreatedDate"] == NOW
    assert told["AWSCURRENT"]["CreatedDate"] == NOW + timedelta(hours=1)


def test_a_secret_is_found_by_its_name_and_its_stage_is_the_current_one_unless_told(world: World) -> None:
    world.secret("zoom", TOKEN)
    assert said(lambda: world.client("secretsmanager").get_secret_value(SecretId="zoom"))["SecretString"] == (
        TOKEN
    )


def test_a_version_is_found_by_its_id(world: World) -> None:
    arn = world.secret("zoom", "first")
    first = versions(world, arn)["AWSCURRENT"]["VersionId"]
    world.put_secret(arn, "second")
    client = world.client("secretsmanager")
    found = said(lambda: client.get_secret_value(SecretId=arn, VersionId=first))
    assert (found["SecretString"], found["VersionStages"]) == ("first", ["AWSPREVIOUS"])
    unknown = "0" * 32
    assert said(lambda: client.get_secret_value(SecretId=arn, VersionId=unknown)) == (
        "ResourceNotFoundException"
    )


def test_a_secret_that_is_not_there_is_not_found(world: World) -> None:
    client = world.client("secretsmanager")
    assert said(lambda: client.get_secret_value(SecretId="none")) == "ResourceNotFoundException"


@pytest.mark.parametrize("value", ["", "x" * 65_537])
def test_a_secret_is_neither_empty_nor_over_64_kib(strict: StrictWorld, value: str) -> None:
    with pytest.raises(AWSError, match="InvalidParameterException"):
        strict.secret("zoom", value)


def test_what_is_not_known_here_is_never_answered(strict: StrictWorld) -> None:
    with pytest.raises(NotImplementedError):
        strict.client("secretsmanager").describe_secret(SecretId="zoom")

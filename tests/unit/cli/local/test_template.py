"""What is made of a SAM template so that the emulator takes it."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cli.local import template as fitting
from cli.local.stack import TEMPLATE
from cli.local.template import Fitted, LeftOut, TemplateError

KNOWN_TYPES = frozenset(
    {
        "AWS::ApiGatewayV2::Api",
        "AWS::ApiGatewayV2::Integration",
        "AWS::ApiGatewayV2::Route",
        "AWS::ApiGatewayV2::Stage",
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::DynamoDB::Table",
        "AWS::Events::EventBus",
        "AWS::Events::Rule",
        "AWS::IAM::Role",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function",
        "AWS::Lambda::LayerVersion",
        "AWS::Lambda::Permission",
        "AWS::Logs::LogGroup",
        "AWS::SNS::Subscription",
        "AWS::SNS::Topic",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::Queue",
        "AWS::SQS::QueuePolicy",
        "AWS::SecretsManager::Secret",
    }
)

SMALL = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Bus:
    Type: AWS::Events::EventBus
    Properties: {Name: bus}
  Archive:
    Type: AWS::Events::Archive
    Properties: {SourceArn: !GetAtt Bus.Arn}
  Table:
    Type: AWS::DynamoDB::Table
    DependsOn: [Archive, Bus]
    Properties:
      TimeToLiveSpecification: {AttributeName: expires_at, Enabled: true}
      PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}
  Layer:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layer}
  Api:
    Type: AWS::Serverless::HttpApi
  Door:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: door
      Handler: app.handler
      Runtime: python3.13
      Role: arn:aws:iam::123456789012:role/door
      Events:
        Post: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: POST, Path: /webhooks/zoom}}
Outputs:
  BusName: {Value: !Ref Bus}
  ArchiveName: {Value: !Sub 'archive ${Archive}'}
"""


class Uploads:
    """Keeps what is uploaded, as the emulator's S3 would."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}

    def __call__(self, key: str, content: bytes) -> str:
        self.content[key] = content
        return f"s3://artifacts/{key}"

    def files(self, key: str) -> dict[str, bytes]:
        with zipfile.ZipFile(io.BytesIO(self.content[key])) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "door" / "__pycache__").mkdir(parents=True)
    (tmp_path / "door" / "app.py").write_text("def handler(event, context): return None\n")
    (tmp_path / "door" / "__pycache__" / "app.pyc").write_bytes(b"stale")
    path = tmp_path / "template.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture
def uploads() -> Uploads:
    return Uploads()


@pytest.fixture
def fitted(small: Path, uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> Fitted:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")  # SAM asks for it
    return fitting.fit(small, uploads, KNOWN_TYPES)


def of_type(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in template["Resources"].values() if resource["Type"] == kind]


def test_a_route_of_the_openapi_body_becomes_an_integration_and_a_route(fitted: Fitted) -> None:
    (route,) = of_type(fitted.template, "AWS::ApiGatewayV2::Route")
    (integration,) = of_type(fitted.template, "AWS::ApiGatewayV2::Integration")
    assert route["RouteKey"] == "POST /webhooks/zoom"
    assert route["Target"] == {"Fn::Join": ["/", ["integrations", {"Ref": "ApiIntegration0"}]]}
    assert integration["IntegrationUri"] == {"Fn::GetAtt": ["Door", "Arn"]}
    assert integration["PayloadFormatVersion"] == "2.0"
    assert "Body" not in fitted.template["Resources"]["Api"]["Properties"]


def test_a_route_that_leads_to_no_function_is_refused() -> None:
    body = {"paths": {"/x": {"get": {"x-amazon-apigateway-integration": {"uri": "https://example.com"}}}}}
    template = {"Resources": {"Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Body": body}}}}
    with pytest.raises(TemplateError, match=r"leads to no function.*example\.com"):
        fitting.expand_routes(template)


def test_the_default_route_and_the_any_method_keep_their_meaning() -> None:
    operation = {"x-amazon-apigateway-integration": {"uri": {"Fn::Sub": "arn:…/${Door.Arn}/invocations"}}}
    paths = {
        "/$default": {"x-amazon-apigateway-any-method": operation},
        "/a": {"x-amazon-apigateway-any-method": operation},
    }
    template = {
        "Resources": {"Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Body": {"paths": paths}}}}
    }
    fitting.expand_routes(template)
    assert [route["RouteKey"] for route in of_type(template, "AWS::ApiGatewayV2::Route")] == [
        "$default",
        "ANY /a",
    ]


def test_an_alarm_that_computes_watches_its_first_metric_here() -> None:
    metric = {"Namespace": "AWS/SQS", "MetricName": "NumberOfMessagesSent", "Dimensions": []}
    computed = {
        "Threshold": 1,
        "Metrics": [
            {"Id": "none", "Expression": "IF(sent == 0, 1, 0)"},
            {"Id": "sent", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": "Sum"}},
        ],
    }
    plain = {"Namespace": "AWS/SQS", "MetricName": "Errors", "Threshold": 1}
    template: fitting.Template = {
        "Resources": {
            "Computes": {"Type": "AWS::CloudWatch::Alarm", "Properties": dict(computed)},
            "Plain": {"Type": "AWS::CloudWatch::Alarm", "Properties": dict(plain)},
        }
    }
    fitting.plain_alarms(template)
    alarms = {name: each["Properties"] for name, each in template["Resources"].items()}
    assert alarms == {
        "Computes": metric | {"Threshold": 1, "Period": 3600, "Statistic": "Sum"},
        "Plain": plain,
    }


def test_a_type_unknown_to_the_emulator_is_left_out_and_told_with_the_reason(fitted: Fitted) -> None:
    (left_out,) = fitted.left_out
    assert (left_out.logical_id, left_out.type) == ("Archive", "AWS::Events::Archive")
    assert "nothing can be replayed" in left_out.reason
    assert "Archive" not in fitted.template["Resources"]


def test_what_names_a_resource_that_is_left_out_no_longer_does(fitted: Fitted) -> None:
    assert fitted.template["Resources"]["Table"]["DependsOn"] == ["Bus"]
    assert list(fitted.template["Outputs"]) == ["BusName"]


def test_an_unknown_type_without_a_reason_of_its_own_is_told_too() -> None:
    template = {"Resources": {"Map": {"Type": "AWS::Location::Map", "Properties": {}}}}
    assert fitting.leave_out_unknown(template, KNOWN_TYPES) == (
        LeftOut("Map", "AWS::Location::Map", "the emulator's CloudFormation doesn't know this type"),
    )


@pytest.mark.parametrize(
    "reference",
    [
        {"Ref": "Archive"},
        {"Fn::GetAtt": ["Archive", "Arn"]},
        {"Fn::GetAtt": "Archive.Arn"},
        {"Fn::Sub": "${Archive.Arn}"},
    ],
    ids=["Ref", "GetAtt", "GetAtt with a dot", "Sub"],
)
def test_a_resource_that_needs_one_that_is_left_out_is_an_error_naming_both(
    reference: dict[str, Any],
) -> None:
    template = {
        "Resources": {
            "Archive": {"Type": "AWS::Events::Archive", "Properties": {}},
            "Rule": {"Type": "AWS::Events::Rule", "Properties": {"Targets": [{"Arn": reference}]}},
        }
    }
    with pytest.raises(TemplateError, match=r"Rule refers to Archive \(AWS::Events::Archive\)"):
        fitting.leave_out_unknown(template, KNOWN_TYPES)


@pytest.mark.parametrize(
    "reference",
    [
        {"Ref": "Nowhere"},
        {"Fn::GetAtt": ["Nowhere", "Arn"]},
        {"Fn::Sub": ["${Nowhere.Arn}/${X}", {"X": "x"}]},
    ],
    ids=["Ref", "GetAtt", "Sub"],
)
@pytest.mark.parametrize("section", ["Resources", "Outputs"])
def test_a_name_that_the_template_does_not_have_is_an_error_naming_both(
    section: str, reference: dict[str, Any]
) -> None:
    template: fitting.Template = {"Resources": {}, "Outputs": {}}
    template[section]["Here"] = {"Type": "AWS::Events::Rule", "Value": reference}
    message = r"^Here refers to Nowhere, which is neither a resource nor a parameter of the template$"
    with pytest.raises(TemplateError, match=message):
        fitting.check_references(template)


def test_a_slip_in_a_name_is_told_before_anything_is_deployed(small: Path, uploads: Uploads) -> None:
    small.write_text(SMALL.replace("!GetAtt Bus.Arn", "!GetAtt Bsu.Arn"))
    with pytest.raises(TemplateError, match=r"^Archive refers to Bsu,"):
        fitting.fit(small, uploads, KNOWN_TYPES)


def test_parameters_pseudo_parameters_and_the_own_names_of_a_sub_are_there() -> None:
    sub = {"Fn::Sub": ["${Here} ${Size} ${X} ${AWS::Region} ${!Literal}", {"X": {"Ref": "AWS::StackName"}}]}
    fitting.check_references(
        {"Parameters": {"Size": {"Type": "String"}}, "Resources": {"Here": {"Properties": {"Name": sub}}}}
    )


def test_what_the_emulator_ignores_of_a_table_is_handed_on(fitted: Fitted) -> None:
    (table,) = fitted.tables
    assert table.logical_id == "Table"
    assert table.time_to_live == {"AttributeName": "expires_at", "Enabled": True}
    assert table.point_in_time_recovery == {"PointInTimeRecoveryEnabled": True}


def test_a_function_is_packaged_without_bytecode_and_a_layer_empty(fitted: Fitted, uploads: Uploads) -> None:
    assert uploads.files("Door.zip") == {"app.py": b"def handler(event, context): return None\n"}
    assert uploads.files("Layer.zip") == {"python/.keep": b""}
    (function,) = of_type(fitted.template, "AWS::Lambda::Function")
    assert function["Code"] == {"S3Bucket": "artifacts", "S3Key": "Door.zip"}


def test_a_function_whose_folder_is_missing_is_named(small: Path, uploads: Uploads) -> None:
    small.write_text(SMALL.replace("CodeUri: door", "CodeUri: window"))
    with pytest.raises(TemplateError, match=r"Door: its CodeUri .*window is not a folder"):
        fitting.fit(small, uploads, KNOWN_TYPES)


def test_a_function_that_sam_refuses_is_named_with_the_reason(
    small: Path, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    small.write_text(SMALL.replace("      Handler: app.handler\n", "      Handlers: app.handler\n"))
    with pytest.raises(TemplateError, match=r"\[Door\].*Handlers"):
        fitting.fit(small, uploads, KNOWN_TYPES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Resources: {", "not valid YAML"),
        ("[]", "it has no Resources"),
        ("Outputs: {}", "it has no Resources"),
        ("Resources: {Queue: }", "Queue has no Type"),
    ],
)
def test_a_file_that_is_no_template_is_told(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(content)
    with pytest.raises(TemplateError, match=message):
        fitting.read(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"absent\.yaml: No such file"):
        fitting.read(tmp_path / "absent.yaml")


def test_of_our_own_template_only_the_archive_and_the_bus_policies_are_left_out(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    ours = fitting.fit(TEMPLATE, uploads, KNOWN_TYPES)
    assert {resource.type for resource in ours.left_out} == {
        "AWS::Events::Archive",
        "AWS::Events::EventBusPolicy",
    }
    assert [route["RouteKey"] for route in of_type(ours.template, "AWS::ApiGatewayV2::Route")] == [
        "POST /webhooks/zoom"
    ]
    assert [table.time_to_live for table in ours.tables] == [{"AttributeName": "expires_at", "Enabled": True}]


def test_to_expand_templates_says_nothing_of_its_own() -> None:
    code = (
        "from pathlib import Path\n"
        "from cli.local.template import fit\n"
        "for _ in range(2):\n"
        f"    fit(Path({str(TEMPLATE)!r}), lambda name, _: 's3://bucket/' + name, frozenset())\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")

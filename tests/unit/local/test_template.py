"""How a SAM template is fitted to the emulator."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from local import template as fitting
from local.stack import TEMPLATE
from local.template import LeftOut, Template, TemplateError

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
      BillingMode: PAY_PER_REQUEST
  Layer:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layer}
  Api:
    Type: AWS::Serverless::HttpApi
  Function:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: folder
      Handler: app.handler
      Runtime: python3.13
      Role: arn:aws:iam::123456789012:role/function
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
    (tmp_path / "folder" / "__pycache__").mkdir(parents=True)
    (tmp_path / "folder" / "app.py").write_text("def handler(event, context): return None\n")
    (tmp_path / "folder" / "__pycache__" / "app.pyc").write_bytes(b"stale")
    path = tmp_path / "template.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture
def uploads() -> Uploads:
    return Uploads()


@pytest.fixture
def fitted(small: Path, uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> tuple[Template, list[LeftOut]]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")  # SAM asks for it
    return fitting.fit(small, uploads, KNOWN_TYPES)


@pytest.fixture
def template(fitted: tuple[Template, list[LeftOut]]) -> Template:
    return fitted[0]


def of_type(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in template["Resources"].values() if resource["Type"] == kind]


def test_openapi_path_becomes_integration_and_route(template: Template) -> None:
    (route,) = of_type(template, "AWS::ApiGatewayV2::Route")
    (integration,) = of_type(template, "AWS::ApiGatewayV2::Integration")
    assert route["RouteKey"] == "POST /webhooks/zoom"
    assert route["Target"] == {"Fn::Join": ["/", ["integrations", {"Ref": "ApiIntegration0"}]]}
    assert integration["IntegrationUri"] == {"Fn::GetAtt": ["Function", "Arn"]}
    assert integration["PayloadFormatVersion"] == "2.0"
    assert "Body" not in template["Resources"]["Api"]["Properties"]


def test_route_without_function_is_refused() -> None:
    body = {"paths": {"/x": {"get": {"x-amazon-apigateway-integration": {"uri": "https://example.com"}}}}}
    template = {"Resources": {"Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Body": body}}}}
    with pytest.raises(TemplateError, match=r"leads to no function.*example\.com"):
        fitting.expand_routes(template)


def test_default_route_and_any_method_are_translated() -> None:
    operation = {"x-amazon-apigateway-integration": {"uri": {"Fn::Sub": "arn:…/${Function.Arn}/invocations"}}}
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


def test_alarm_with_metric_math_watches_its_first_metric() -> None:
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
    fitting.simplify_alarms(template)
    alarms = {name: each["Properties"] for name, each in template["Resources"].items()}
    assert alarms == {
        "Computes": metric | {"Threshold": 1, "Period": 3600, "Statistic": "Sum"},
        "Plain": plain,
    }


def test_unknown_type_is_left_out_with_the_reason(fitted: tuple[Template, list[LeftOut]]) -> None:
    template, (left_out,) = fitted
    assert (left_out.logical_id, left_out.type) == ("Archive", "AWS::Events::Archive")
    assert "nothing can be replayed" in left_out.reason
    assert "Archive" not in template["Resources"]


def test_dependencies_and_outputs_of_left_out_resources_go(template: Template) -> None:
    assert template["Resources"]["Table"]["DependsOn"] == ["Bus"]
    assert list(template["Outputs"]) == ["BusName"]


def test_any_other_unknown_type_has_a_general_reason() -> None:
    template = {"Resources": {"Map": {"Type": "AWS::Location::Map", "Properties": {}}}}
    assert fitting.leave_out_unknown(template, KNOWN_TYPES) == [
        LeftOut("Map", "AWS::Location::Map", "the emulator's CloudFormation doesn't know this type"),
    ]


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
def test_reference_to_left_out_resource_names_both(
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
def test_reference_to_missing_name_names_both(section: str, reference: dict[str, Any]) -> None:
    template: fitting.Template = {"Resources": {}, "Outputs": {}}
    template[section]["Here"] = {"Type": "AWS::Events::Rule", "Value": reference}
    message = r"^Here refers to Nowhere, which is neither a resource nor a parameter of the template$"
    with pytest.raises(TemplateError, match=message):
        fitting.check_references(template)


def test_misspelled_name_is_an_error_before_deployment(small: Path, uploads: Uploads) -> None:
    small.write_text(SMALL.replace("!GetAtt Bus.Arn", "!GetAtt Bsu.Arn"))
    with pytest.raises(TemplateError, match=r"^Archive refers to Bsu,"):
        fitting.fit(small, uploads, KNOWN_TYPES)


def test_parameters_and_names_of_a_sub_are_known() -> None:
    sub = {"Fn::Sub": ["${Here} ${Size} ${X} ${AWS::Region} ${!Literal}", {"X": {"Ref": "AWS::StackName"}}]}
    fitting.check_references(
        {"Parameters": {"Size": {"Type": "String"}}, "Resources": {"Here": {"Properties": {"Name": sub}}}}
    )


def test_archives_have_no_bytecode_and_layers_are_empty(template: Template, uploads: Uploads) -> None:
    assert uploads.files("Function.zip") == {"app.py": b"def handler(event, context): return None\n"}
    assert uploads.files("Layer.zip") == {"python/.keep": b""}
    (function,) = of_type(template, "AWS::Lambda::Function")
    assert function["Code"] == {"S3Bucket": "artifacts", "S3Key": "Function.zip"}


def test_function_without_folder_is_named(small: Path, uploads: Uploads) -> None:
    small.write_text(SMALL.replace("CodeUri: folder", "CodeUri: missing"))
    with pytest.raises(TemplateError, match=r"Function: its CodeUri .*missing is not a folder"):
        fitting.fit(small, uploads, KNOWN_TYPES)


def test_function_that_sam_refuses_is_named(
    small: Path, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    small.write_text(SMALL.replace("      Handler: app.handler\n", "      Handlers: app.handler\n"))
    with pytest.raises(TemplateError, match=r"\[Function\].*Handlers"):
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
def test_broken_template_is_an_error_with_the_place(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(content)
    with pytest.raises(TemplateError, match=message):
        fitting.read(path)


def test_missing_template_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"absent\.yaml: No such file"):
        fitting.read(tmp_path / "absent.yaml")


def test_our_template_lacks_archive_and_bus_policies_only(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    ours, left_out = fitting.fit(TEMPLATE, uploads, KNOWN_TYPES)
    assert {resource.type for resource in left_out} == {
        "AWS::Events::Archive",
        "AWS::Events::EventBusPolicy",
    }
    assert [route["RouteKey"] for route in of_type(ours, "AWS::ApiGatewayV2::Route")] == [
        "POST /webhooks/zoom"
    ]


def test_expansion_prints_nothing() -> None:
    code = (
        "from pathlib import Path\n"
        "from local.template import fit\n"
        "for _ in range(2):\n"
        f"    fit(Path({str(TEMPLATE)!r}), lambda name, _: 's3://bucket/' + name, frozenset())\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")

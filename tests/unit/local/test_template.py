"""How a SAM template is fitted to the emulator."""

import io
import py_compile
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from local import template as fitting
from local.stack import ROOT, TEMPLATE
from local.template import LeftOut, TemplateError
from local.workarounds import known_resource_types

ARCHIVE, ALARM, QUEUE = "AWS::Events::Archive", "AWS::CloudWatch::Alarm", "AWS::SQS::Queue"
FUNCTION = "AWS::Serverless::Function"


def test_our_template_is_fitted() -> None:
    uploads: dict[str, list[str]] = {}
    py_compile.compile(str(ROOT / "functions/webhook/app.py"))  # stays out of the archive

    def upload(key: str, content: bytes) -> str:
        uploads[key] = zipfile.ZipFile(io.BytesIO(content)).namelist()
        return f"s3://artifacts/{key}"

    template, left_out = fitting.fit(TEMPLATE, upload, known_resource_types())
    assert {each.type: each.reason for each in left_out} == {
        ARCHIVE: "the emulator's CloudFormation has no archives: nothing can be replayed here",
    }
    names = ("WebhookApi", "WebhookApiRoute0", "WebhookApiIntegration0", "WebhookFunction")
    api, route, integration, function = (template["Resources"][name]["Properties"] for name in names)
    assert (route["RouteKey"], "Body" in api) == ("POST /webhooks/zoom", False)
    assert route["Target"] == {"Fn::Join": ["/", ["integrations", {"Ref": "WebhookApiIntegration0"}]]}
    assert integration["IntegrationUri"] == {"Fn::GetAtt": ["WebhookFunction", "Arn"]}
    assert integration["PayloadFormatVersion"] == "2.0"
    assert function["Code"] == {"S3Bucket": "artifacts", "S3Key": "WebhookFunction.zip"}
    assert (uploads["WebhookFunction.zip"], uploads["RuntimeLayer.zip"]) == (["app.py"], ["python/.keep"])


def test_expansion_prints_nothing() -> None:
    fit = "t.fit(t.Path('template.yaml'), lambda name, _: 's3://bucket/' + name, frozenset())"
    command = [sys.executable, "-c", f"import local.template as t\nfor _ in 1, 2: {fit}"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Resources: {", "template.yaml is not valid YAML"),
        *((content, "it has no Resources") for content in ("[]", "Outputs: {}")),
        ("Resources: {Queue: }", "Queue has no Type"),
        (f"Resources: {{F: {{Type: {FUNCTION}}}}}", r"\[F\] is invalid. Runtime and Handler needs"),
        (
            f"Resources: {{F: {{Type: {FUNCTION}, Properties: {{CodeUri: x}}}}}}",
            "F: its CodeUri .* is not a f",
        ),
        (
            f"Resources: {{Q: {{Type: {QUEUE}, Properties: {{A: !Ref B}}}}}}",
            "^Q refers to B, which is neither",
        ),
    ],
)
def test_broken_template_names_the_place(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "template.yaml"
    with pytest.raises(TemplateError, match=r"template\.yaml: No such file"):
        fitting.read(path)
    path.write_text(content)
    with pytest.raises(TemplateError, match=message):
        fitting.fit(path, lambda key, _: f"s3://a/{key}", {QUEUE})


def test_route_without_function_is_refused() -> None:
    operation = {"post": {"x-amazon-apigateway-integration": {"uri": "https://example.com"}}}
    api = {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Body": {"paths": {"/a": operation}}}}
    with pytest.raises(TemplateError, match=r"leads to no function.*example\.com"):
        fitting.expand_routes({"Resources": {"Api": api}})


def test_alarm_with_metric_math_watches_its_first_metric() -> None:
    metric = {"Namespace": "AWS/SQS", "MetricName": "NumberOfMessagesSent", "Dimensions": []}
    watched = {"Id": "sent", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": "Sum"}}
    computed = {"Threshold": 1, "Metrics": [{"Id": "none", "Expression": "IF(sent == 0, 1, 0)"}, watched]}
    plain = {"Namespace": "AWS/SQS", "MetricName": "Errors", "Threshold": 1}
    alarms = {"A": {"Type": ALARM, "Properties": computed}, "B": {"Type": ALARM, "Properties": {**plain}}}
    fitting.simplify_alarms({"Resources": alarms})
    expected = metric | {"Threshold": 1, "Period": 3600, "Statistic": "Sum"}
    assert [alarm["Properties"] for alarm in alarms.values()] == [expected, plain]


def test_unknown_type_goes_with_outputs_and_dependencies() -> None:
    queues = {"A": {"Type": QUEUE, "DependsOn": ["Map", "B"]}, "B": {"Type": QUEUE, "DependsOn": "Map"}}
    own = {"Own": {"Type": "Custom::Own"}}
    outputs = {"One": {"Value": {"Ref": "A"}}, "Two": {"Value": {"Fn::Sub": "a ${Map}"}}}
    template: dict[str, Any] = {
        "Resources": {"Map": {"Type": "AWS::L::Map"}, **queues, **own},
        "Outputs": outputs,
    }
    reason = "the emulator's CloudFormation doesn't know this type"
    assert fitting.leave_out_unknown(template, {QUEUE}) == [LeftOut("Map", "AWS::L::Map", reason)]
    rest = {"A": {"Type": QUEUE, "DependsOn": ["B"]}, "B": {"Type": QUEUE}}
    assert (template["Resources"], list(template["Outputs"])) == (rest | own, ["One"])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("Ref", "Other"),
        *(("Fn::GetAtt", value) for value in (["Other", "Arn"], "Other.Arn")),
        *(("Fn::Sub", value) for value in ("${Other.Arn}", ["${Other.Arn}/${X}", {"X": "x"}])),
    ],
)
def test_reference_to_a_missing_resource_names_both(kind: str, value: Any) -> None:
    sub = {"Fn::Sub": ["${Size} ${X} ${AWS::Region} ${!Literal}", {"X": {"Ref": "AWS::StackName"}}]}
    rule = {"Type": "Rule", "Properties": {"Targets": [{"Arn": {kind: value}}], "Name": sub}}
    template = {"Resources": {"Other": {"Type": ARCHIVE}, "Rule": rule}, "Parameters": {"Size": {}}}
    fitting.check_references(template)
    with pytest.raises(TemplateError, match=rf"^Rule refers to Other \({ARCHIVE}\), which the emulator"):
        fitting.leave_out_unknown(template, {"Rule"})
    for section in ("Resources", "Outputs"):
        with pytest.raises(TemplateError, match=r"^Rule refers to Other, which is neither a resource nor a"):
            fitting.check_references(template | {"Resources": {}, section: {"Rule": rule}})

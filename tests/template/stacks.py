"""The templates as CloudFormation gets them, in a short notation for tables of expected values."""

from functools import cache
from pathlib import Path
from typing import Any

from local.template import expand, package, read

ROOT = Path(__file__).parents[2]
BOOKINGS = ROOT / "template.yaml"
SUBSCRIBER = ROOT / "examples/subscriber/template.yaml"

DAY = 86_400  # seconds
WITHOUT_EFFECT = {"Description", "AlarmDescription", "DisplayName", "Tags", "Code", "Content"}

type Properties = dict[str, Any]


class Stack:
    """A template after SAM's transform. Intrinsic functions stay as they are."""

    def __init__(self, template: Properties) -> None:
        self.template = template
        self.resources: dict[str, Properties] = template["Resources"]

    def of_type(self, kind: str) -> dict[str, Properties]:
        """Returns the properties of all resources of a type, by logical name."""
        return {name: each["Properties"] for name, each in self.resources.items() if each["Type"] == kind}

    def plain(self, kind: str) -> dict[str, Properties]:
        """Returns the same without words for people and packages, in the short notation."""
        found = {name: plain(properties) for name, properties in self.of_type(kind).items()}
        return {
            name: {key: each[key] for key in each if key not in WITHOUT_EFFECT}
            for name, each in found.items()
        }


@cache
def stack(path: Path = BOOKINGS) -> Stack:
    template = read(path)
    package(template, path.parent, lambda name, _: f"s3://artifacts/{name}")
    return Stack(expand(template))


def listed(value: Any) -> list[Any]:
    """Returns a policy's value as a list."""
    return value if isinstance(value, list) else [value]


def plain(value: Any) -> Any:
    """Writes intrinsic functions as text: `!Queue`, `!Queue.Arn`, `!Sub ${Queue}-x`."""
    match value:
        case {"Ref": str(name), **rest} if not rest:
            return f"!{name}"
        case {"Fn::GetAtt": [str(name), str(attribute)], **rest} if not rest:
            return f"!{name}.{attribute}"
        case {"Fn::Sub": str(text), **rest} if not rest:
            return f"!Sub {text}"
        case dict():
            return {key: plain(each) for key, each in value.items()}
        case list():
            return [plain(each) for each in value]
        case _:
            return value


def sentence(statement: Properties) -> str:
    """Writes a policy's statement as one line, without its Sid."""
    rest = plain({key: value for key, value in statement.items() if key != "Sid"})
    words = [rest.pop("Effect"), *map(str, listed(rest.pop("Principal", [])))]
    words += [*listed(rest.pop("Action")), "on", *map(str, listed(rest.pop("Resource", "this")))]
    for operator, pairs in rest.pop("Condition", {}).items():
        words += [f"if {operator} {key} {','.join(listed(each))}" for key, each in pairs.items()]
    assert rest == {}
    return " ".join(words)


def sentences(document: Properties) -> list[str]:
    """Writes a policy's statements. The older language, which is the default, has no variables."""
    assert document["Version"] == "2012-10-17"
    assert all(statement["Sid"] for statement in document["Statement"])
    return [sentence(statement) for statement in document["Statement"]]


def grants(role: Properties) -> list[str]:
    """Writes the statements of a role, which has one policy and which only Lambda assumes."""
    ((_, document),) = [policy.values() for policy in role["Policies"]]
    trust = sentences(role["AssumeRolePolicyDocument"])
    assert trust == ["Allow {'Service': 'lambda.amazonaws.com'} sts:AssumeRole on this"]
    assert role.keys() - WITHOUT_EFFECT == {"AssumeRolePolicyDocument", "Policies"}
    return sentences(document)


# ── Shapes of both stacks ────────────────────────────────────────────────────────────────────────────────

# SQS's own encryption: EventBridge can't send with AWS's key for SQS. 1 MiB is SQS's largest message.
QUEUE = {"SqsManagedSseEnabled": True, "MaximumMessageSize": 1_048_576}
DLQ = QUEUE | {"MessageRetentionPeriod": 14 * DAY}


def source_queue(dlq: str, receives: int) -> Properties:
    redrive = {"deadLetterTargetArn": f"!{dlq}.Arn", "maxReceiveCount": receives}
    return QUEUE | {"MessageRetentionPeriod": 4 * DAY, "VisibilityTimeout": 60, "RedrivePolicy": redrive}


def rule(bus: str, queue: str, dlq: str, pattern: Properties) -> Properties:
    # EventBridge's longest age and most attempts.
    retry = {"MaximumEventAgeInSeconds": DAY, "MaximumRetryAttempts": 185}
    target = {
        "Id": queue,
        "Arn": f"!{queue}.Arn",
        "RetryPolicy": retry,
        "DeadLetterConfig": {"Arn": f"!{dlq}.Arn"},
    }
    return {"EventBusName": f"!{bus}", "EventPattern": pattern, "Targets": [target]}


def queue_mapping(queue: str, function: str) -> Properties:
    return {
        "EventSourceArn": f"!{queue}.Arn", "FunctionName": f"!{function}",
        "BatchSize": 10,  # SQS's most without a batching window
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 2},  # AWS's least: a new account has 10 in all
    }  # fmt: skip


def queue_policy(queue: str, sender: str | None = None) -> list[str]:
    """Returns the queue of a policy and its sentences: one rule sends, and everything is over TLS."""
    send = f"Allow {{'Service': 'events.amazonaws.com'}} sqs:SendMessage on !{queue}.Arn"
    tls = f"Deny * sqs:* on !{queue}.Arn if Bool aws:SecureTransport false"
    return [f"!{queue}", *([f"{send} if ArnEquals aws:SourceArn !{sender}.Arn"] if sender else []), tls]


def policies(path: Path, kind: str) -> dict[str, list[str]]:
    """Writes the resource policies of a type: their resources, and the sentences."""
    return {
        name: [*plain(policy.get("Queues") or policy["Topics"]), *sentences(policy["PolicyDocument"])]
        for name, policy in stack(path).of_type(kind).items()
    }


RINGING = {"ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": "notBreaching"}


def watch(alarm: Properties) -> str:
    """Writes an alarm's condition as one line, and checks the parts that all alarms share."""
    others = {"AlarmActions", "OKActions", "AlarmDescription"}
    rest = {key: alarm[key] for key in alarm.keys() - others}
    (dimension,) = rest.pop("Dimensions")
    periods = rest.pop("EvaluationPeriods")
    line = (
        f"{rest.pop('Namespace')} {rest.pop('MetricName')} {dimension['Name']}={dimension['Value']} "
        f"{rest.pop('Statistic')} >= {rest.pop('Threshold')} in {rest.pop('DatapointsToAlarm', periods)} "
        f"of {periods} x {rest.pop('Period')} s"
    )
    assert rest == RINGING
    return line

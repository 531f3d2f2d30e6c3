"""What must hold in each stack: a function each, which yields a sentence for each thing that breaks it."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER
from jsonschema import Draft7Validator

from tests.template.stacks import Stack, listed, logical, walked

Invariant = Callable[[Stack], Iterator[str]]

DAY = 86_400
LEAST_RECEIVES = 5  # AWS's advice for a queue that a function reads
MOST_RECEIVES = (
    10  # with growing waits an outage of an hour; what is wrong by itself shall not go on for ever
)
VISIBILITY_PER_TIMEOUT = 6  # AWS's advice, for retries of the poller
LEAST_CONCURRENCY = 2  # AWS's least for a mapping; new accounts have 10 for all their functions
BATCH_SIZE = 10  # messages: SQS's most without a waiting window; records: the entries of one PutEvents
POLICY_LANGUAGE = (
    "2012-10-17"  # the older one, which is the default, takes `${aws:PrincipalAccount}` literally
)

# What AWS leaves no other way for: actions without a resource of their own, and names that others choose.
STARS_AWS_FORCES = {("dynamodb:ListStreams", "*")}
OPEN_NAMES = {"SubscriberRulePolicy", "SubscriberTargetPolicy"}

# EventBridge wants a name for a bus. A log group has one to be found by; not its function's, as function,
# role and log group would each need another first.
NAMED = {
    ("AWS::Events::EventBus", "Name"),
    ("AWS::Logs::LogGroup", "LogGroupName"),
    ("AWS::Lambda::LayerVersion", "LayerName"),  # SAM's own
}
NAMES = {
    "Name", "FunctionName", "QueueName", "TableName", "RoleName", "TopicName", "AlarmName", "DashboardName",
    "ArchiveName", "LogGroupName", "LayerName", "BucketName",
}  # fmt: skip


def every_queue_that_is_read_has_a_dlq(stack: Stack) -> Iterator[str]:
    queues = stack.of_type("AWS::SQS::Queue")
    for name in stack.consumed_queues():
        redrive = queues[name].get("RedrivePolicy", {})
        if logical(redrive.get("deadLetterTargetArn")) not in stack.set_aside_queues():
            yield f"{name} has no DLQ in this stack"
        elif not LEAST_RECEIVES <= redrive["maxReceiveCount"] <= MOST_RECEIVES:
            yield f"{name} gives up after {redrive['maxReceiveCount']} receives"


def a_queue_that_is_no_dlq_refuses_to_be_one(stack: Stack) -> Iterator[str]:
    queues = stack.of_type("AWS::SQS::Queue")
    dlqs = {logical(queue.get("RedrivePolicy", {}).get("deadLetterTargetArn")) for queue in queues.values()}
    for name in stack.set_aside_queues() - dlqs:
        if queues[name].get("RedriveAllowPolicy") != {"redrivePermission": "denyAll"}:
            yield f"any queue of the account may make {name} its DLQ"


def rings_at_once(alarm: dict[str, Any], *, statistic: str, period_seconds: int) -> bool:
    """Says whether one period in which the metric is 1 or more sets an alarm off."""
    how = {
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": 1,
        "EvaluationPeriods": 1,
        "Statistic": statistic,
        "Period": period_seconds,
    }
    return how.items() <= alarm.items() and "DatapointsToAlarm" not in alarm


def every_queue_set_aside_rings_at_the_first_message(stack: Stack) -> Iterator[str]:
    watched = {
        logical(dimension["Value"])
        for alarm in stack.of_type("AWS::CloudWatch::Alarm").values()
        if (alarm.get("Namespace"), alarm.get("MetricName"))
        == ("AWS/SQS", "ApproximateNumberOfMessagesVisible")
        and rings_at_once(alarm, statistic="Maximum", period_seconds=60)
        for dimension in alarm["Dimensions"]
        if dimension["Name"] == "QueueName"
    }
    for name in stack.set_aside_queues() - watched:
        yield f"nobody is told of a message in {name}"


def what_is_set_aside_is_kept_for_two_weeks(stack: Stack) -> Iterator[str]:
    queues = stack.of_type("AWS::SQS::Queue")
    for name in stack.set_aside_queues():
        if queues[name].get("MessageRetentionPeriod") != 14 * DAY:
            yield f"{name} doesn't keep its messages for 14 days"
    for name in stack.consumed_queues():
        if queues[name].get("MessageRetentionPeriod") != 4 * DAY:
            yield f"{name} doesn't keep its messages for 4 days, which leaves its DLQ 10"


def every_queue_takes_the_largest_message(stack: Stack) -> Iterator[str]:
    for name, queue in stack.of_type("AWS::SQS::Queue").items():
        if queue.get("MaximumMessageSize") != 1024 * 1024:
            yield f"{name} doesn't take messages of 1 MiB"


def every_rule_retries_for_a_day_and_then_uses_its_queues_dlq(stack: Stack) -> Iterator[str]:
    queues = stack.of_type("AWS::SQS::Queue")
    for rule, properties in stack.of_type("AWS::Events::Rule").items():
        for target in properties["Targets"]:
            queue = logical(target["Arn"])
            if queue not in stack.consumed_queues():
                yield f"{rule} sends to something that is no queue read by a function"
                continue
            dlq = logical(queues[queue].get("RedrivePolicy", {}).get("deadLetterTargetArn"))
            if dlq is None or logical(target.get("DeadLetterConfig", {}).get("Arn")) != dlq:
                yield f"{rule} doesn't share the DLQ of {queue}"
            retries = target.get("RetryPolicy", {})
            if retries != {"MaximumEventAgeInSeconds": DAY, "MaximumRetryAttempts": 185}:
                yield f"{rule} doesn't retry for as long as EventBridge can"


def only_the_rule_of_a_queue_sends_to_it_and_to_its_dlq(stack: Stack) -> Iterator[str]:
    wanted = set()
    for rule, properties in stack.of_type("AWS::Events::Rule").items():
        for target in properties["Targets"]:
            for arn in (target["Arn"], target.get("DeadLetterConfig", {}).get("Arn")):
                wanted.add((logical(arn), rule))
    granted = set()
    for policy in stack.of_type("AWS::SQS::QueuePolicy").values():
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Allow":
                sender = logical(statement.get("Condition", {}).get("ArnEquals", {}).get("aws:SourceArn"))
                granted.add((logical(statement["Resource"]), sender))
                if statement["Principal"] != {"Service": "events.amazonaws.com"}:
                    yield f"{statement['Sid']} lets others than EventBridge send"
                if statement["Action"] != "sqs:SendMessage":
                    yield f"{statement['Sid']} allows more than to send"
    for queue, sender in wanted - granted:
        yield f"{sender} may not send to {queue}"
    for queue, sender in granted - wanted:
        yield f"{sender or 'anything of EventBridge'} may send to {queue} for no reason"


def queues_and_topics_are_only_for_tls(stack: Stack) -> Iterator[str]:
    closed = set()
    for kind, names, action in (
        ("AWS::SQS::QueuePolicy", "Queues", "sqs:*"),
        ("AWS::SNS::TopicPolicy", "Topics", "sns:Publish"),
    ):
        for policy in stack.of_type(kind).values():
            for statement in policy["PolicyDocument"]["Statement"]:
                if (
                    statement["Effect"] == "Deny"
                    and statement["Principal"] == "*"
                    and statement["Action"] == action
                    and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
                    and logical(statement["Resource"]) in [logical(name) for name in policy[names]]
                ):
                    closed.add(logical(statement["Resource"]))
    for name in (stack.of_type("AWS::SQS::Queue") | stack.of_type("AWS::SNS::Topic")).keys() - closed:
        yield f"{name} can be used without TLS"


def what_holds_bookings_is_encrypted(stack: Stack) -> Iterator[str]:
    for name, queue in stack.of_type("AWS::SQS::Queue").items():
        # Not with AWS's SQS key: EventBridge can't send to such a queue.
        if queue.get("SqsManagedSseEnabled") is not True or "KmsMasterKeyId" in queue:
            yield f"{name} isn't encrypted with SQS's own keys"
    for name, table in stack.of_type("AWS::DynamoDB::Table").items():
        if table.get("SSESpecification") != {"SSEEnabled": True}:
            yield f"{name} isn't encrypted with the account's key"


def every_table_can_be_restored(stack: Stack) -> Iterator[str]:
    for name, table in stack.of_type("AWS::DynamoDB::Table").items():
        if table.get("PointInTimeRecoverySpecification") != {"PointInTimeRecoveryEnabled": True}:
            yield f"{name} has no point-in-time recovery"


def every_mapping_reports_partial_failures(stack: Stack) -> Iterator[str]:
    for name, mapping in stack.mappings().items():
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name} retries a whole batch for one bad record"


def every_queue_mapping_bounds_its_concurrency(stack: Stack) -> Iterator[str]:
    for queue in stack.consumed_queues():
        for name, mapping in stack.mappings(queue).items():
            if mapping.get("ScalingConfig") != {"MaximumConcurrency": LEAST_CONCURRENCY}:
                yield f"{name} may take a new account's whole concurrency"


def every_mapping_takes_batches_that_need_no_waiting_window(stack: Stack) -> Iterator[str]:
    for name, mapping in stack.mappings().items():
        if mapping.get("BatchSize") != BATCH_SIZE:
            yield f"{name} takes {mapping.get('BatchSize')} at a time"


def a_message_stays_hidden_for_six_time_outs(stack: Stack) -> Iterator[str]:
    queues = stack.of_type("AWS::SQS::Queue")
    functions = stack.of_type("AWS::Lambda::Function")
    for queue in stack.consumed_queues():
        hidden = queues[queue].get("VisibilityTimeout", 30)
        for mapping in stack.mappings(queue).values():
            function = logical(mapping["FunctionName"])
            assert function is not None
            if hidden != VISIBILITY_PER_TIMEOUT * functions[function]["Timeout"]:
                # Longer, and what a crash left behind waits for no reason.
                yield f"{queue} hides a message for {hidden} s, not for six time-outs of {function}"


def every_function_rings_when_it_fails(stack: Stack) -> Iterator[str]:
    watched = {
        logical(dimension["Value"])
        for alarm in stack.of_type("AWS::CloudWatch::Alarm").values()
        if (alarm.get("Namespace"), alarm.get("MetricName")) == ("AWS/Lambda", "Errors")
        and rings_at_once(alarm, statistic="Sum", period_seconds=300)
        for dimension in alarm["Dimensions"]
        if dimension["Name"] == "FunctionName"
    }
    for name in stack.of_type("AWS::Lambda::Function").keys() - watched:
        yield f"nobody is told when {name} fails"


def every_alarm_says_what_to_do_and_to_whom(stack: Stack) -> Iterator[str]:
    for name, alarm in stack.of_type("AWS::CloudWatch::Alarm").items():
        if not alarm.get("AlarmDescription"):
            yield f"{name} says nothing"
        if not alarm.get("AlarmActions"):
            yield f"{name} tells nobody"
        if alarm.get("TreatMissingData") != "notBreaching":
            yield f"{name} rings for a service at rest"


def every_function_runs_on_the_same_runtime(stack: Stack) -> Iterator[str]:
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        if (function["Runtime"], function["Architectures"]) != ("python3.13", ["arm64"]):
            yield f"{name} runs on {function['Runtime']}, {function['Architectures']}"


def every_log_has_an_end(stack: Stack) -> Iterator[str]:
    for name, group in stack.of_type("AWS::Logs::LogGroup").items():
        if not group.get("RetentionInDays"):
            yield f"{name} is kept for ever"


def every_function_writes_a_log_of_its_own(stack: Stack) -> Iterator[str]:
    groups = stack.of_type("AWS::Logs::LogGroup")
    taken: set[str] = set()
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        group = logical(function.get("LoggingConfig", {}).get("LogGroup"))
        role = logical(function["Role"])
        writes = [
            logical(resource)
            for of_role, statement in stack.role_statements()
            if of_role == role
            and {"logs:CreateLogStream", "logs:PutLogEvents"} <= {*listed(statement["Action"])}
            for resource in listed(statement["Resource"])
        ]
        if group not in groups or group in taken:
            yield f"{name} has no log group of its own in this stack"
        elif writes != [group]:
            yield f"{role} may write to {writes}, not to the log of {name} alone"
        else:
            taken.add(group)


def every_function_has_a_role_of_its_own(stack: Stack) -> Iterator[str]:
    roles = [logical(function["Role"]) for function in stack.of_type("AWS::Lambda::Function").values()]
    for role in roles:
        if role not in stack.of_type("AWS::IAM::Role") or roles.count(role) > 1:
            yield f"{role} is shared, or not of this stack"


def roles_are_for_lambda_and_written_out(stack: Stack) -> Iterator[str]:
    for name, role in stack.of_type("AWS::IAM::Role").items():
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        if (trust["Principal"], trust["Action"]) != ({"Service": "lambda.amazonaws.com"}, "sts:AssumeRole"):
            yield f"{name} can be assumed by others than Lambda"
        if role.get("ManagedPolicyArns"):
            yield f"{name} has policies that AWS writes"
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::User"):
        for name in stack.of_type(kind):
            yield f"{name} grants something outside of the roles"


def nothing_is_allowed_on_a_star(stack: Stack) -> Iterator[str]:
    for name, statement in [*stack.role_statements(), *stack.resource_statements()]:
        if statement["Effect"] != "Allow":
            continue
        if statement.keys() & {"NotAction", "NotResource", "NotPrincipal"}:
            yield f"{name}: {statement['Sid']} allows all but something"
            continue
        if statement.get("Principal") in ("*", {"AWS": "*"}):
            yield f"{name}: {statement['Sid']} is for everyone"
        for action in listed(statement["Action"]):
            if "*" in action:
                yield f"{name}: {statement['Sid']} allows {action}"
            for resource in listed(statement.get("Resource", [])):
                star = isinstance(resource, str) and "*" in resource
                pattern = isinstance(resource, dict) and "*" in str(resource.get("Fn::Sub", ""))
                if (star and (action, resource) not in STARS_AWS_FORCES) or (
                    pattern and name not in OPEN_NAMES
                ):
                    yield f"{name}: {statement['Sid']} allows {action} on {resource}"


def a_service_is_let_in_for_named_resources_of_this_stack_only(stack: Stack) -> Iterator[str]:
    for name, statement in stack.resource_statements():
        role = name in stack.of_type("AWS::IAM::Role")  # its function needs it first, so it can't name it
        if statement["Effect"] != "Allow" or role or name in OPEN_NAMES:
            continue
        arns = listed(statement.get("Condition", {}).get("ArnEquals", {}).get("aws:SourceArn", []))
        if statement["Principal"].keys() != {"Service"}:
            yield f"{name}: {statement['Sid']} is for others than an AWS service"
        elif not arns or not {logical(arn) for arn in arns} <= stack.resources.keys():
            yield f"{name}: {statement['Sid']} lets in the service for whatever resource, anybody's"
    for name, permission in stack.of_type("AWS::Lambda::Permission").items():
        if "SourceArn" not in permission:
            yield f"{name} lets in the service for whatever resource, anybody's"


def every_statement_says_what_it_is_for(stack: Stack) -> Iterator[str]:
    for name, statement in [*stack.role_statements(), *stack.resource_statements()]:
        if not statement.get("Sid"):
            yield f"a statement of {name} has no Sid"


def every_statement_allows_but_those_that_want_tls(stack: Stack) -> Iterator[str]:
    without_tls = {"Bool": {"aws:SecureTransport": "false"}}
    for name, statement in [*stack.role_statements(), *stack.resource_statements()]:
        if statement["Effect"] != ("Deny" if statement.get("Condition") == without_tls else "Allow"):
            yield f"{name}: {statement.get('Sid')} is of the effect {statement['Effect']}"


def every_policy_is_written_in_the_newer_language(stack: Stack) -> Iterator[str]:
    for name, resource in stack.resources.items():
        for path, document in walked(resource):
            is_policy = isinstance(document, dict) and isinstance(document.get("Statement"), list)
            if is_policy and document.get("Version") != POLICY_LANGUAGE:
                yield f"{name}: {'.'.join(map(str, path))} is in the policy language of 2008"


def every_key_of_a_table_is_described_and_nothing_else(stack: Stack) -> Iterator[str]:
    for name, table in stack.of_type("AWS::DynamoDB::Table").items():
        keys = [
            table["KeySchema"],
            *(index["KeySchema"] for index in table.get("GlobalSecondaryIndexes", [])),
        ]
        wanted = {part["AttributeName"]: "S" for key in keys for part in key}
        described = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
        if described != wanted:
            yield f"{name} describes {described}, and has the keys {wanted}"
        if table.get("BillingMode") != "PAY_PER_REQUEST":
            yield f"{name} has a capacity that a flood of bookings may pass"


def every_reference_leads_somewhere(stack: Stack) -> Iterator[str]:
    known = stack.resources.keys() | stack.template.get("Parameters", {}).keys()
    conditions = stack.template.get("Conditions", {})
    parts = ("Resources", "Outputs", "Conditions")
    for path, value in walked({part: stack.template.get(part, {}) for part in parts}):
        place = ".".join(map(str, path))
        match value:
            case {} if not value and path[-1] != "responses":  # of a route, which SAM leaves empty
                yield f"{place} says nothing"
            case {"Ref": name} if name not in known and not str(name).startswith("AWS::"):
                yield f"{place} leads to {name}, which isn't there"
            case {"Fn::GetAtt": target} if not (
                isinstance(target, list) and len(target) == 2 and target[0] in stack.resources
            ):
                yield f"{place} leads to {target}"
            case {"Fn::Sub": text}:
                pattern, own = (text, {}) if isinstance(text, str) else (text[0], text[1] if text[1:] else {})
                for name in re.findall(r"\$\{([^!}.]+)", pattern):
                    if name not in known | own.keys() and not name.startswith("AWS::"):
                        yield f"{place} leads to {name}, which isn't there"
            case {"Fn::If": choice} if len(choice) != 3 or choice[0] not in conditions:
                yield f"{place} has no condition, or not both of its sides"
            case {"Type": str(), "Condition": str(name)} if name not in conditions:
                yield f"{place} depends on {name}, which isn't there"


@cache
def schema(kind: str) -> Draft7Validator:
    """Returns CloudFormation's own schema of a type, as cfn-lint has it."""
    return Draft7Validator(PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema)


def what_cloudformation_demands_is_there(stack: Stack) -> Iterator[str]:
    # The whole schema takes seconds (test_deployment.py); of what may be missing this is all there is to see.
    for name, resource in stack.resources.items():
        for error in schema(resource["Type"]).iter_errors(resource.get("Properties", {})):
            if error.validator == "required":
                yield f"{name}: {error.message}"


def nothing_has_a_physical_name(stack: Stack) -> Iterator[str]:
    for name, resource in stack.resources.items():
        for key in resource.get("Properties", {}).keys() & NAMES:
            is_reference = logical(resource["Properties"][key]) is not None
            if (resource["Type"], key) not in NAMED and not is_reference:
                yield f"{name} has the name {resource['Properties'][key]}"


INVARIANTS: tuple[Invariant, ...] = (
    every_queue_that_is_read_has_a_dlq,
    a_queue_that_is_no_dlq_refuses_to_be_one,
    every_queue_set_aside_rings_at_the_first_message,
    what_is_set_aside_is_kept_for_two_weeks,
    every_queue_takes_the_largest_message,
    every_rule_retries_for_a_day_and_then_uses_its_queues_dlq,
    only_the_rule_of_a_queue_sends_to_it_and_to_its_dlq,
    queues_and_topics_are_only_for_tls,
    what_holds_bookings_is_encrypted,
    every_table_can_be_restored,
    every_mapping_reports_partial_failures,
    every_queue_mapping_bounds_its_concurrency,
    every_mapping_takes_batches_that_need_no_waiting_window,
    a_message_stays_hidden_for_six_time_outs,
    every_function_rings_when_it_fails,
    every_alarm_says_what_to_do_and_to_whom,
    every_function_runs_on_the_same_runtime,
    every_log_has_an_end,
    every_function_writes_a_log_of_its_own,
    every_function_has_a_role_of_its_own,
    roles_are_for_lambda_and_written_out,
    nothing_is_allowed_on_a_star,
    a_service_is_let_in_for_named_resources_of_this_stack_only,
    every_statement_says_what_it_is_for,
    every_statement_allows_but_those_that_want_tls,
    every_policy_is_written_in_the_newer_language,
    every_key_of_a_table_is_described_and_nothing_else,
    every_reference_leads_somewhere,
    what_cloudformation_demands_is_there,
    nothing_has_a_physical_name,
)
"""Of every stack of this project."""

Broken = tuple[Invariant, str, Any]

BROKEN: tuple[Broken, ...] = (
    (every_queue_that_is_read_has_a_dlq, "BookingCreatedQueue.Properties.RedrivePolicy", None),
    (every_queue_that_is_read_has_a_dlq, "BookingCreatedQueue.Properties.RedrivePolicy.maxReceiveCount", 1),
    (every_queue_set_aside_rings_at_the_first_message, "QuarantineAlarm", None),
    (every_queue_set_aside_rings_at_the_first_message, "BookingCanceledDLQAlarm", None),
    (every_queue_set_aside_rings_at_the_first_message, "BookingEventsDLQAlarm.Properties.Threshold", 10),
    (every_queue_set_aside_rings_at_the_first_message, "BookingCreatedFunctionDeliveries", None),
    (what_is_set_aside_is_kept_for_two_weeks, "QuarantineQueue.Properties.MessageRetentionPeriod", None),
    (
        what_is_set_aside_is_kept_for_two_weeks,
        "BookingCreatedQueue.Properties.MessageRetentionPeriod",
        1209600,
    ),
    (every_queue_takes_the_largest_message, "BookingCreatedDLQ.Properties.MaximumMessageSize", 262144),
    (
        every_rule_retries_for_a_day_and_then_uses_its_queues_dlq,
        "BookingCreatedRule.Properties.Targets.0.DeadLetterConfig",
        None,
    ),
    (
        every_rule_retries_for_a_day_and_then_uses_its_queues_dlq,
        "BookingCreatedRule.Properties.Targets.0.DeadLetterConfig.Arn",
        {"Fn::GetAtt": ["BookingCanceledDLQ", "Arn"]},
    ),
    (
        every_rule_retries_for_a_day_and_then_uses_its_queues_dlq,
        "BookingCanceledRule.Properties.Targets.0.RetryPolicy",
        None,
    ),
    (
        every_rule_retries_for_a_day_and_then_uses_its_queues_dlq,
        "BookingCanceledRule.Properties.Targets.0.Arn",
        {"Fn::GetAtt": ["QuarantineQueue", "Arn"]},
    ),
    (
        only_the_rule_of_a_queue_sends_to_it_and_to_its_dlq,
        "BookingCreatedQueuePolicy.Properties.PolicyDocument.Statement.0",
        None,
    ),
    (
        only_the_rule_of_a_queue_sends_to_it_and_to_its_dlq,
        "BookingCreatedDLQPolicy.Properties.PolicyDocument.Statement.0.Condition",
        None,
    ),
    (
        only_the_rule_of_a_queue_sends_to_it_and_to_its_dlq,
        "BookingCreatedDLQPolicy.Properties.PolicyDocument.Statement.0.Principal",
        {"AWS": "*"},
    ),
    (
        only_the_rule_of_a_queue_sends_to_it_and_to_its_dlq,
        "BookingCanceledQueuePolicy.Properties.PolicyDocument.Statement.0.Action",
        "sqs:*",
    ),
    (queues_and_topics_are_only_for_tls, "QuarantineQueuePolicy", None),
    (queues_and_topics_are_only_for_tls, "AlarmTopicPolicy.Properties.PolicyDocument.Statement.1", None),
    (
        queues_and_topics_are_only_for_tls,
        "BookingEventsDLQPolicy.Properties.PolicyDocument.Statement.0.Condition.Bool",
        {"aws:SecureTransport": "true"},
    ),
    (what_holds_bookings_is_encrypted, "BookingEventsDLQ.Properties.SqsManagedSseEnabled", None),
    (what_holds_bookings_is_encrypted, "BookingsTable.Properties.SSESpecification", None),
    (every_table_can_be_restored, "BookingsTable.Properties.PointInTimeRecoverySpecification", None),
    (
        every_mapping_reports_partial_failures,
        "BookingCanceledFunctionDeliveries.Properties.FunctionResponseTypes",
        None,
    ),
    (
        every_mapping_reports_partial_failures,
        "BookingEventsFunctionChanges.Properties.FunctionResponseTypes",
        [],
    ),
    (
        every_queue_mapping_bounds_its_concurrency,
        "BookingCreatedFunctionDeliveries.Properties.ScalingConfig",
        None,
    ),
    (
        every_mapping_takes_batches_that_need_no_waiting_window,
        "BookingCreatedFunctionDeliveries.Properties.BatchSize",
        11,
    ),
    (a_message_stays_hidden_for_six_time_outs, "BookingCreatedQueue.Properties.VisibilityTimeout", 59),
    (a_message_stays_hidden_for_six_time_outs, "BookingCanceledFunction.Properties.Timeout", 11),
    (every_function_rings_when_it_fails, "WebhookErrorAlarm", None),
    (every_function_rings_when_it_fails, "BookingEventsErrorAlarm.Properties.MetricName", "Throttles"),
    (every_alarm_says_what_to_do_and_to_whom, "FallbackUsedAlarm.Properties.AlarmActions", []),
    (every_alarm_says_what_to_do_and_to_whom, "FallbackUsedAlarm.Properties.AlarmDescription", None),
    (every_alarm_says_what_to_do_and_to_whom, "FallbackUsedAlarm.Properties.TreatMissingData", None),
    (every_function_runs_on_the_same_runtime, "WebhookFunction.Properties.Runtime", "python3.12"),
    (every_log_has_an_end, "WebhookApiLogGroup.Properties.RetentionInDays", None),
    (every_function_writes_a_log_of_its_own, "WebhookFunction.Properties.LoggingConfig", None),
    (
        every_function_writes_a_log_of_its_own,
        "WebhookFunction.Properties.LoggingConfig.LogGroup",
        {"Ref": "BookingCreatedLogGroup"},
    ),
    (
        every_function_writes_a_log_of_its_own,
        "WebhookRole.Properties.Policies.0.PolicyDocument.Statement.3.Resource",
        {"Fn::GetAtt": ["BookingCreatedLogGroup", "Arn"]},
    ),
    (
        every_function_has_a_role_of_its_own,
        "BookingCanceledFunction.Properties.Role",
        {"Fn::GetAtt": ["BookingCreatedRole", "Arn"]},
    ),
    (
        roles_are_for_lambda_and_written_out,
        "WebhookRole.Properties.AssumeRolePolicyDocument.Statement.0.Principal",
        {"AWS": "*"},
    ),
    (
        nothing_is_allowed_on_a_star,
        "WebhookRole.Properties.Policies.0.PolicyDocument.Statement.0.Resource",
        "*",
    ),
    (
        nothing_is_allowed_on_a_star,
        "WebhookRole.Properties.Policies.0.PolicyDocument.Statement.2.Resource",
        [{"Fn::Sub": "arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:*"}],
    ),
    (
        nothing_is_allowed_on_a_star,
        "BookingCreatedRole.Properties.Policies.0.PolicyDocument.Statement.1.Action",
        "dynamodb:*",
    ),
    (
        nothing_is_allowed_on_a_star,
        "AlarmTopicPolicy.Properties.PolicyDocument.Statement.0.Principal",
        "*",
    ),
    (
        nothing_is_allowed_on_a_star,
        "BookingCreatedRole.Properties.Policies.0.PolicyDocument.Statement.1",
        {"Sid": "x", "Effect": "Allow", "NotAction": "dynamodb:DeleteItem", "Resource": {"Ref": "x"}},
    ),
    (
        a_service_is_let_in_for_named_resources_of_this_stack_only,
        "AlarmTopicPolicy.Properties.PolicyDocument.Statement.0.Condition.ArnEquals",
        None,
    ),
    (
        a_service_is_let_in_for_named_resources_of_this_stack_only,
        "BookingCreatedQueuePolicy.Properties.PolicyDocument.Statement.0.Condition.ArnEquals",
        {"aws:SourceArn": {"Fn::Sub": "arn:aws:events:${AWS::Region}:${AWS::AccountId}:rule/*"}},
    ),
    (
        a_service_is_let_in_for_named_resources_of_this_stack_only,
        "BookingCanceledDLQPolicy.Properties.PolicyDocument.Statement.0.Principal",
        {"AWS": {"Ref": "AWS::AccountId"}},
    ),
    (
        a_service_is_let_in_for_named_resources_of_this_stack_only,
        "WebhookFunctionZoomDeliveryPermission.Properties.SourceArn",
        None,
    ),
    (
        every_statement_says_what_it_is_for,
        "BookingEventsRole.Properties.Policies.0.PolicyDocument.Statement.1.Sid",
        None,
    ),
    (a_queue_that_is_no_dlq_refuses_to_be_one, "QuarantineQueue.Properties.RedriveAllowPolicy", None),
    (
        every_statement_allows_but_those_that_want_tls,
        "WebhookRole.Properties.Policies.0.PolicyDocument.Statement.0.Effect",
        "Deny",
    ),
    (
        every_policy_is_written_in_the_newer_language,
        "WebhookRole.Properties.Policies.0.PolicyDocument.Version",
        None,
    ),
    (
        every_policy_is_written_in_the_newer_language,
        "AlarmTopicPolicy.Properties.PolicyDocument.Version",
        None,
    ),
    (
        every_key_of_a_table_is_described_and_nothing_else,
        "BookingsTable.Properties.AttributeDefinitions.2.AttributeType",
        "N",
    ),
    (every_key_of_a_table_is_described_and_nothing_else, "BookingsTable.Properties.BillingMode", None),
    (every_reference_leads_somewhere, "BookingBus", None),
    (every_reference_leads_somewhere, "AlarmEmailSubscription.Condition", "AlarmsGoByLetter"),
    (every_reference_leads_somewhere, "BookingBus.Properties.Name", {"Fn::Sub": "${Stack}-bookings"}),
    (every_reference_leads_somewhere, "BookingCreatedRule.Properties.Targets.0.Arn.Fn::GetAtt.1", None),
    (every_reference_leads_somewhere, "WebhookFunction.Properties.LoggingConfig", {}),
    (what_cloudformation_demands_is_there, "WebhookApiApiGatewayDefaultStage.Properties.StageName", None),
    (nothing_has_a_physical_name, "BookingsTable.Properties", {"TableName": "bookings"}),
    (
        nothing_has_a_physical_name,
        "WebhookRole.Properties",
        {"RoleName": {"Fn::Sub": "${AWS::StackName}-webhook"}},
    ),
)
"""Each invariant with a protection it must miss: its path in the bookings stack, and what replaces it."""

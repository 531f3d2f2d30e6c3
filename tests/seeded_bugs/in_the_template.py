"""Bugs in the templates: what only AWS would show, and the day it is needed."""

from tests.seeded_bugs.bugs import Replace, SeededBug, by_tests

TEMPLATE = "template.yaml"
SUBSCRIBER = "examples/subscriber/template.yaml"

BUGS = (
    SeededBug(
        name="a-rule-has-no-dlq",
        why="Its queue has one.",
        rows=(15,),
        replacements=(
            Replace(
                TEMPLATE,
                "          DeadLetterConfig:\n            Arn: !GetAtt BookingCreatedDLQ.Arn\n",
                "",
            ),
        ),
        caught_by=by_tests(
            "template/test_bookings_stack.py::"
            "test_what_a_rule_may_not_send_to_its_queue_it_sends_to_the_dlq_which_rings"
        ),
    ),
    SeededBug(
        name="a-rule-may-not-send-to-its-dlq",
        why="The queue's policy names the queue, and the DLQ is thought to belong to it.",
        rows=(15,),
        replacements=(
            Replace(
                TEMPLATE,
                "            Resource: !GetAtt BookingCanceledDLQ.Arn\n"
                "            Condition: { ArnEquals: { aws:SourceArn: !GetAtt BookingCanceledRule.Arn } }\n",
                "            Resource: !GetAtt BookingCanceledDLQ.Arn\n"
                "            Condition: { ArnEquals: { aws:SourceArn: !GetAtt BookingCreatedRule.Arn } }\n",
            ),
        ),
        caught_by=by_tests(
            "template/test_bookings_stack.py::"
            "test_what_a_rule_may_not_send_to_its_queue_it_sends_to_the_dlq_which_rings"
        ),
    ),
    SeededBug(
        name="one-message-in-a-dlq-is-no-alarm",
        why="A few may wait for the morning; each of them is a booking.",
        rows=(15, 20),
        replacements=(
            Replace(
                TEMPLATE,
                "Dimensions: [{ Name: QueueName, Value: !GetAtt BookingCanceledDLQ.QueueName }]\n"
                "      Statistic: Maximum\n      Period: 60  # seconds\n      EvaluationPeriods: 1\n"
                "      ComparisonOperator: GreaterThanOrEqualToThreshold\n      Threshold: 1 ",
                "Dimensions: [{ Name: QueueName, Value: !GetAtt BookingCanceledDLQ.QueueName }]\n"
                "      Statistic: Maximum\n      Period: 60  # seconds\n      EvaluationPeriods: 1\n"
                "      ComparisonOperator: GreaterThanOrEqualToThreshold\n      Threshold: 10 ",
            ),
        ),
        caught_by=by_tests(
            "template/test_bookings_stack.py::test_the_first_message_that_is_set_aside_rings",
            "template/test_bookings_stack.py::"
            "test_what_a_rule_may_not_send_to_its_queue_it_sends_to_the_dlq_which_rings",
        ),
    ),
    SeededBug(
        name="a-queue-gives-up-after-three-receives",
        why="The value in every example; an outage of five minutes fills the DLQ.",
        rows=(19, 20, 22),
        replacements=(
            Replace(
                TEMPLATE,
                "deadLetterTargetArn: !GetAtt BookingCreatedDLQ.Arn\n        maxReceiveCount: 10",
                "deadLetterTargetArn: !GetAtt BookingCreatedDLQ.Arn\n        maxReceiveCount: 3",
            ),
        ),
        caught_by=by_tests(
            "template/test_bookings_stack.py::test_each_handler_has_its_own_queue",
            "adapters/test_handlers.py::"
            "test_a_bug_brings_its_record_back_ten_times_and_then_into_the_dlq_while_others_go_on",
        ),
    ),
    SeededBug(
        name="a-dlq-keeps-as-long-as-its-queue",
        why="Four days are the default; a message keeps its age, so it is gone when it arrives.",
        rows=(45,),
        replacements=(
            Replace(
                TEMPLATE,
                "  BookingCreatedDLQ:\n    Type: AWS::SQS::Queue\n    Properties:\n"
                "      SqsManagedSseEnabled: true\n"
                "      MaximumMessageSize: 1048576  # bytes: SQS's largest\n"
                "      MessageRetentionPeriod: 1209600",
                "  BookingCreatedDLQ:\n    Type: AWS::SQS::Queue\n    Properties:\n"
                "      SqsManagedSseEnabled: true\n"
                "      MaximumMessageSize: 1048576  # bytes: SQS's largest\n"
                "      MessageRetentionPeriod: 345600",
            ),
        ),
        caught_by=by_tests(
            "template/test_bookings_stack.py::"
            "test_a_message_can_be_redriven_for_two_weeks_from_its_first_arrival"
        ),
    ),
    SeededBug(
        name="the-stream-gives-up-after-three-tries",
        why="A record that fails three times fails for ever; the bus may be down for an hour.",
        rows=(12,),
        replacements=(Replace(TEMPLATE, "MaximumRetryAttempts: -1", "MaximumRetryAttempts: 3"),),
        caught_by=by_tests(
            "template/test_bookings_stack.py::test_the_stream_waits_for_the_bus_as_long_as_it_can"
        ),
    ),
    SeededBug(
        name="a-handler-may-only-write-to-the-table",
        why="Its write reads too; a read of its own is so rare that none is missed for months.",
        rows=(),
        replacements=(
            Replace(
                TEMPLATE,
                "                Resource: !GetAtt BookingCanceledQueue.Arn\n"
                "              - Sid: ReadAndWriteBookings\n"
                "                Effect: Allow\n"
                "                Action: [dynamodb:GetItem, dynamodb:PutItem]\n",
                "                Resource: !GetAtt BookingCanceledQueue.Arn\n"
                "              - Sid: ReadAndWriteBookings\n"
                "                Effect: Allow\n"
                "                Action: dynamodb:PutItem\n",
            ),
        ),
        caught_by=by_tests(
            "template/test_bookings_stack.py::test_a_role_may_do_what_its_function_does_and_no_more"
        ),
    ),
    SeededBug(
        name="nobody-is-told-of-a-wrong-secret",
        why="Forgeries come every day; so would the alarm.",
        rows=(28,),
        replacements=(
            Replace(
                TEMPLATE, "      MetricName: SignatureMismatch\n", "      MetricName: SignatureMalformed\n"
            ),
        ),
        caught_by=by_tests(
            "template/test_metrics.py::test_what_a_person_must_hear_of_is_watched",
            "template/test_metrics.py::test_a_secret_changed_at_zoom_first_rings_and_one_forgery_does_not",
        ),
    ),
    SeededBug(
        name="a-subscriber-has-no-dlq",
        why="What it can't take comes back until it can.",
        rows=(48,),
        replacements=(
            Replace(
                SUBSCRIBER,
                "      RedrivePolicy:\n        deadLetterTargetArn: !GetAtt SubscriberDLQ.Arn\n"
                "        maxReceiveCount: 5  # receives, AWS's least for a queue that a function reads\n",
                "",
            ),
        ),
        caught_by=by_tests(
            "template/test_events.py::"
            "test_a_subscriber_waits_in_a_queue_of_its_own_and_fails_into_a_dlq_of_its_own"
        ),
    ),
    SeededBug(
        name="a-subscriber-is-called-by-the-bus-itself",
        why="A queue more is a queue to be paid; while its code is broken, its events are lost after a day.",
        rows=(48,),
        replacements=(
            Replace(
                SUBSCRIBER,
                "        - Id: SubscriberQueue\n          Arn: !GetAtt SubscriberQueue.Arn\n",
                "        - Id: SubscriberQueue\n          Arn: !GetAtt SubscriberFunction.Arn\n",
            ),
        ),
        caught_by=by_tests(
            "template/test_events.py::"
            "test_a_subscriber_waits_in_a_queue_of_its_own_and_fails_into_a_dlq_of_its_own"
        ),
    ),
    SeededBug(
        name="canceled-deliveries-are-not-looked-for",
        why="Every booking begins with a created; a day of nothing but cancels then rings.",
        rows=(14,),
        replacements=(Replace(TEMPLATE, "created + canceled == 0", "created == 0"),),
        caught_by=by_tests("template/test_metrics.py::test_deliveries_that_come_out_nowhere_ring"),
    ),
)

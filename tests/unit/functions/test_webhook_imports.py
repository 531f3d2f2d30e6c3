"""The webhook imports nothing that would make its cold start longer."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # refuses connections
    "POWERTOOLS_SERVICE_NAME": "tests",
    "POWERTOOLS_METRICS_NAMESPACE": "tests",
    "EVENT_BUS_ARN": "arn:aws:events:us-east-1:123456789012:event-bus/bookings",
    "FAN_OUT": "EventBridge",
    "BOOKING_CREATED_QUEUE_URL": "https://queue/created",
    "BOOKING_CANCELED_QUEUE_URL": "https://queue/canceled",
    "QUARANTINE_QUEUE_URL": "https://queue/quarantine",
    "ZOOM_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:zoom",
    "SIGNATURE_TOLERANCE_SECONDS": "300",
}

# Each with all modules below it.
NOT_NEEDED = (
    *("bookings.aws.table", "bookings.batch", "bookings.domain.events"),
    *("bookings.use_cases.announce", "bookings.use_cases.record"),
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.utilities.batch",
    "aws_lambda_powertools.utilities.data_classes",
    "aws_lambda_powertools.utilities.idempotency",
    "aws_lambda_powertools.utilities.parser",
    "aws_xray_sdk",  # Powertools' package always imports its own part of the tracing
    *("hypothesis", "moto", "pytest"),
)


def imported(module: str) -> set[str]:
    """Returns the modules of a fresh process after it has imported one."""
    code = f"import sys, {module}\nprint(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_webhook_imports_only_modules_that_it_uses() -> None:
    modules = imported("functions.webhook.app")
    assert {"aws_lambda_powertools.metrics", "boto3", "bookings.use_cases.receive", "pydantic"} <= modules
    unwanted = {name for name in modules for each in NOT_NEEDED if f"{name}.".startswith(f"{each}.")}
    assert unwanted == set()

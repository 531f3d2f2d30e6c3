"""The same webhook as Powertools' documentation and AWS's samples would have it, all batteries in.

HTTP resolver, Logger, Tracer, Metrics, parser with models of e-mail and URL types, the secret by
`parameters`, boto3 made at import. Sources: the pages of these utilities in the Powertools documentation,
read 2026-11-25.
"""

import hashlib
import hmac
import os
import time

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.parser import parse
from models import SchedulerEvent
from pydantic import ValidationError

logger = Logger()
tracer = Tracer()
metrics = Metrics()
app = APIGatewayHttpResolver()
events = boto3.client("events")

TOLERANCE_SECONDS = 300


@tracer.capture_method
def verify(headers: dict[str, str], body: str) -> bool:
    secret = parameters.get_secret(os.environ["ZOOM_SECRET_ARN"], max_age=300)
    timestamp = headers.get("x-zm-request-timestamp", "")
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    digest = hmac.new(str(secret).encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(f"v0={digest}", headers.get("x-zm-signature", ""))


@tracer.capture_method
def publish(name: str, body: str) -> None:
    entry = {"EventBusName": os.environ["EVENT_BUS_ARN"], "Source": "zoom.scheduler", "DetailType": name}
    answer = events.put_events(Entries=[{**entry, "Detail": body}])
    if answer["FailedEntryCount"]:
        raise RuntimeError("not published")


@app.post("/webhooks/zoom")
@tracer.capture_method
def receive() -> Response:
    body = app.current_event.body or ""
    if not verify(app.current_event.headers, body):
        metrics.add_metric(name="SignatureMismatch", unit=MetricUnit.Count, value=1)
        return Response(401, content_type="application/json", body='{"message": "unauthorized"}')
    try:
        event = parse(event=body, model=SchedulerEvent)
    except ValidationError as error:
        return Response(400, content_type="application/json", body=error.json())
    publish(event.event, body)
    metrics.add_metric(name="DeliveryPublished", unit=MetricUnit.Count, value=1)
    logger.info("published", extra={"zoom_event": event.event})
    return Response(200, content_type="application/json", body=body)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event, context):
    return app.resolve(event, context)

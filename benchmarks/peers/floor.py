"""The bare floor: the least a receiver in Python can do. It verifies and answers, and publishes nothing."""

import hashlib
import hmac
import json
import os


def lambda_handler(event, _context):
    headers = event["headers"]
    content = f"v0:{headers['x-zm-request-timestamp']}:{event['body']}".encode()
    expected = (
        "v0=" + hmac.new(os.environb[b"ZOOM_WEBHOOK_SECRET_TOKEN"], content, hashlib.sha256).hexdigest()
    )
    if not hmac.compare_digest(expected, headers["x-zm-signature"]):
        return {"statusCode": 401}
    json.loads(event["body"])
    return {"statusCode": 200, "body": event["body"]}

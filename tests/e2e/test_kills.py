"""Lambda's processes, killed in the middle of their work: nothing is lost, and nothing is doubled."""

import os
import signal
from http.server import BaseHTTPRequestHandler

import pytest
import urllib3

from tests.e2e.stack import Stack, history, served
from tests.samples import created


class KillingProxy(BaseHTTPRequestHandler):
    """Passes calls on to AWS. Kills the function when its n-th call succeeded, before it has the answer."""

    stack: Stack
    function: str
    calls_left: int

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        url, headers = self.stack.url + self.path, dict(self.headers.items())
        answer = urllib3.request("POST", url, body=body, headers=headers, retries=False)
        KillingProxy.calls_left -= 1
        if self.calls_left == 0:
            for process in self.stack.processes(f"{self.function}Function"):
                os.kill(process, signal.SIGKILL)
        self.send_response_only(answer.status)
        for name in ("content-type", "content-length"):
            self.send_header(name, answer.headers[name])
        self.end_headers()
        self.wfile.write(answer.data)


# failure matrix: 8, 9, 16, 24, 25, 27
@pytest.mark.parametrize(
    ("function", "service", "calls"),
    [("Webhook", "EVENTBRIDGE", 4), ("BookingCreated", "DYNAMODB", 4), ("BookingEvents", "EVENTBRIDGE", 1)],
)
def test_killed_process_loses_and_doubles_nothing(
    stack: Stack, event_id: str, function: str, service: str, calls: int
) -> None:
    ids = [f"{event_id}-{n}" for n in range(10)]
    KillingProxy.stack, KillingProxy.function, KillingProxy.calls_left = stack, function, calls
    with (
        stack.redelivery(stack.outputs["BookingCreatedQueueUrl"], seconds=3),
        served(KillingProxy) as url,
        stack.environment(f"{function}Function", **{f"AWS_ENDPOINT_URL_{service}": url}),
    ):
        with stack.paused("BookingCreatedFunction"):  # so that they are one batch
            answers = {each: stack.post(created(event_id=each)) for each in ids}
            failed = [each for each, answer in answers.items() if answer.status != 200]
            assert failed == ([ids[calls - 1]] if function == "Webhook" else [])
            answers |= {each: stack.post(created(event_id=each)) for each in failed}  # Zoom's retries
        outcomes = [stack.outcome(answer) for answer in answers.values()]
        events = stack.events(*ids)
    assert KillingProxy.calls_left <= 0
    assert {answer.status for answer in answers.values()} == {200}
    assert set(outcomes) <= {"BookingWritten", "Duplicate"}
    assert [item["revision"] for item in stack.items(*ids)] == [1] * len(ids)
    assert set(history(events)) == {"1 BookingCreated"}
    bookings = {event["metadata"]["id"]: event["booking"]["event_id"] for event in events}
    assert sorted(bookings.values()) == sorted(ids)

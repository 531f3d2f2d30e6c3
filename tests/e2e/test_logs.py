"""No log contains personal data or a secret, of any test of this folder. Runs last."""

import re

from tests.e2e.stack import Headers, Stack, wait_for
from tests.samples import canceled, created, raw

CANARY = "kanarie"
PERSONAL = (CANARY, "@example.com", "ann example", "hal host", "958000", "zoom.us/", "first meeting")


# failure matrix: 43
def test_logs_contain_nothing_personal(stack: Stack, event_id: str) -> None:
    headers: Headers = dict.fromkeys(("user-agent", "authorization", "clientid"), CANARY)
    texts = [raw(each).decode() for each in (created(event_id=event_id), canceled(event_id=event_id))]
    bodies = [re.sub(r'"(?!event)(\w+)": "', rf'"\1": "{CANARY} ', text).encode() for text in texts]
    for body in bodies:
        assert stack.deliver(body, headers) == "BookingWritten"
    assert len(stack.events(event_id)) == 2
    unusable = [CANARY.encode(), f'{{"event": "{CANARY}", "{CANARY}": NaN}}'.encode()]
    unusable.append(raw(created() | {"payload": {CANARY: CANARY, "object": [CANARY]}}))
    assert [stack.post(body, headers=headers).status for body in unusable] == [400, 400, 400]
    assert stack.post(created() | {"event": CANARY}).status == 204
    assert stack.post(created(), secret=f"{CANARY} as a token").status == 401
    assert stack.post(created(event_id=event_id), headers={"x-zm-request-id": f"{CANARY} !"}).status == 200
    queue, dlq = stack.outputs["BookingCreatedQueueUrl"], stack.outputs["BookingCreatedDLQUrl"]
    with stack.redelivery(queue, receives=1):
        stack.send(queue, bodies[1].decode(), CANARY)
        wait_for("both in the DLQ", lambda: stack.messages(dlq) == 2)
    stack.take(dlq)
    groups = [group["logGroupName"] for group in stack.client("logs").describe_log_groups()["logGroups"]]
    logs = {group: "\n".join(stack.log_texts(group)) for group in groups}
    lines = (stack.folder / ".local/emulator.log").read_text().splitlines()
    logs["emulator.log"] = "\n".join(line for line in lines if " INFO sns " not in line)  # messages of topics
    assert sum(map(bool, logs.values())) >= 5
    words = (*PERSONAL, stack.secret)
    assert [(name, word) for name, text in logs.items() for word in words if word in text.lower()] == []

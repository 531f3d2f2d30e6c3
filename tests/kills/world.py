"""Everything around the functions: Zoom, Lambda's pollers and environments, and the AWS of another process.

Zoom tries again whatever got no 2xx, a queue brings again whatever was not deleted, the stream brings a batch
again until it went through. Processes are killed all the while; what must hold is judged when nothing is left
to do.
"""

import asyncio
import itertools
import json
import sys
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Self

from tests.kills import deliveries
from tests.kills.child import Child, Stuck
from tests.kills.environments import (
    CALLS,
    Died,
    Environment,
    FunctionError,
    Moment,
    Plan,
    Processes,
    draw,
)
from tests.kills.judge import Violation, judge
from tests.kills.stack import ACCOUNT, BOOKING_EVENTS, HANDLERS, REGION, WEBHOOK, settings_of

ROOT = Path(__file__).parents[2]

FRESH = 1 / 20  # of the environments, how many are interpreters of their own
SPARED_AFTER = 6  # failed attempts at a thing; below maxReceiveCount, so that no message is ever given up
OVERTAKEN = 0.02  # of the receives, after how many the visibility of all messages runs out at once
MOST_OVERTAKEN = 3  # times a round, each of which costs every message in flight a receive

ZOOM_CONNECTIONS = 2
POLLERS = 2  # of each queue
PAUSE_SECONDS = 0.004
ROUND_SECONDS = 300  # far beyond what a round takes; then something is stuck


class AWS:
    """The faked AWS, seen from its parent; ends with its `async with` block."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Any]] = {}
        self._failure: str | None = None
        self.reached: Callable[[str], None] = lambda _name: None
        self._process = Child(sys.executable, "-m", "tests.kills.aws", cwd=ROOT)

    async def __aenter__(self) -> Self:
        await self._process.__aenter__()
        self.url: str = self._process.started["url"]
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.cancel()
        await asyncio.wait([self._listening])
        await self._process.__aexit__()

    async def order(self, do: str, **with_: Any) -> Any:
        """Has one of the cloud's methods run, and returns what it returns."""
        return await self.tell({"do": do, "with": with_})

    def tell(self, order: dict[str, Any]) -> asyncio.Future[Any]:
        """Gives an order; what it returns may be waited for or not."""
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        reply.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may ask for it
        if self._failure:
            reply.set_exception(Stuck(self._failure))
            return reply
        number = next(self._numbers)
        self._replies[number] = reply
        self._process.tell(order | {"id": number})
        return reply

    async def _listen(self) -> None:
        async for told in self._process.told():
            if "reached" in told:
                self.reached(told["reached"])
            elif "failed" in told:
                self._fail(f"the faked AWS failed: {told['failed']}")
            elif (reply := self._replies.pop(told["id"], None)) and not reply.done():
                reply.set_result(told["answer"])
        self._fail("the faked AWS ended")

    def _fail(self, failure: str) -> None:
        """Lets every order fail from now on, those that wait for their answer too."""
        self._failure = self._failure or failure
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(Stuck(self._failure))
        self._replies.clear()


@dataclass
class Tally:
    """What was done so far."""

    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    fresh_kills: int = 0
    rounds: int = 0
    deliveries: int = 0
    posts: int = 0
    invocations: int = 0
    changes: int = 0
    events: int = 0
    repeated_events: int = 0

    @property
    def killed(self) -> int:
        return self.kills.total()


class World:
    """Runs rounds, one after another, on the same processes."""

    def __init__(self, aws: AWS, processes: Processes, seed: int) -> None:
        self._aws = aws
        self._processes = processes
        self._seed = seed
        self.tally = Tally()
        self._idle: dict[str, list[Environment]] = defaultdict(list)
        self._safe: dict[str, list[Environment]] = defaultdict(list)
        self._fresh: set[str] = set()
        aws.reached = self._reached

    async def round(self, number: int) -> None:
        """Runs one round to its end and judges it.

        Raises:
            Violation: something does not hold.
            FunctionError, Stuck: something else went wrong.
        """
        self._chance = Random(f"{self._seed}-{number}")  # noqa: S311 - a test's chance, its seed is printed
        await self._aws.tell({"do": "reset", "seed": self._chance.getrandbits(32)})
        posts = deliveries.draw(self._chance, number)
        bodies = set(posts)
        self._posts = deque(posts)
        self._posting = 0
        self._working = 0
        self._overtaken = 0
        self._tries: Counter[str] = Counter()
        self._announced = 0
        try:
            async with asyncio.timeout(ROUND_SECONDS), asyncio.TaskGroup() as group:
                for _ in range(ZOOM_CONNECTIONS):
                    group.create_task(self._zoom())
                others = [group.create_task(self._stream())]
                for function in HANDLERS:
                    others += [group.create_task(self._poll(function)) for _ in range(POLLERS)]
                await self._until_nothing_is_left()
                for task in others:
                    task.cancel()
        except TimeoutError:
            raise Stuck(f"a round was not done after {ROUND_SECONDS} s") from None
        except ExceptionGroup as group:
            raise group.exceptions[0] from None  # the others are what it brought about
        outcome = await self._aws.order("outcome")
        judge(outcome, bodies)
        self.tally.rounds += 1
        self.tally.deliveries += len(bodies)
        self.tally.changes += len(outcome["changes"])
        self.tally.events += len(set(outcome["inbox"]))
        self.tally.repeated_events += len(outcome["inbox"]) - len(set(outcome["inbox"]))

    # ── Zoom, and Lambda's pollers ───────────────────────────────────────────────────────────────────────

    async def _zoom(self) -> None:
        while self._posts or self._posting:
            if not self._posts:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            body = self._posts.popleft()
            self._posting += 1
            try:
                if not await self._post(body):
                    self._posts.insert(self._chance.randint(0, len(self._posts)), body)
            finally:
                self._posting -= 1

    async def _post(self, body: str) -> bool:
        """Posts a delivery; returns whether it was taken. A process that died is a 5xx to Zoom."""
        self._tries[body] += 1
        self.tally.posts += 1
        try:
            answer = await self._invoke(WEBHOOK, deliveries.http_event(body), self._tries[body])
        except Died:
            return False
        if answer["statusCode"] == 200:
            if not await self._aws.order("has", body=body):
                raise Violation("a delivery was answered 200 and is nowhere", body)
            return True
        if answer["statusCode"] != 503:
            raise Violation("an authentic delivery was refused", json.dumps(answer))
        return False

    async def _poll(self, function: str) -> None:
        queue = HANDLERS[function]
        while True:
            messages = await self._aws.order("receive", queue=queue, most=self._chance.choice((1, 2, 10)))
            if not messages:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            self._working += 1
            try:
                if self._overtaken < MOST_OVERTAKEN and self._chance.random() < OVERTAKEN:
                    self._overtaken += 1
                    await self._aws.order("advance", seconds=61)
                receives = max(int(message["Attributes"]["ApproximateReceiveCount"]) for message in messages)
                answer = await self._invoke(function, _sqs_event(queue, messages), receives)
                failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
                done = [each["ReceiptHandle"] for each in messages if each["MessageId"] not in failed]
                if done:
                    await self._aws.order("delete", queue=queue, handles=done)
            except Died:
                pass  # the messages come back when their visibility runs out
            finally:
                self._working -= 1

    async def _stream(self) -> None:
        tries = 1
        while True:
            most = self._chance.choice((1, 3, 10))
            records = await self._aws.order("changes", after=self._announced, most=most)
            if not records:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            self._working += 1
            try:
                answer = await self._invoke(BOOKING_EVENTS, {"Records": records}, tries)
                numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
                failures = [numbers.index(each["itemIdentifier"]) for each in answer["batchItemFailures"]]
                self._announced += min(failures, default=len(records))
                tries = 1
            except Died:
                tries += 1
            finally:
                self._working -= 1

    async def _until_nothing_is_left(self) -> None:
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            if self._posts or self._posting or self._working:
                continue
            # A call of a process that is dead by now may still be on its way.
            if not await self._aws.tell({"do": "settle"}):
                raise Stuck("a dead process still holds a connection")
            waiting = await self._aws.order("waiting")
            if self._working:
                continue  # somebody found something meanwhile
            if any(waiting["queues"].values()):
                await self._aws.order("jump")
            elif waiting["changes"] == self._announced:
                return

    # ── Lambda's environments ────────────────────────────────────────────────────────────────────────────

    async def _invoke(self, function: str, event: dict[str, Any], attempt: int) -> Any:
        """Returns a function's answer to the n-th attempt at an event.

        Raises:
            Died: its process was killed.
        """
        self.tally.invocations += 1
        spared = attempt > SPARED_AFTER
        environment = await self._environment(function, spared=spared)
        answer = await environment.invoke(event)
        if spared:
            self._safe[function].append(environment)
        else:
            if environment.plan and environment.invoked > environment.plan.number:
                # Its plan did not come true, such as a third call where there are two.
                environment.plan = Plan(Moment.RUNNING, environment.invoked + 1, self._chance.random())
            self._idle[function].append(environment)
        return answer

    async def _environment(self, function: str, *, spared: bool) -> Environment:
        pool = (self._safe if spared else self._idle)[function]
        while pool:
            environment = pool.pop(self._chance.randrange(len(pool)))
            if environment.ended.is_set() and not environment.doomed:
                raise FunctionError(f"{function} ended by itself")
            if not environment.doomed:
                return environment
        plan = None if spared else draw(self._chance)
        fan_out = self._chance.choice(("EventBridge", "SQS"))
        fresh = not spared and self._chance.random() < FRESH
        settings = settings_of(function, self._aws.url, fan_out)
        environment = await self._processes.start(function, settings, plan, fresh=fresh)
        environment.on_kill = self._killed
        trigger = (plan.number, CALLS[plan.moment]) if plan and plan.moment in CALLS else None
        self._aws.tell({"do": "begin", "caller": environment.name, "trigger": trigger})
        if fresh:
            self._fresh.add(environment.name)
        return environment

    def _reached(self, name: str) -> None:
        if environment := self._processes.environment(name):
            environment.kill()

    def _killed(self, environment: Environment) -> None:
        self.tally.kills[environment.function, environment.instant] += 1
        if environment.name in self._fresh:
            self._fresh.remove(environment.name)
            self.tally.fresh_kills += 1
        self._aws.tell({"do": "end", "caller": environment.name})


def _sqs_event(queue: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {},
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
                "awsRegion": REGION,
            }
            for message in messages
        ]
    }

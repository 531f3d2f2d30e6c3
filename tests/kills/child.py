"""A process that is told what to do by lines of JSON on standard input, and answers on standard output."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self

from tests.kills import wire

PATIENCE_SECONDS = 60  # for anything a process should do, on a busy machine


class Stuck(Exception):
    """A process that the functions need is gone or does not go on; no kill explains that."""


class Child:
    """Ends with its `async with` block: when its input ends, it has to end by itself.

    It stands in a session of its own, so that Ctrl-C comes to its parent alone, which ends all in order.

    Attributes:
        started: what it said first.
    """

    started: dict[str, Any]

    def __init__(self, *command: str, cwd: Path, environment: Mapping[str, str] | None = None) -> None:
        self._command = command
        self._cwd = cwd
        self._environment = environment

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=self._cwd,
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=wire.MAX_BYTES,
            start_new_session=True,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._orders, self._news = self._process.stdin, self._process.stdout
        try:
            line = await asyncio.wait_for(self._news.readline(), PATIENCE_SECONDS)
            if not line:
                raise Stuck(f"{self._command[-1]} did not start")
        except BaseException:
            await self._end()
            raise
        self.started = json.loads(line)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    def tell(self, order: Mapping[str, Any]) -> None:
        self._orders.write(json.dumps(order).encode() + b"\n")

    async def told(self) -> AsyncIterator[dict[str, Any]]:
        """Yields what it says until it ends."""
        while line := await self._news.readline():
            yield json.loads(line)

    async def _end(self) -> None:
        self._orders.close()
        try:
            # What it says until then is read, or it could wait for ever to have it said.
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._news.read()
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

"""Virtual time: what happens next, and tasks that stop in the middle of ordinary code until it does.

A task is a greenlet, so that the product's own synchronous code can be stopped at each of its calls and go on
later, with anything else in between. One thread, one order of events: a seed gives the same run each time.
"""

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any

from greenlet import getcurrent, greenlet

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class TaskDied(BaseException):
    """A task's process is no more. No code of the product may catch it, as none can catch a SIGKILL."""


class Timeline:
    """A clock that stands still while code runs, and the queue of what is due."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._number = 0
        self.hub = getcurrent()
        self._told = (0.0, START)

    def now(self) -> datetime:
        if self._told[0] != self.seconds:
            self._told = self.seconds, START + timedelta(seconds=self.seconds)
        return self._told[1]

    def monotonic(self) -> float:
        return self.seconds

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Does something later; what is due at one time happens in the order it was asked for."""
        self._number += 1
        heapq.heappush(self._due, (self.seconds + seconds, self._number, action))

    def run(self, until_seconds: float, max_events: int) -> bool:
        """Lets time pass until nothing is due before `until_seconds`; returns whether that was reached."""
        due = self._due
        for _ in range(max_events):
            if not due or due[0][0] > until_seconds:
                if until_seconds != inf:
                    self.seconds = max(self.seconds, until_seconds)
                return True
            self.seconds, _number, action = heapq.heappop(due)
            action()
        return False

    def pause(self, seconds: float) -> None:
        """Stops the task that calls it for so long."""
        task = getcurrent()
        assert isinstance(task, Task)
        self.after(seconds, task.resume)
        task.stop()


class Task(greenlet):
    """Code that runs in virtual time.

    Attributes:
        ended: it returned, raised or died.
        result: what it returned; None until then.
        failure: what it raised; `TaskDied` where it was killed.
    """

    def __init__(self, timeline: Timeline, code: Callable[[], Any]) -> None:
        super().__init__(self._run, parent=timeline.hub)
        self._timeline = timeline
        self._code = code
        self._killed = False
        self._at_end: list[Callable[[], object]] = []
        self.ended = False
        self.result: Any = None
        self.failure: BaseException | None = None

    def resume(self) -> None:
        """Goes on where it stopped; called by the timeline, so never from within a task."""
        if not self.ended:
            self.switch()

    def stop(self) -> None:
        """Gives control back until somebody resumes the task."""
        self._timeline.hub.switch()
        if self._killed:
            raise TaskDied

    def kill(self) -> None:
        """Ends it where it stands. A task that runs now ends at its next stop."""
        if self.ended or self._killed:
            return
        self._killed = True
        if self is getcurrent():
            raise TaskDied
        if not self:  # not started yet
            self.ended = True
            self.failure = TaskDied()
        else:
            self._timeline.after(0.0, self.resume)

    def at_end(self, action: Callable[[], object]) -> None:
        """Does something once the task has ended, at once if it has."""
        if self.ended:
            self._timeline.after(0.0, action)
        else:
            self._at_end.append(action)

    def _run(self) -> None:
        try:
            self.result = self._code()
        except BaseException as error:  # noqa: BLE001 - whoever waits for the task decides what it means
            self.failure = error
        self.ended = True
        for action in self._at_end:
            self._timeline.after(0.0, action)
        self._at_end.clear()
        del self._code

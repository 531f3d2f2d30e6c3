"""What the functions print is, byte for byte, what Powertools for AWS Lambda would print in their place."""

import datetime as dt
import io
import json
import logging
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn, Protocol

import aws_lambda_powertools
import pytest
from aws_lambda_powertools.logging import logger as powertools_logger
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf import cloudwatch
from bookings import telemetry
from bookings.counts import Count
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

LAYER = Path(telemetry.__file__).parents[1]
VARIABLES = (
    *("POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL", "LOG_LEVEL"),
    *("AWS_LAMBDA_LOG_LEVEL", "AWS_LAMBDA_INITIALIZATION_TYPE", "_X_AMZN_TRACE_ID", "TZ"),
)
TEMPLATES = {
    "POWERTOOLS_SERVICE_NAME": "webhook",
    "POWERTOOLS_METRICS_NAMESPACE": "ZoomSchedulerBookings/tests",
    "POWERTOOLS_LOG_LEVEL": "INFO",
}
CONTEXT = SimpleNamespace(
    function_name="webhook",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:webhook",
    aws_request_id="52fdfc07-2182-154f-163f-5f0f9a621d72",
)
MORNING_MS = 1_795_341_600_123  # 2026-11-22T10:00:00.123Z

Handler = Callable[[Any, Any], Any]


# -- Two that write, and a process for them ---------------------------------------------------------------


class Log(Protocol):
    def info(self, message: str, *, extra: Mapping[str, Any]) -> None: ...
    def error(self, message: str, *, extra: Mapping[str, Any]) -> None: ...


class Telemetry(Protocol):
    @property
    def logger(self) -> Log: ...
    def count(self, name: Count) -> None: ...
    def observed(self, handler: Handler) -> Handler: ...


class Ours:
    """Our own, as it is in a fresh process."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.logger, self._metrics = telemetry.Logger(), telemetry.Metrics()
        patch.setattr(telemetry, "logger", self.logger)
        patch.setattr(telemetry, "metrics", self._metrics)

    def count(self, name: Count) -> None:
        self._metrics.count(name)

    def observed(self, handler: Handler) -> Handler:
        return telemetry.observed(handler)


class Powertools:
    """Powertools, used as its documentation says, as it is in a fresh process."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(powertools_logger, "is_cold_start", True)
        patch.setenv(
            "POWERTOOLS_LOG_DEDUPLICATION_DISABLED", "true"
        )  # else it puts filters on pytest's handlers
        patch.setattr(logging.Logger.manager, "loggerDict", dict(logging.Logger.manager.loggerDict))
        self.logger: Any = aws_lambda_powertools.Logger()
        logging.getLogger(self.logger.service).propagate = False
        self._metrics = aws_lambda_powertools.Metrics()
        self._metrics.clear_metrics()

    def count(self, name: Count) -> None:
        self._metrics.add_metric(name=str(name), unit=MetricUnit.Count, value=1)

    def observed(self, handler: Handler) -> Handler:
        in_context = self.logger.inject_lambda_context(log_event=False, clear_state=True)(handler)
        observed: Handler = self._metrics.log_metrics(in_context)
        return observed


BOTH = pytest.mark.parametrize("kind", [Ours, Powertools])


class Process:
    """A process of a function, at a time that stands still unless it is told to go on."""

    def __init__(self, patch: pytest.MonkeyPatch, start_ms: int) -> None:
        self.patch = patch
        self.now_ms = start_ms
        self.output = io.StringIO()
        self.errors = io.StringIO()

    def time_ns(self) -> int:
        return self.now_ms * 1_000_000 + 500_000  # amid a millisecond, where no float's rounding shows

    def now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.time_ns() / 1e9)  # noqa: DTZ006 - as Powertools asks for it


@contextmanager
def process(environment: Mapping[str, str], start_ms: int = MORNING_MS) -> Iterator[Process]:
    with pytest.MonkeyPatch.context() as patch:
        running = Process(patch, start_ms)
        for name in VARIABLES:
            patch.delenv(name, raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(time, "time_ns", running.time_ns)
        patch.setattr(cloudwatch, "dt", SimpleNamespace(datetime=SimpleNamespace(now=running.now)))
        if environment.get("AWS_LAMBDA_LOG_LEVEL") == "TRACE":  # as the runtime client sets it then
            patch.setattr(logging.root, "level", logging.DEBUG)
        with (
            redirect_stdout(running.output),
            redirect_stderr(running.errors),
            warnings.catch_warnings(action="ignore"),
        ):
            time.tzset()
            yield running
    time.tzset()


# -- What a function may do -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    level: str
    message: str
    extra: Mapping[str, Any]
    after_ms: int = 0


@dataclass(frozen=True)
class Counted:
    name: Count
    times: int


@dataclass(frozen=True)
class Invocation:
    steps: Sequence[Line | Counted] = ()
    context: object = field(default_factory=lambda: CONTEXT)
    trace: str | None = None
    escapes: bool = False


@dataclass(frozen=True)
class Life:
    """A process from its start to its end: what it says while it starts, and its invocations."""

    environment: Mapping[str, str] = field(default_factory=lambda: TEMPLATES)
    start_ms: int = MORNING_MS
    start: Sequence[Line | Counted] = ()
    invocations: Sequence[Invocation] = ()


class _Escaped(Exception):
    pass


def printed(life: Life, kind: Callable[[pytest.MonkeyPatch], Telemetry]) -> str:
    """Returns what is printed in a process that lives this life."""
    with process(life.environment, life.start_ms) as running:
        written = kind(running.patch)

        def take(steps: Sequence[Line | Counted]) -> None:
            for step in steps:
                if isinstance(step, Counted):
                    for _ in range(step.times):
                        written.count(step.name)
                else:
                    running.now_ms += step.after_ms
                    say = written.logger.info if step.level == "INFO" else written.logger.error
                    say(step.message, extra=step.extra)

        @written.observed
        def lambda_handler(event: Invocation, context: object) -> int:
            take(event.steps)
            if event.escapes:
                raise _Escaped
            return len(event.steps)

        take(life.start)
        for invocation in life.invocations:
            running.patch.delenv("_X_AMZN_TRACE_ID", raising=False)
            if invocation.trace is not None:
                running.patch.setenv("_X_AMZN_TRACE_ID", invocation.trace)
            try:
                assert lambda_handler(invocation, invocation.context) == len(invocation.steps)
                assert not invocation.escapes
            except _Escaped:
                assert invocation.escapes
        return running.output.getvalue()


class _Unspeakable:
    def __str__(self) -> NoReturn:
        raise RuntimeError


_ENDLESS: list[Any] = []
_ENDLESS.append(_ENDLESS)

# What a line has by itself; logging refuses as well the names of its own record's attributes.
_TAKEN = {
    *vars(logging.makeLogRecord({})),
    *("message", "asctime", "level", "location", "timestamp", "stack_trace", "xray_trace_id"),
}

texts = st.text(st.characters(exclude_categories=()), max_size=12)
environment_texts = st.text('abc é %s{}"\\:/=', min_size=1, max_size=8)
plain = st.one_of(
    *(texts, st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from([*HTTPStatus, *Count])),
    *(st.datetimes(timezones=st.just(dt.UTC)), st.decimals(), st.binary(max_size=4)),
    st.builds(KeyError, texts),
    st.just({"one"}),
    st.just(Path("some/where")),
)
values = st.one_of(
    plain,
    st.lists(plain, max_size=3),
    st.tuples(plain, plain),
    st.dictionaries(st.one_of(texts, st.integers(), st.booleans(), st.none()), plain, max_size=3),
    st.sampled_from([_Unspeakable(), [_Unspeakable()], _ENDLESS, {(1, 2): 3}, {1}, Decimal("1.50")]),
)
names = st.one_of(
    st.sampled_from(
        ["status", "outcome", "booking_id", "error", "reason", "at", "service", "cold_start", "exception"]
    ),
    texts.filter(lambda name: name not in _TAKEN),
)
messages = st.one_of(
    st.sampled_from(["answered", "recorded", "record failed", "bus unavailable, the stream waits"]),
    st.sampled_from(
        ["null", "7", " true ", '{"a": [null, "é"]}', '"text"', "NaN", "1e999", "9" * 5_000, "%s %d", "{", ""]
    ),
    texts,
)
lines = st.builds(
    Line,
    level=st.sampled_from(["INFO", "ERROR"]),
    message=messages,
    extra=st.dictionaries(names, values, max_size=5),
    after_ms=st.sampled_from([0, 0, 1, 17, 999, 1_000, 86_400_000]),
)
counted = st.builds(
    Counted, name=st.sampled_from(Count), times=st.sampled_from([1, 1, 2, 10, 99, 100, 101, 250])
)
steps = st.lists(lines | counted, max_size=4)
contexts = st.one_of(
    st.just(CONTEXT),
    st.builds(
        SimpleNamespace,
        function_name=texts | st.none(),
        memory_limit_in_mb=st.integers(128, 10_240) | st.just("512"),
        invoked_function_arn=texts,
        aws_request_id=texts | st.uuids().map(str),
    ),
)
traces = st.one_of(
    st.none(),
    st.just("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"),
    st.sampled_from(["", "Root=", "Parent=1;Root=2", 'Root=1-é"', ";", "1Root=2;Self=3"]),
)
levels = st.sampled_from(["DEBUG", "INFO", "WARNING", "WARN", "ERROR", "CRITICAL", "FATAL"])
lambdas_levels = st.sampled_from(
    ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "WARNING", "CRITICAL", "info", "verbose", ""]
)
environments = st.builds(
    lambda required, optional, level: required | optional | level,
    st.fixed_dictionaries({"POWERTOOLS_METRICS_NAMESPACE": environment_texts | st.just("")}),
    st.fixed_dictionaries(
        {},
        optional={
            "POWERTOOLS_SERVICE_NAME": environment_texts,
            "AWS_LAMBDA_INITIALIZATION_TYPE": st.sampled_from(["on-demand", "provisioned-concurrency", ""]),
            "TZ": st.sampled_from([":UTC", "UTC0", "CET-1CEST,M3.5.0,M10.5.0/3", "NST3:30", "<+0545>-5:45"]),
        },
    ),
    st.one_of(
        st.just({}),
        st.fixed_dictionaries(
            {}, optional={"POWERTOOLS_LOG_LEVEL": levels | st.just(""), "LOG_LEVEL": levels}
        ),
        st.fixed_dictionaries({"POWERTOOLS_LOG_LEVEL": levels.map(str.lower) | levels.map(str.title)}),
        st.fixed_dictionaries({"AWS_LAMBDA_LOG_LEVEL": lambdas_levels}, optional={"LOG_LEVEL": levels}),
        st.fixed_dictionaries({"AWS_LAMBDA_LOG_LEVEL": lambdas_levels, "POWERTOOLS_LOG_LEVEL": levels}),
    ),
)
lives = st.builds(
    Life,
    environment=environments,
    start_ms=st.integers(1_600_000_000_000, 2_500_000_000_000),
    start=steps,
    invocations=st.lists(
        st.builds(Invocation, steps=steps, context=contexts, trace=traces, escapes=st.booleans()), max_size=3
    ),
)

ANSWERED = Line(
    "INFO",
    "answered",
    {"status": 200, "zoom_request_id": "id-1", "zoom_event": "scheduler.other", "outcome": "published"},
)
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
USUAL = Invocation([Counted(Count.DELIVERY_PUBLISHED, 1), ANSWERED], trace=TRACE)
FAILED = Line(
    "ERROR", "record failed", {"message_id": "m-1", "error": "KeyError", "reason": None, "at": "a.py:1"}
)


@settings(max_examples=400)
@given(life=lives)
@example(life=Life(invocations=[USUAL, USUAL]))
@example(life=Life(start=[Counted(Count.REFRESH_FAILED, 1), FAILED], invocations=[Invocation(), USUAL]))
@example(life=Life(invocations=[Invocation([FAILED, Counted(Count.RECORD_FAILED, 3)], escapes=True), USUAL]))
@example(
    life=Life(invocations=[Invocation([Counted(Count.EVENT_ANNOUNCED, 250), Counted(Count.DUPLICATE, 100)])])
)
def test_a_life_of_a_process_is_told_as_powertools_tells_it(life: Life) -> None:
    assert printed(life, Ours) == printed(life, Powertools)


@settings(max_examples=1_000)
@given(line=lines, trace=traces)
def test_a_line_is_powertools_line(line: Line, trace: str | None) -> None:
    life = Life(invocations=[Invocation([line], trace=trace)])
    assert printed(life, Ours) == printed(life, Powertools)


@BOTH
def test_a_log_line_and_a_metric_line_look_so(kind: Callable[[pytest.MonkeyPatch], Telemetry]) -> None:
    counts = [Counted(Count.FALLBACK_USED, 2), Counted(Count.DELIVERY_PUBLISHED, 1)]
    said = printed(Life(invocations=[Invocation([ANSWERED, *counts], trace=TRACE)]), kind)
    assert said.replace(f"take:{_line_of_say()}", "take:1") == (
        '{"level":"INFO","location":"take:1","message":"answered","timestamp":"2026-11-22 10:00:00,123+0000",'
        '"service":"webhook","cold_start":true,"function_name":"webhook","function_memory_size":512,'
        '"function_arn":"arn:aws:lambda:us-east-1:123456789012:function:webhook",'
        '"function_request_id":"52fdfc07-2182-154f-163f-5f0f9a621d72","status":200,"zoom_request_id":"id-1",'
        '"zoom_event":"scheduler.other","outcome":"published",'
        '"xray_trace_id":"1-5759e988-bd862e3fe1be46a994272793"}\n'
        '{"_aws":{"Timestamp":1795341600123,"CloudWatchMetrics":[{"Namespace":"ZoomSchedulerBookings/tests",'
        '"Dimensions":[["service"]],"Metrics":[{"Name":"FallbackUsed","Unit":"Count"},'
        '{"Name":"DeliveryPublished","Unit":"Count"}]}]},"service":"webhook","FallbackUsed":[1.0,1.0],'
        '"DeliveryPublished":[1.0]}\n'
    )


def _line_of_say() -> int:
    source = Path(__file__).read_text().splitlines()
    return 1 + next(n for n, text in enumerate(source) if text.strip().startswith("say(step.message"))


@BOTH
def test_only_the_first_invocation_is_cold_and_none_where_lambda_started_it_beforehand(
    kind: Callable[[pytest.MonkeyPatch], Telemetry],
) -> None:
    def cold(environment: Mapping[str, str]) -> list[bool]:
        said = printed(Life(environment, invocations=[Invocation([ANSWERED])] * 3), kind)
        return [json.loads(line)["cold_start"] for line in said.splitlines()]

    assert cold(TEMPLATES) == [True, False, False]
    provisioned = {"AWS_LAMBDA_INITIALIZATION_TYPE": "provisioned-concurrency"}
    assert cold(TEMPLATES | provisioned) == [False, False, False]


@BOTH
def test_what_is_counted_leaves_at_the_end_even_where_the_handler_raises_and_only_once(
    kind: Callable[[pytest.MonkeyPatch], Telemetry],
) -> None:
    raising = Invocation([Counted(Count.RECORD_FAILED, 2)], escapes=True)
    (line,) = printed(Life(invocations=[raising, Invocation()]), kind).splitlines()
    assert json.loads(line)[Count.RECORD_FAILED] == [1.0, 1.0]


@BOTH
def test_the_hundredth_value_of_a_metric_fills_a_line(
    kind: Callable[[pytest.MonkeyPatch], Telemetry],
) -> None:
    counts = [Counted(Count.DUPLICATE, 1), Counted(Count.EVENT_ANNOUNCED, 101)]
    full, rest = map(json.loads, printed(Life(invocations=[Invocation(counts)]), kind).splitlines())
    assert (len(full[Count.EVENT_ANNOUNCED]), len(full[Count.DUPLICATE])) == (100, 1)
    assert (len(rest[Count.EVENT_ANNOUNCED]), Count.DUPLICATE in rest) == (1, False)


@BOTH
@pytest.mark.parametrize("service", [None, " "])
def test_without_a_service_there_is_no_dimension(
    kind: Callable[[pytest.MonkeyPatch], Telemetry], service: str | None
) -> None:
    environment = {"POWERTOOLS_METRICS_NAMESPACE": "ours"}
    if service is not None:
        environment["POWERTOOLS_SERVICE_NAME"] = service
    told, counts = map(json.loads, printed(Life(environment, invocations=[USUAL]), kind).splitlines())
    assert told["service"] == (service or "service_undefined")
    assert counts["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [[]]
    assert "service" not in counts


# -- What can't be written --------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    "extra", [{"a": _Unspeakable()}, {"a": _ENDLESS}, {"a": {(1, 2): "canary"}}], ids=["str", "circle", "key"]
)
def test_a_line_that_cant_be_written_costs_no_answer_and_no_count(
    kind: Callable[[pytest.MonkeyPatch], Telemetry], extra: Mapping[str, Any]
) -> None:
    invocation = Invocation([Line("INFO", "answered", extra), Counted(Count.DUPLICATE, 1)])
    (line,) = printed(Life(invocations=[invocation]), kind).splitlines()
    assert json.loads(line)[Count.DUPLICATE] == [1.0]


def test_of_a_line_that_cant_be_written_its_error_is_told_and_nothing_that_was_to_be_in_it() -> None:
    with process(TEMPLATES) as running, redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding="ascii")):
        Ours(running.patch).logger.error("canary", extra={"canary": "é"})
        assert running.errors.getvalue() == "log line lost: UnicodeEncodeError\n"


def test_a_line_however_deep_costs_no_answer() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with process(TEMPLATES) as running:
        Ours(running.patch).logger.info("answered", extra={"deep": deep})
        assert running.output.getvalue() == ""
        assert running.errors.getvalue() == "log line lost: RecursionError\n"


@BOTH
def test_without_a_namespace_a_handler_that_counts_fails_at_its_end_and_any_other_does_not(
    kind: Callable[[pytest.MonkeyPatch], Telemetry],
) -> None:
    environment = {"POWERTOOLS_SERVICE_NAME": "webhook"}
    assert printed(Life(environment, invocations=[Invocation([ANSWERED])]), kind)
    with pytest.raises(Exception, match=r"namespace|POWERTOOLS_METRICS_NAMESPACE is not set"):
        printed(Life(environment, invocations=[USUAL]), kind)


@BOTH
@pytest.mark.parametrize("level", ["verbose", "7"])
def test_with_a_level_that_there_is_not_nothing_is_done(
    kind: Callable[[pytest.MonkeyPatch], Telemetry], level: str
) -> None:
    ran = []
    with process(TEMPLATES | {"POWERTOOLS_LOG_LEVEL": level}) as running:  # noqa: SIM117 - what raises is inside
        with pytest.raises(ValueError, match=r"Unknown level|POWERTOOLS_LOG_LEVEL is none of DEBUG, INFO"):
            kind(running.patch).observed(lambda event, _: ran.append(event))("event", CONTEXT)
    assert ran == []


@BOTH
def test_a_context_that_is_none_is_an_error_and_what_was_counted_before_is_told(
    kind: Callable[[pytest.MonkeyPatch], Telemetry],
) -> None:
    with process(TEMPLATES) as running:
        written = kind(running.patch)
        written.count(Count.REFRESH_FAILED)
        with pytest.raises(AttributeError, match="function_name"):
            written.observed(lambda event, _: event)("event", object())
        assert Count.REFRESH_FAILED in running.output.getvalue()


# -- How it writes ----------------------------------------------------------------------------------------


class Writes(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def write(self, text: str) -> int:
        self.texts.append(text)
        return len(text)


def test_each_line_is_one_write_to_what_is_standard_output_then() -> None:
    with process(TEMPLATES) as running:
        ours = Ours(running.patch)

        @ours.observed
        def lambda_handler(_event: object, _context: object) -> None:
            ours.count(Count.DUPLICATE)
            ours.logger.info("answered", extra={})

        for _ in range(2):
            stream = Writes()
            with redirect_stdout(stream):
                lambda_handler("event", CONTEXT)
            assert [json.loads(text)["service"] for text in stream.texts] == ["webhook", "webhook"]
            assert all(text.endswith("}\n") for text in stream.texts)
        assert running.output.getvalue() == ""


def test_a_handler_keeps_its_name_and_its_answer() -> None:
    def lambda_handler(event: str, _context: object) -> str:
        return f"{event}, answered"

    with process(TEMPLATES) as running:
        observed = Ours(running.patch).observed(lambda_handler)
        assert observed("an event", CONTEXT) == "an event, answered"
        assert observed.__name__ == "lambda_handler"


def test_nothing_is_imported_that_json_has_not_imported() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(LAYER)!r})\n"
        "import json, os, collections.abc; before = set(sys.modules)\n"
        "import bookings.telemetry; print(*sorted(set(sys.modules) - before))"
    )
    run = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["bookings", "bookings.counts", "bookings.telemetry"]


@settings(max_examples=50)
@given(ns=st.integers(0, 999_999_999))
def test_a_timestamp_says_the_whole_milliseconds_of_its_second(ns: int) -> None:
    assume(ns < 999_999_880)  # logging's float counts these last 0.1 microseconds to the next second
    with process(TEMPLATES) as running:
        running.patch.setattr(time, "time_ns", lambda: 1_795_341_600 * 1_000_000_000 + ns)
        for written in (Ours(running.patch), Powertools(running.patch)):
            written.logger.info("a", extra={})
        ours, theirs = map(json.loads, running.output.getvalue().splitlines())
    assert ours["timestamp"] == theirs["timestamp"] == f"2026-11-22 10:00:00,{ns // 1_000_000:03}+0000"

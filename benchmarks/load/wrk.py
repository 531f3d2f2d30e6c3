"""wrk as a second opinion on the generator, where it is installed: the same deliveries, signed beforehand."""

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load.bench import Behind
from benchmarks.load.deliveries import Deliveries, new_run
from benchmarks.load.figures import Latency
from benchmarks.stub import PUT_EVENTS, TOKEN

SCRIPT = Path(__file__).with_name("wrk.lua")
MAX_PER_SECOND = 4_000  # so many are signed; more than the function does on two cores
PATIENCE_SECONDS = 30


class WrkFailed(Exception):
    """wrk is there and did not do its work. The message is what it said."""


@dataclass(frozen=True, slots=True)
class Second:
    """What wrk measured.

    Attributes:
        errors: connections that broke, and answers that were not 2xx or 3xx.
        taken: different deliveries that the stub has.
        answered: as many as wrk counts.
    """

    connections: int
    per_second: float
    latency: Latency
    errors: int
    answered: int
    taken: int

    @property
    def problems(self) -> list[str]:
        lost = self.answered - self.taken
        told = [f"{lost} lost"] if lost > 0 else []
        return [*told, f"{self.errors} errors"] if self.errors else told


def installed() -> bool:
    return shutil.which("wrk") is not None


def measure(front: Behind, connections: int, seconds: float) -> Second:
    """Has wrk load the front.

    Raises:
        WrkFailed: it did not.
    """
    generator = front.generator
    front.warm(connections)
    front.stub.remember(False)
    deliveries = Deliveries(f"{generator.host}:{generator.port}", generator.path, TOKEN, new_run())
    with tempfile.TemporaryDirectory(prefix="bookings-load-") as folder:
        requests = Path(folder) / "requests"
        with requests.open("wb") as file:
            for number in range(round(MAX_PER_SECOND * seconds)):
                request = deliveries.request(number)
                file.write(b"%d\n%b" % (len(request), request))
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "-s", str(SCRIPT)]
        command += [f"http://{generator.host}:{generator.port}", "--", str(requests)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, timeout=seconds + PATIENCE_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise WrkFailed("wrk does not end") from None
        except subprocess.CalledProcessError as error:
            raise WrkFailed(error.stderr.strip() or error.stdout.strip()) from None
    try:
        told = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise WrkFailed(done.stdout[-500:]) from None
    return Second(
        connections=connections,
        per_second=told["requests"] / told["microseconds"] * 1e6,
        latency=Latency(*(told[name] / 1000 for name in ("p50", "p99", "p999", "most"))),
        errors=told["errors"],
        answered=told["requests"],
        taken=len(front.stub.taken(PUT_EVENTS)),
    )

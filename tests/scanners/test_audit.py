"""The audit tells three things apart: no vulnerability, one, and that it could not check."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.scanners import audit
from tests.scanners.audit import CONTROL, CouldNotCheck, Pin, Vulnerability, pins, pip_audit

WANTED: set[Pin] = {("boto3", "1.43.1"), ("boto3", "1.35.49"), ("colorama", "0.4.6")}
OF_CONTROL = {"id": "PYSEC-2019-133", "fix_versions": ["1.24.2"], "aliases": ["CVE-2019-11324"]}
OF_BOTO3 = {"id": "PYSEC-2026-1", "fix_versions": ["1.43.2"], "aliases": ["CVE-2026-1"]}


def checked(name: str, version: str) -> dict[str, Any]:
    return {"name": name, "version": version, "vulns": [OF_CONTROL] if (name, version) == CONTROL else []}


def answering(change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> audit.Ask:
    """Returns a pip-audit that reports each pin as checked, but for what `change` makes of it."""

    def ask(file: Path) -> str:
        asked = [line.split("==") for line in file.read_text().split()]
        names = [name for name, _ in asked]
        assert len(names) == len(set(names)), "pip-audit refuses a package in two versions"
        reported = [change(checked(name, version)) for name, version in asked]
        return json.dumps({"dependencies": [each for each in reported if each is not None], "fixes": []})

    return ask


def as_it_is(each: dict[str, Any]) -> dict[str, Any]:
    return each


def skip(*names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda each: {"name": each["name"], "skip_reason": "not found"} if each["name"] in names else each


def test_pins_that_were_all_checked_and_are_clean() -> None:
    assert audit.audit(WANTED, answering(as_it_is)) == []


def test_a_vulnerability_of_one_of_two_versions_is_told_with_its_fix() -> None:
    def vulnerable(each: dict[str, Any]) -> dict[str, Any]:
        return {**each, "vulns": [OF_BOTO3]} if each["version"] == "1.43.1" else each

    (found,) = audit.audit(WANTED, answering(vulnerable))

    assert found == Vulnerability("boto3", "1.43.1", "PYSEC-2026-1", ("1.43.2",))
    assert str(found) == "boto3 1.43.1: PYSEC-2026-1, fixed in 1.43.2"


def test_an_acknowledged_advisory_is_no_finding_under_whichever_of_its_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def vulnerable(each: dict[str, Any]) -> dict[str, Any]:
        return {**each, "vulns": [OF_BOTO3]} if each["version"] == "1.43.1" else each

    monkeypatch.setattr(audit, "ACKNOWLEDGED", {"CVE-2026-1": "only where a shell is open to others"})

    assert audit.audit(WANTED, answering(vulnerable)) == []


def test_a_source_that_knows_no_package_has_checked_nothing() -> None:
    everything = {name for name, _ in WANTED | {CONTROL}}

    with pytest.raises(CouldNotCheck, match=r"4 of 4 packages, the first boto3 1\.35\.49: not found"):
        audit.audit(WANTED, answering(skip(*everything)))


def test_one_package_that_was_skipped_is_one_that_was_not_checked() -> None:
    with pytest.raises(CouldNotCheck, match=r"1 of 4 packages, the first colorama 0\.4\.6: not found"):
        audit.audit(WANTED, answering(skip("colorama")))


def test_one_package_that_is_not_in_the_report_was_not_checked() -> None:
    with pytest.raises(CouldNotCheck, match=r"1 of 4 packages, the first colorama 0\.4\.6: it is not in"):
        audit.audit(WANTED, answering(lambda each: None if each["name"] == "colorama" else each))


def test_another_version_than_the_pinned_one_was_not_checked() -> None:
    def newer(each: dict[str, Any]) -> dict[str, Any]:
        return {**each, "version": "9.9.9"} if each["name"] == "colorama" else each

    with pytest.raises(CouldNotCheck, match=r"first colorama 0\.4\.6"):
        audit.audit(WANTED, answering(newer))


def test_a_source_that_finds_nothing_wrong_with_the_control_is_not_believed() -> None:
    with pytest.raises(CouldNotCheck, match=r"knows nothing against urllib3 1\.24\.1"):
        audit.audit(WANTED, answering(lambda each: {**each, "vulns": []}))


@pytest.mark.parametrize(
    "printed", ["", "No known vulnerabilities found", "[]", "{}", '{"dependencies": [{}]}']
)
def test_something_else_than_a_report_is_no_check(printed: str) -> None:
    with pytest.raises(CouldNotCheck, match="something else"):
        audit.audit(WANTED, lambda _: printed)


def test_without_pins_nothing_was_checked() -> None:
    with pytest.raises(CouldNotCheck, match="no package is pinned"):
        audit.audit(set(), answering(as_it_is))


def test_every_pin_counts_whichever_platform_it_is_for() -> None:
    lock = (
        "Boto3_Stubs[events]==1.2 \\\n    --hash=sha256:00\n    # via -r dev.in\n"
        "colorama==0.4.6 ; sys_platform == 'win32' \\\n    --hash=sha256:11\n"
    )

    assert pins(lock) == {("boto3-stubs", "1.2"), ("colorama", "0.4.6")}


def test_the_lock_files_are_all_there_are() -> None:
    names = {str(lock.relative_to(audit.ROOT)) for lock in audit.LOCKS}

    assert names == {"layers/runtime/requirements.txt"} | {
        f"requirements/{name}.txt" for name in ("dev", "sam", "scan", "uv")
    }


# ── how it ends ─────────────────────────────────────────────────────────────────────────────────────────────


def unreachable(_: Path) -> str:
    raise CouldNotCheck("no route to host")


def all_vulnerable(each: dict[str, Any]) -> dict[str, Any]:
    return {**each, "vulns": [OF_CONTROL]}


@pytest.mark.parametrize(
    ("asks", "arguments", "code"),
    [
        ({"a": answering(as_it_is)}, [], audit.CLEAN),
        ({"a": answering(all_vulnerable)}, [], audit.VULNERABLE),
        ({"a": answering(all_vulnerable)}, ["--or-skip"], audit.VULNERABLE),
        ({"a": unreachable, "b": answering(as_it_is)}, [], audit.CLEAN),
        ({"a": unreachable, "b": answering(all_vulnerable)}, [], audit.VULNERABLE),
        ({"a": unreachable, "b": unreachable}, [], audit.NOT_CHECKED),
        ({"a": unreachable, "b": unreachable}, ["--or-skip"], audit.CLEAN),
    ],
    ids=[
        "clean",
        "vulnerable",
        "vulnerable-never-skips",
        "second-clean",
        "second-vulnerable",
        "none",
        "skips",
    ],
)
def test_it_ends_by_what_was_found(asks: dict[str, audit.Ask], arguments: list[str], code: int) -> None:
    assert audit.main(arguments, asks) == code


def test_what_was_not_checked_is_told_in_plain_sight(capsys: pytest.CaptureFixture[str]) -> None:
    audit.main(["--or-skip"], {"a": unreachable})

    told = capsys.readouterr().err
    assert "a: no route to host" in told
    assert "\nSKIPPED: " in told


def test_what_was_checked_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    audit.main([], {"a": answering(as_it_is)})

    pinned = set().union(*(pins(lock.read_text()) for lock in audit.LOCKS))
    assert f"{len(pinned)} packages checked by a, 0 vulnerabilities" in capsys.readouterr().out


# ── the real pip-audit, on a source of advisories in this process ───────────────────────────────────────────


@contextmanager
def advisories(known: dict[Pin, dict[str, Any]], status: int = 200) -> Iterator[str]:
    """Serves what OSV would say, and yields its address."""

    class Source(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = known.get((query["package"]["name"], query["version"]))
            body = json.dumps({"vulns": [found]} if found else {}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing; the tests look at what came of it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Source)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/query"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def advisory(pin: Pin, number: str, fixed: str) -> dict[str, Any]:
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}]
    package = {"name": pin[0], "ecosystem": "PyPI"}
    affected = [{"package": package, "ranges": ranges}]
    return {"id": number, "summary": "Made up.", "modified": "2026-01-01T00:00:00Z", "affected": affected}


CONTROLS = {CONTROL: advisory(CONTROL, "PYSEC-2019-133", "1.24.2")}


def test_pip_audit_itself_finds_what_the_source_knows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    pin = ("boto3", "1.43.1")
    with advisories(CONTROLS | {pin: advisory(pin, "PYSEC-2026-1", "1.43.2")}) as url:
        ask = pip_audit("-s", "osv", "--osv-url", url, "--cache-dir", str(tmp_path))
        found = audit.audit({pin, ("colorama", "0.4.6")}, ask)

    assert found == [Vulnerability("boto3", "1.43.1", "PYSEC-2026-1", ("1.43.2",))]


@pytest.mark.parametrize("status", [200, 500], ids=["knows-nothing", "fails"])
def test_pip_audit_itself_is_not_believed_where_the_source_is_none(
    status: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with advisories({}, status) as url, pytest.raises(CouldNotCheck):
        audit.audit(
            {("colorama", "0.4.6")}, pip_audit("-s", "osv", "--osv-url", url, "--cache-dir", str(tmp_path))
        )

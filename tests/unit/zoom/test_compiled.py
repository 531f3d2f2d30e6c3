"""pydantic's compiled core, loaded by itself, in processes that have imported nothing before."""

import json
import subprocess
import sys
from typing import Any

import pytest
from bookings.zoom import compiled

BODY = {"event": "scheduler.scheduled_event_created", "event_ts": "soon", "payload": {"user_id": 5}}


def said_by(code: str) -> Any:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def test_events_are_read_and_refused_without_the_python_of_pydantic() -> None:
    said = said_by(
        "import json, sys\n"
        "from bookings.zoom.events import InvalidEvent, parse_event\n"
        f"body = {BODY!r}\n"
        "try:\n"
        "    parse_event(body)\n"
        "except InvalidEvent as error:\n"
        "    errors = error.errors\n"
        "event = parse_event(body | {'event_ts': 7.0, 'payload': {}})\n"
        "foreign = [name for name in sys.modules if name.startswith(('pydantic', 'typing_extensions'))]\n"
        "print(json.dumps({'errors': errors, 'event_ts': event['event_ts'], 'foreign': foreign}))\n"
    )
    assert said == {
        "errors": [
            {"field": "event_ts", "message": "must be an integer"},
            {"field": "payload.user_id", "message": "must be a string"},
        ],
        "event_ts": 7,
        "foreign": [],
    }


@pytest.mark.parametrize(
    "imports",
    [
        "import pydantic_core\nfrom bookings.zoom import compiled\n",
        "from bookings.zoom import compiled\nimport pydantic_core\n",
    ],
    ids=["after the package", "before the package"],
)
def test_beside_the_package_its_classes_are_the_same(imports: str) -> None:
    said = said_by(
        f"import json\n{imports}"
        "names = ('SchemaValidator', 'ValidationError')\n"
        "same = [getattr(compiled, name) is getattr(pydantic_core, name) for name in names]\n"
        "import pydantic\n"
        "same.append(compiled.ValidationError is pydantic.ValidationError)\n"
        "print(json.dumps(same))\n"
    )
    assert said == [True, True, True]


def test_a_core_that_is_not_there_is_an_import_error() -> None:
    said = said_by(
        "import json, sys\n"
        "from importlib.machinery import PathFinder\n"
        "sys.path = [path for path in sys.path if 'site-packages' not in path]\n"
        "import bookings.zoom\n"
        "try:\n"
        "    import bookings.zoom.compiled\n"
        "except ImportError as error:\n"
        "    print(json.dumps(str(error)))\n"
    )
    assert said == "there is no pydantic_core._pydantic_core"


def test_a_core_that_is_not_where_it_should_be_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "find_spec", lambda _name: None)
    with pytest.raises(ImportError, match=r"^there is no pydantic_core\._pydantic_core$"):
        compiled._load()

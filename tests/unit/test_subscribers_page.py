"""The code on docs/subscribers.md works as the page says."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft4Validator

from cli.contract import ROOT, SCHEMAS, SUBSCRIBERS

PAGE = SUBSCRIBERS.read_text(encoding="utf-8")


def test_python_of_the_page_is_the_example_s() -> None:
    function = PAGE.partition("```python\n")[2].partition("```")[0]
    assert function
    assert function in (ROOT / "examples/subscriber/function/app.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.event.json")), ids=lambda path: path.stem)
def test_schema_for_the_registry_is_of_draft_4(path: Path) -> None:
    [program] = re.findall(r"sed '(.*?)'", PAGE)
    schema = json.loads(subprocess.check_output(["sed", program, path], text=True))
    assert schema["$schema"] == Draft4Validator.META_SCHEMA["$schema"]
    Draft4Validator.check_schema(schema)
    [example] = schema["examples"]
    assert Draft4Validator(schema).is_valid(example)
    del example["detail"]["booking"]["status"]
    assert not Draft4Validator(schema).is_valid(example)

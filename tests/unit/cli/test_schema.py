"""bookings/zoom/schema.py: current, and made from nothing that it would lose."""

import runpy
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from bookings.zoom.rules import whole
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cli import schema

OPEN = ConfigDict(extra="allow", strict=True)


def test_the_file_is_what_the_models_say_now() -> None:
    assert schema.PATH.read_text(encoding="utf-8") == schema.text(), "run `make schema`"


def test_the_module_writes_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    written: dict[Path, str] = {}

    def write_text(path: Path, text: str, encoding: str) -> None:
        assert encoding == "utf-8"
        written[path] = text

    monkeypatch.setattr(Path, "write_text", write_text)
    runpy.run_path(schema.__file__, run_name="__main__")

    assert written == {schema.PATH: schema.text()}


def frozen(annotation: Any, default: Any = ..., config: ConfigDict = OPEN) -> str:
    """Returns the module made from one model with one field."""
    namespace = {"model_config": config, "__annotations__": {"field": annotation}}
    if default is not ...:
        namespace["field"] = default
    return schema.text([type("Small", (BaseModel,), namespace)])


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (bool, {"type": "bool"}),
        (Literal["a", "b"], {"type": "literal", "expected": ["a", "b"]}),
        (list[Any], {"type": "list", "items_schema": {"type": "any"}}),
        (Annotated[int, Field(ge=1)], {"type": "int", "ge": 1}),
        (str | None, {"type": "nullable", "schema": {"type": "str"}}),
        (
            Annotated[str, BeforeValidator(whole)],
            {
                "type": "function-before",
                "function": {"type": "no-info", "function": whole},
                "schema": {"type": "str"},
            },
        ),
    ],
)
@pytest.mark.parametrize("required", [True, False])
def test_a_model_is_a_dictionary_in_the_cores_words(
    annotation: Any, said: dict[str, Any], required: bool, tmp_path: Path
) -> None:
    module = tmp_path / "module.py"
    module.write_text(frozen(annotation, ... if required else None))

    assert runpy.run_path(str(module))["SMALL"] == {
        "type": "typed-dict",
        "config": {"extra_fields_behavior": "allow", "strict": True},
        "total": False,
        "fields": {
            "field": {"type": "typed-dict-field", "schema": said} | ({"required": True} if required else {})
        },
    }


def test_what_the_models_have_a_name_for_is_said_once_and_by_that_name() -> None:
    written = frozen(str | None)

    assert written.count('{"type": "nullable", "schema": {"type": "str"}}') == 1
    assert '"schema": TEXT' in written


class Twisted(BaseModel):
    model_config = OPEN

    @model_validator(mode="after")
    def twist(self) -> "Twisted":
        return self


class Endless(BaseModel):
    model_config = OPEN
    inner: "Endless | None" = None


def anything(value: object) -> object:
    return value


@pytest.mark.parametrize(
    ("annotation", "default", "config"),
    [
        (Annotated[str, Field(max_length=5)], ..., OPEN),
        (Annotated[str, Field(pattern="a+")], ..., OPEN),
        (Annotated[list[str], Field(min_length=1)], ..., OPEN),
        (Annotated[int, Field(multiple_of=2)], ..., OPEN),
        (Annotated[str, Field(validation_alias="other")], ..., OPEN),
        (Annotated[str, AfterValidator(whole)], ..., OPEN),
        (Annotated[str, BeforeValidator(anything)], ..., OPEN),
        (Annotated[str, BeforeValidator(lambda value, _info: value)], ..., OPEN),
        (float, ..., OPEN),
        (int | str, ..., OPEN),
        (Twisted, ..., OPEN),
        (Endless, ..., OPEN),
        (str | None, "text", OPEN),
        (str, ..., ConfigDict(extra="allow")),
        (str, ..., ConfigDict(strict=True)),
        (str, ..., ConfigDict(extra="forbid", strict=True)),
        (str, ..., OPEN | ConfigDict(str_strip_whitespace=True)),
    ],
)
def test_what_would_be_lost_is_refused(annotation: Any, default: Any, config: ConfigDict) -> None:
    with pytest.raises(schema.CanNotBeFrozen):
        frozen(annotation, default, config)

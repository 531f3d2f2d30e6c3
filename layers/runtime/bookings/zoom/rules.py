"""What models and schema say in code: how a value is read before its type is looked at."""


def whole(value: object) -> object:
    """JSON has one kind of number: 1.0 is the integer 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def blank_as_none(value: object) -> object:
    return None if value == "" else value

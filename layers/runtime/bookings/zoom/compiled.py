"""pydantic's compiled core, without the Python around it.

`import pydantic_core` defines a hundred typed dictionaries first, which describe schemas to type checkers.
That takes ten times as long as loading the core, 13 ms of CPU (decision 0019), and nothing here reads them.
"""

from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = ["SchemaValidator", "ValidationError"]


def _load() -> ModuleType:
    """Returns the extension module, as its package would import it; beside that one its classes are the same.

    Raises:
        ImportError: the package is not there, or has no such module any more.
    """
    package = find_spec("pydantic_core")  # looks where it is, and does not import it
    name = "pydantic_core._pydantic_core"
    spec = PathFinder.find_spec(name, package.submodule_search_locations) if package else None
    if spec is None or spec.loader is None:
        raise ImportError(f"there is no {name}")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if TYPE_CHECKING:
    from pydantic_core import SchemaValidator, ValidationError
else:
    _core = _load()
    SchemaValidator, ValidationError = _core.SchemaValidator, _core.ValidationError

"""A client that looks like boto3's, before a strict service in this process."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, Protocol

import botocore.session
from botocore import xform_name
from botocore.errorfactory import BaseClientExceptions, ClientExceptionsFactory
from botocore.exceptions import ClientError, ParamValidationError
from botocore.model import ServiceModel
from botocore.paginate import Paginator, PaginatorModel
from botocore.validate import ParamValidator

from tests.aws.errors import AWSError


class Service(Protocol):
    def call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]: ...


class StrictClient:
    """Has the methods, the exceptions and the answers of a boto3 client.

    Every call goes through `_invoke`, which a subclass may override to let it fail, wait or die on either
    side of what the service does. An AWSError that leaves `_invoke` becomes the exception that botocore would
    raise; anything else passes.

    Args:
        service_name: as boto3 says it, such as "dynamodb".
        validate: check the parameters by the service's model first, as botocore does; it takes longer than
            the call itself.
    """

    exceptions: Any  # has a class for each error of the service's model, as boto3's has

    def __init__(self, service_name: str, service: Service, *, validate: bool = False) -> None:
        self._service_name = service_name
        self._service = service
        self._validate = validate
        self._operations = operation_names(service_name)
        self.exceptions = exceptions_of(service_name)

    def _invoke(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return self._service.call(operation, parameters)

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        """Returns the method of an operation, and doesn't keep it: a client must not refer to itself."""
        operation = None if name.startswith("_") else self._operations.get(name)
        if operation is None:
            raise AttributeError(name)
        return partial(self._call, operation)

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        if self._validate:
            check_parameters(self._service_name, operation, parameters)
        try:
            answer = self._invoke(operation, parameters)
        except AWSError as error:
            raise error.to_client_error(operation, _class_of(self.exceptions, error.code)) from None
        answer["ResponseMetadata"] = {"HTTPStatusCode": 200, "HTTPHeaders": {}, "RetryAttempts": 0}
        return answer

    def get_paginator(self, name: str) -> "Paginator[Any]":
        config = _paginator_model(self._service_name).get_paginator(self._operations[name])
        model = service_model(self._service_name).operation_model(self._operations[name])
        return Paginator(getattr(self, name), config, model)


def _class_of(exceptions: BaseClientExceptions, code: str) -> type[ClientError]:
    kind: Any = exceptions.from_code(code)  # a class, whatever the stubs say
    found: type[ClientError] = kind
    return found


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


@cache
def service_model(service_name: str) -> ServiceModel:
    """Returns botocore's model of a service; loaded once, for it takes a tenth of a second."""
    return _session().get_service_model(service_name)


@cache
def operation_names(service_name: str) -> dict[str, str]:
    """Returns the operations by the names that a client's methods have."""
    return {xform_name(name): name for name in service_model(service_name).operation_names}


_exceptions = ClientExceptionsFactory()


@cache
def exceptions_of(service_name: str) -> BaseClientExceptions:
    return _exceptions.create_client_exceptions(service_model(service_name))


@cache
def _paginator_model(service_name: str) -> PaginatorModel:
    loader: Any = _session().get_component("data_loader")
    return PaginatorModel(loader.load_service_model(service_name, "paginators-1"))


def check_parameters(service_name: str, operation: str, parameters: Mapping[str, Any]) -> None:
    """Refuses what botocore refuses before it sends anything.

    Raises:
        ParamValidationError: as a boto3 client does.
    """
    shape = service_model(service_name).operation_model(operation).input_shape
    assert shape is not None, "each operation here has parameters"
    report = ParamValidator().validate(parameters, shape)
    if report.has_errors():
        raise ParamValidationError(report=report.generate_report())

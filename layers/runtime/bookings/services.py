"""How the services behind the ports fail, whichever technology they are."""

from bookings.errors import BookingsError


class ServiceError(BookingsError):
    """A call to a service did not do what was asked. The message names the service and its error code."""


class ServiceUnavailable(ServiceError):
    """The service is down, too slow, throttling or not permitted: the same call may succeed later.

    Attributes:
        answered: the service did answer, so that trying again at once is worth it.
    """

    def __init__(self, message: str, *, answered: bool = False) -> None:
        super().__init__(message)
        self.answered = answered


class RefusedByService(ServiceError):
    """The service refuses this very thing (malformed, too large): trying again is of no use."""

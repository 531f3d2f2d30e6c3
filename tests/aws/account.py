"""Where the strict services stand, and ids that are the same in every run."""

ACCOUNT = "123456789012"
REGION = "us-east-1"


def counted_uuid(service: int, number: int) -> str:
    """Returns an id in the form of a random UUID that tells only which service counted how far."""
    return f"{number >> 32 & 0xFFFFFFFF:08x}-{number >> 16 & 0xFFFF:04x}-4{service:03x}-8000-{number:012x}"

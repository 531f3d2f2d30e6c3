"""Which functions of ours are which part of a warm call.

Named as `module:name`, where they are looked up when they are called. A name that is gone is an error, and
the place to say what took its part.
"""

WEBHOOK: dict[str, list[str]] = {
    "verification": [
        "bookings.live_secrets:LiveSecrets.values",
        "bookings.receive:check_form",
        "bookings.receive:verify",
    ],
    "validation": [
        "bookings.receive:event_id_of",
        "bookings.receive:identify",
        "bookings.receive:parse_body",
    ],
    "publishing": ["bookings.publish:Publisher.publish"],
    "logging": [
        "bookings.observability:count",
        "bookings.observability:logger.append_keys",
        "bookings.observability:logger.info",
        "bookings.observability:metrics.provider.flush_metrics",
    ],
}

REST = "the rest"
"""What is in none of the parts: decorators, the event's translation, the use case itself."""

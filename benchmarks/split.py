"""Which functions of ours are which part of a warm call.

Named as `module:name`, where they are looked up when they are called. A name that is gone is an error, and
the place to say what took its part.
"""

WEBHOOK: dict[str, list[str]] = {
    "verification": [
        "bookings.use_cases.live_secrets:LiveSecrets.values",
        "bookings.use_cases.verify:check_form",
        "bookings.use_cases.verify:verify",
    ],
    "validation": [
        "bookings.use_cases.receive:event_id_of",
        "bookings.use_cases.receive:identify",
        "bookings.use_cases.receive:parse_body",
    ],
    "publishing": ["bookings.use_cases.publish:Publisher.publish"],
    "logging": [
        "bookings.observability:count",
        "bookings.observability:logger.append_keys",
        "bookings.observability:logger.info",
        "bookings.observability:metrics.provider.flush_metrics",
    ],
}

REST = "the rest"
"""What is in none of the parts: decorators, the event's translation, the use case itself."""

"""What the two events must be, for pydantic's compiled core. Made from `models.py` by `make schema`; a change
here is lost.
"""

from typing import Any

from bookings.zoom.rules import blank_as_none, whole

_Schema = dict[str, Any]

_OPEN = {"extra_fields_behavior": "allow", "strict": True}

INTEGER: _Schema = {
    "type": "function-before",
    "function": {"type": "no-info", "function": whole},
    "schema": {"type": "int", "ge": -9223372036854775808, "le": 9223372036854775807},
}

TIMESTAMP: _Schema = {
    "type": "function-before",
    "function": {"type": "no-info", "function": whole},
    "schema": {"type": "int", "ge": 0, "le": 9223372036854775807},
}

TEXT: _Schema = {"type": "nullable", "schema": {"type": "str"}}

FLAG: _Schema = {
    "type": "function-before",
    "function": {"type": "no-info", "function": blank_as_none},
    "schema": {"type": "nullable", "schema": {"type": "bool"}},
}

ANSWER: _Schema = {
    "type": "typed-dict",
    "config": _OPEN,
    "total": False,
    "fields": {
        "question": {"type": "typed-dict-field", "schema": {"type": "str"}, "required": True},
        "position": {"type": "typed-dict-field", "schema": INTEGER, "required": True},
        "answer": {
            "type": "typed-dict-field",
            "schema": {"type": "list", "items_schema": {"type": "str"}},
            "required": True,
        },
    },
}

ATTENDEE: _Schema = {
    "type": "typed-dict",
    "config": _OPEN,
    "total": False,
    "fields": {
        "display_name": {"type": "typed-dict-field", "schema": TEXT},
        "email": {"type": "typed-dict-field", "schema": TEXT},
    },
}

COUNT: _Schema = {
    "type": "function-before",
    "function": {"type": "no-info", "function": blank_as_none},
    "schema": {"type": "nullable", "schema": INTEGER},
}

INVITEE_COUNTERS: _Schema = {
    "type": "typed-dict",
    "config": _OPEN,
    "total": False,
    "fields": {
        "total": {"type": "typed-dict-field", "schema": COUNT},
        "active": {"type": "typed-dict-field", "schema": COUNT},
        "limit": {"type": "typed-dict-field", "schema": COUNT},
    },
}

OPEN_OBJECT: _Schema = {
    "type": "function-before",
    "function": {"type": "no-info", "function": blank_as_none},
    "schema": {
        "type": "nullable",
        "schema": {"type": "dict", "keys_schema": {"type": "str"}, "values_schema": {"type": "any"}},
    },
}

SCHEDULED_EVENT: _Schema = {
    "type": "typed-dict",
    "config": _OPEN,
    "total": False,
    "fields": {
        "event_id": {"type": "typed-dict-field", "schema": TEXT},
        "summary": {"type": "typed-dict-field", "schema": TEXT},
        "start_date_time": {"type": "typed-dict-field", "schema": TEXT},
        "end_date_time": {"type": "typed-dict-field", "schema": TEXT},
        "status": {"type": "typed-dict-field", "schema": TEXT},
        "created": {"type": "typed-dict-field", "schema": TEXT},
        "updated": {"type": "typed-dict-field", "schema": TEXT},
        "attendees": {
            "type": "typed-dict-field",
            "schema": {
                "type": "function-before",
                "function": {"type": "no-info", "function": blank_as_none},
                "schema": {"type": "nullable", "schema": {"type": "list", "items_schema": ATTENDEE}},
            },
        },
        "guests": {
            "type": "typed-dict-field",
            "schema": {
                "type": "function-before",
                "function": {"type": "no-info", "function": blank_as_none},
                "schema": {"type": "nullable", "schema": {"type": "list", "items_schema": {"type": "str"}}},
            },
        },
        "invitee_counters": {
            "type": "typed-dict-field",
            "schema": {
                "type": "function-before",
                "function": {"type": "no-info", "function": blank_as_none},
                "schema": {"type": "nullable", "schema": INVITEE_COUNTERS},
            },
        },
        "location_kind": {"type": "typed-dict-field", "schema": TEXT},
        "location": {"type": "typed-dict-field", "schema": OPEN_OBJECT},
        "external_location": {"type": "typed-dict-field", "schema": OPEN_OBJECT},
        "meeting_notes": {"type": "typed-dict-field", "schema": TEXT},
    },
}

TRACKING: _Schema = {
    "type": "typed-dict",
    "config": _OPEN,
    "total": False,
    "fields": {
        "utm_source": {"type": "typed-dict-field", "schema": TEXT},
        "utm_medium": {"type": "typed-dict-field", "schema": TEXT},
        "utm_campaign": {"type": "typed-dict-field", "schema": TEXT},
        "utm_content": {"type": "typed-dict-field", "schema": TEXT},
        "utm_term": {"type": "typed-dict-field", "schema": TEXT},
        "salesforce_ids": {
            "type": "typed-dict-field",
            "schema": {
                "type": "function-before",
                "function": {"type": "no-info", "function": blank_as_none},
                "schema": {
                    "type": "nullable",
                    "schema": {
                        "type": "list",
                        "items_schema": {
                            "type": "dict",
                            "keys_schema": {"type": "str"},
                            "values_schema": {"type": "any"},
                        },
                    },
                },
            },
        },
    },
}

CREATED_OBJECT: _Schema = {
    "type": "typed-dict",
    "config": _OPEN,
    "total": False,
    "fields": {
        "invitee_email": {"type": "typed-dict-field", "schema": TEXT},
        "invitee_first_name": {"type": "typed-dict-field", "schema": TEXT},
        "invitee_last_name": {"type": "typed-dict-field", "schema": TEXT},
        "text_phone_number": {"type": "typed-dict-field", "schema": TEXT},
        "time_zone": {"type": "typed-dict-field", "schema": TEXT},
        "manage_url": {"type": "typed-dict-field", "schema": TEXT},
        "created": {"type": "typed-dict-field", "schema": TEXT},
        "rescheduled": {"type": "typed-dict-field", "schema": FLAG},
        "questions_and_answers": {
            "type": "typed-dict-field",
            "schema": {
                "type": "function-before",
                "function": {"type": "no-info", "function": blank_as_none},
                "schema": {"type": "nullable", "schema": {"type": "list", "items_schema": ANSWER}},
            },
        },
        "scheduled_event": {
            "type": "typed-dict-field",
            "schema": {
                "type": "function-before",
                "function": {"type": "no-info", "function": blank_as_none},
                "schema": {"type": "nullable", "schema": SCHEDULED_EVENT},
            },
        },
        "tracking": {
            "type": "typed-dict-field",
            "schema": {
                "type": "function-before",
                "function": {"type": "no-info", "function": blank_as_none},
                "schema": {"type": "nullable", "schema": TRACKING},
            },
        },
    },
}

CREATED_PAYLOAD: _Schema = {
    "type": "typed-dict",
    "config": _OPEN,
    "total": False,
    "fields": {
        "account_id": {"type": "typed-dict-field", "schema": TEXT},
        "user_id": {"type": "typed-dict-field", "schema": TEXT},
        "object": {
            "type": "typed-dict-field",
            "schema": {
                "type": "function-before",
                "function": {"type": "no-info", "function": blank_as_none},
                "schema": {"type": "nullable", "schema": CREATED_OBJECT},
            },
        },
    },
}

SCHEDULED_EVENT_CREATED: _Schema = {
    "type": "typed-dict",
    "config": _OPEN,
    "total": False,
    "fields": {
        "event": {
            "type": "typed-dict-field",
            "schema": {"type": "literal", "expected": ["scheduler.scheduled_event_created"]},
            "required": True,
        },
        "event_ts": {"type": "typed-dict-field", "schema": TIMESTAMP, "required": True},
        "payload": {"type": "typed-dict-field", "schema": CREATED_PAYLOAD, "required": True},
    },
}

CANCELLATION: _Schema = {
    "type": "typed-dict",
    "config": _OPEN,
    "total": False,
    "fields": {
        "canceled_by": {"type": "typed-dict-field", "schema": TEXT},
        "canceler_type": {"type": "typed-dict-field", "schema": TEXT},
        "cancel_at": {"type": "typed-dict-field", "schema": TEXT},
        "reason": {"type": "typed-dict-field", "schema": TEXT},
    },
}

CANCELED_OBJECT: _Schema = {
    "type": "typed-dict",
    "config": _OPEN,
    "total": False,
    "fields": {
        "invitee_email": {"type": "typed-dict-field", "schema": TEXT},
        "invitee_first_name": {"type": "typed-dict-field", "schema": TEXT},
        "invitee_last_name": {"type": "typed-dict-field", "schema": TEXT},
        "text_phone_number": {"type": "typed-dict-field", "schema": TEXT},
        "time_zone": {"type": "typed-dict-field", "schema": TEXT},
        "manage_url": {"type": "typed-dict-field", "schema": TEXT},
        "created": {"type": "typed-dict-field", "schema": TEXT},
        "rescheduled": {"type": "typed-dict-field", "schema": FLAG},
        "questions_and_answers": {
            "type": "typed-dict-field",
            "schema": {
                "type": "function-before",
                "function": {"type": "no-info", "function": blank_as_none},
                "schema": {"type": "nullable", "schema": {"type": "list", "items_schema": ANSWER}},
            },
        },
        "scheduled_event": {
            "type": "typed-dict-field",
            "schema": {
                "type": "function-before",
                "function": {"type": "no-info", "function": blank_as_none},
                "schema": {"type": "nullable", "schema": SCHEDULED_EVENT},
            },
        },
        "tracking": {
            "type": "typed-dict-field",
            "schema": {
                "type": "function-before",
                "function": {"type": "no-info", "function": blank_as_none},
                "schema": {"type": "nullable", "schema": TRACKING},
            },
        },
        "cancellation": {
            "type": "typed-dict-field",
            "schema": {
                "type": "function-before",
                "function": {"type": "no-info", "function": blank_as_none},
                "schema": {"type": "nullable", "schema": CANCELLATION},
            },
        },
    },
}

CANCELED_PAYLOAD: _Schema = {
    "type": "typed-dict",
    "config": _OPEN,
    "total": False,
    "fields": {
        "account_id": {"type": "typed-dict-field", "schema": TEXT},
        "user_id": {"type": "typed-dict-field", "schema": TEXT},
        "object": {
            "type": "typed-dict-field",
            "schema": {
                "type": "function-before",
                "function": {"type": "no-info", "function": blank_as_none},
                "schema": {"type": "nullable", "schema": CANCELED_OBJECT},
            },
        },
    },
}

SCHEDULED_EVENT_CANCELED: _Schema = {
    "type": "typed-dict",
    "config": _OPEN,
    "total": False,
    "fields": {
        "event": {
            "type": "typed-dict-field",
            "schema": {"type": "literal", "expected": ["scheduler.scheduled_event_canceled"]},
            "required": True,
        },
        "event_ts": {"type": "typed-dict-field", "schema": TIMESTAMP, "required": True},
        "payload": {"type": "typed-dict-field", "schema": CANCELED_PAYLOAD, "required": True},
    },
}

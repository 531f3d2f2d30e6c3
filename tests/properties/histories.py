"""Made-up histories of one booking.

Few values, so that times collide, half-moves meet and details are missing now and then.
"""

from typing import Any

from hypothesis import strategies as st

from bookings.limits import MOVE_WINDOW_MS
from tests.samples import MORNING_MS, canceled, created

BODIES: st.SearchStrategy[dict[str, Any]] = st.builds(
    lambda make, at, changes: make(MORNING_MS + at, **changes),
    st.sampled_from([created, canceled]),
    st.sampled_from([0, 1, 1000, MOVE_WINDOW_MS, MOVE_WINDOW_MS + 1, 2 * MOVE_WINDOW_MS]),
    st.fixed_dictionaries(
        {"rescheduled": st.sampled_from([True, False, None])},
        optional={
            "summary": st.sampled_from(["a", "b", "", None]),
            "guests": st.sampled_from([["g@example.com"], [], None]),
            "start_date_time": st.sampled_from(["2026-11-25T16:00:00Z", "", "never"]),
            "cancellation": st.sampled_from([{"reason": "x"}, {"reason": ""}, None]),
            "created": st.sampled_from(["2026-11-20T09:00:00Z", ""]),
            "invitee_first_name": st.sampled_from(["Ann", ""]),
            "payment": st.sampled_from([{"status": "paid"}, None]),
        },
    ),
)
"""Bodies of either event, all of one booking."""

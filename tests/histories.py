"""Made-up histories of one booking.

Few values, so that times collide, half-moves meet and details are missing now and then.
"""

from typing import Any

from hypothesis import strategies as st

from bookings.domain.booking import Delivery
from bookings.limits import MOVE_WINDOW_MS
from bookings.zoom.delivery import to_delivery
from tests.samples import MORNING_MS, canceled, created

SECOND = 1000
MINUTE = MOVE_WINDOW_MS

BODIES: st.SearchStrategy[dict[str, Any]] = st.builds(
    lambda make, at, changes: make(MORNING_MS + at, **changes),
    st.sampled_from([created, canceled]),
    st.sampled_from([0, 1, SECOND, MINUTE, MINUTE + 1, 2 * MINUTE]),
    st.fixed_dictionaries(
        {"rescheduled": st.sampled_from([True, False, None])},
        optional={
            "summary": st.sampled_from(["a", "b", "", None]),
            "guests": st.sampled_from([["g@example.com"], [], None]),
            "start_date_time": st.sampled_from(["2026-11-25T16:00:00Z", "", "never"]),
            "cancellation": st.sampled_from([{"reason": "x"}, {"reason": ""}, None]),
            "created": st.sampled_from(["2026-11-20T09:00:00Z", ""]),
            "invitee_first_name": st.sampled_from(["Ann", ""]),
            "text_phone_number": st.sampled_from(["+1", None]),
        },
    ),
)
"""Bodies of either event, all of one booking."""


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Delivery], list[Delivery]]:
    """Draws a history, and the same one shuffled with some of it delivered more than once."""
    history = draw(
        st.lists(BODIES, min_size=1, max_size=7).map(lambda bodies: [to_delivery(b) for b in bodies])
    )
    again = history + draw(st.lists(st.sampled_from(history), max_size=5))
    return history, draw(st.permutations(again))

"""Hypothesis as these tests want it."""

from hypothesis import HealthCheck, settings

# No time limit an example: two cores may be busy with something else. A failing example prints its seed.
settings.register_profile(
    "properties", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("properties")

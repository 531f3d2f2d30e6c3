"""Zoom Scheduler bookings: what the four functions share."""

"""The domain: bookings and the events about them. No I/O, no word of Zoom or AWS."""

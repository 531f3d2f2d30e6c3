"""`python -m local`: what `bookings local` does."""

from local.commands import app

app()

"""`python -m cli.local`: what `bookings local` does."""

from cli.local.commands import app

app()

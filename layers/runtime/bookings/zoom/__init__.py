"""Zoom's words: its signature, its challenge, its events. They are translated here and known nowhere else."""

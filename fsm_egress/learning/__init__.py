"""Policies learned from traffic that was seen, with what they open beyond it and how much is still unseen."""

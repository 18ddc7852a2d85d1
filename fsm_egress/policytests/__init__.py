"""Tests for policies: files that say what is expected of connections, how they fare, and what they cover."""

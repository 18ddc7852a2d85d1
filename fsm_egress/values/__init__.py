"""The ground: addresses, immutable values, where things were written, errors, and what notebooks show."""

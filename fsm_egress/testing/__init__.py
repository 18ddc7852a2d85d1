"""For tests: Hypothesis strategies, and the plugins of Hypothesis and pytest."""

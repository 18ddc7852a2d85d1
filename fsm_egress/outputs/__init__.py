"""Answers for other tools: data frames, SARIF, JUnit, pages and graphs."""

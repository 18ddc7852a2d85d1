"""Answers as SMT-LIB scripts that any solver checks, by a third reading of the specification."""

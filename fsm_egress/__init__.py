"""The egress decision model of FSM (Flomesh Service Mesh)."""

__version__ = "0.1.0"

"""The command line `fsm-egress`, the one place that reads streams and writes files."""

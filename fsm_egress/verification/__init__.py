"""The decision against the sidecar, and against what a stock `fsm-controller` would write."""

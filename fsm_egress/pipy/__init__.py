"""What the sidecar reads: the Pipy config of a resolved policy."""

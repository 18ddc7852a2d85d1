"""Which connections of a pod reach its sidecar: whether it has one, and under which lists."""

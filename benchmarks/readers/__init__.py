"""Egress policies read from JSON by others, each as strictly as it allows."""

"""What FSM's scripts look at of a config, without the secrets in it."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from ..values.secrecy import unless_empty

__all__ = ["bare_tree"]

LOOKED_AT = ("Certificate", "Chains", "Forward", "Outbound")
SWITCHES = ("FeatureFlags", "Traffic")
PLUGINS = "Plugins"  # what they are told may be a secret
CERTIFICATES = ("CertChain", "IssuingCA")
HASHED = "sha256:"


def bare_tree(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with a mark in the place of each private key, and the digest in that of each certificate.

    What comes of it is its own bare tree.
    """
    spec = config.get("Spec") or {}
    kept = {name: _bare(config[name]) for name in LOOKED_AT if name in config}
    return {**kept, "Spec": {name: _bare(spec[name]) for name in SWITCHES if name in spec}}


def _bare(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _entry(key, item) for key, item in value.items() if key != PLUGINS}
    if isinstance(value, (list, tuple)):
        return [_bare(item) for item in value]
    return value


def _entry(key: str, value: Any) -> Any:
    if isinstance(value, str) and value:
        if key == "PrivateKey":
            return unless_empty(value)
        if key in CERTIFICATES and not value.startswith(HASHED):
            return f"{HASHED}{sha256(value.encode()).hexdigest()}"
    return _bare(value)

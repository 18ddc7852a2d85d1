"""Meshes whose policies meet on one port: protocols, ranges, hosts and certificates against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from small import Document, config, egress, load

if TYPE_CHECKING:
    import fsm_egress as fe

__all__ = ["POLICIES", "half", "mesh_of"]

RANGES = [f"20.{number}.0.0/16" for number in range(4)] + ["20.0.0.0/8", "20.1.1.0/24", "2001:db8::/32"]
HOSTS = [f"{letter}.com" for letter in "abcdef"]
CERTIFICATES: tuple[dict[str, Any] | None, ...] = (None, None, None, {"issuer": "other"}, {"issuer": "FSM"})
POLICIES = st.lists(
    st.tuples(
        st.sampled_from(("https", "https", "https", "http", "tcp")),
        st.lists(st.sampled_from(HOSTS), max_size=3, unique=True),
        st.lists(st.sampled_from(RANGES), max_size=2, unique=True),
        st.sampled_from(CERTIFICATES),
    ),
    max_size=7,
)
"""Policies that meet on one port: protocol, hosts, ranges, and whose certificate they show."""


def mesh_of(drawn: list[Any], settings: Document | None = None) -> fe.Snapshot:
    return load(
        settings or config(),
        *(
            egress(f"p{number}", f"{protocol} 443", hosts=hosts, ipAddresses=ranges, mtls=mtls)
            for number, (protocol, hosts, ranges, mtls) in enumerate(drawn)
        ),
    )


def half(count: int) -> fe.Snapshot:
    """Policies for a host each, every other one in a range of its own."""
    ranges = ([[f"20.0.{it}.0/24"], []][it % 2] for it in range(count))
    return load(
        *(
            egress(f"p{it}", "https 443", hosts=[f"h{it}.com"], ipAddresses=where)
            for it, where in enumerate(ranges)
        )
    )

"""Connections as people describe them; `test_connection.py` makes them, this reads what stands in a text."""

from __future__ import annotations

import pytest

from fsm_egress.connections.descriptions import split_socket_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("54.9.9.9:443", ("54.9.9.9", 443)),
        ("[2001:db8::5]:443", ("2001:db8::5", 443)),
        ("2001:db8::5:443", None),
        ("54.9.9.9", None),
        ("54.9.9.9:http", None),
    ],
)
def test_socket_addresses(text: str, expected: tuple[str, int] | None) -> None:
    assert split_socket_address(text) == expected

"""A day of a shop's traffic, made up: `python examples/open-to-closed/day.py > access.jsonl`.

There are three accounts: `checkout` calls two hosts of a payment service and asks for exchange rates, as
`web` does, and `orders` writes to four databases. At the end of the day `web` goes where it has never been.
The same records come out each time.
"""

from __future__ import annotations

import json
import sys
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START = 1_790_000_000  # 2026-09-21T14:13:20Z
RECORDS = 600
PAUSE = (20, 120)  # seconds between two connections


def records(seed: int = 20) -> Iterator[dict[str, Any]]:
    """The records of the day, in order of time."""
    random = Random(seed)  # noqa: S311  # because nothing here is secret
    time = START
    for _ in range(RECORDS):
        time += random.randrange(*PAUSE)
        (made,) = random.choices(list(SHARES), list(SHARES.values()))
        yield {"time": time, **made(random)}
    time += random.randrange(*PAUSE)
    yield {
        "time": time,
        "identity": "web.shop",
        "destination": "203.0.113.77:443",
        "server_name": "fonts.example",
    }


def _payment(random: Random) -> dict[str, Any]:
    """TLS with a server name; the addresses of both names are the same."""
    (name,) = random.choices(["api.payments.example", "hooks.payments.example"], [7, 3])
    destination = f"203.0.113.{random.randrange(10, 14)}:443"
    return {"identity": "checkout.shop", "destination": destination, "server_name": name}


def _rates(random: Random) -> dict[str, Any]:
    """Plain HTTP: the last segment of the path is another number each time."""
    return {
        "identity": random.choice(["checkout.shop", "web.shop"]),
        "destination": "198.51.100.7:80",
        "host": "rates.example",
        "method": "GET",
        "path": f"/rates/{random.choice(['EUR', 'USD'])}/{random.randrange(400)}",
    }


def _database(random: Random) -> dict[str, Any]:
    """Neither a name nor HTTP: an address alone."""
    return {"identity": "orders.shop", "destination": f"192.0.2.{random.choice([4, 5, 6, 9])}:5432"}


SHARES: dict[Callable[[Random], dict[str, Any]], int] = {_payment: 50, _rates: 30, _database: 20}


if __name__ == "__main__":
    for record in records():
        sys.stdout.write(f"{json.dumps(record)}\n")

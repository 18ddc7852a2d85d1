"""Moments as logs write them, against the standard library's own."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_egress.values.errors import InvalidValue
from fsm_egress.values.times import read_time, spelled_time

MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(9998, 12, 30))  # noqa: DTZ001  # because the zone is drawn
ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(MOMENTS, ZONES)
def test_law_a_moment_is_read_as_the_standard_library_reads_it(moment: datetime, zone: timezone) -> None:
    written = moment.replace(tzinfo=zone)
    assert read_time(written.isoformat()) == pytest.approx(written.timestamp(), abs=1e-5)


@given(MOMENTS)
def test_law_what_is_spelled_is_read_again(moment: datetime) -> None:
    whole = moment.replace(microsecond=0, tzinfo=timezone.utc)
    assert spelled_time(whole.timestamp()) == whole.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
    assert read_time(spelled_time(whole.timestamp())) == whole.timestamp()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0.0),
        (1_790_000_000, 1_790_000_000.0),
        (1_790_000_000_123, 1_790_000_000.123),
        (1_790_000_000_123_456, 1_790_000_000.123456),
        (1_790_000_000_123_456_789, 1_790_000_000.1234567),
        (1.5, 1.5),
        ("1790000000.25", 1_790_000_000.25),
        ("2026-11-30T03:34:00Z", 1_796_009_640.0),
        ("2026-11-30 03:34:00.5", 1_796_009_640.5),
        ("2026-11-30t04:34:00+0100", 1_796_009_640.0),
        ("2026-11-30T03:34:00.123456789123Z", 1_796_009_640.123456789),
    ],
)
def test_a_moment(value: object, seconds: float) -> None:
    assert read_time(value) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -1,
        float("nan"),
        10**30,
        "",
        "now",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        [],
    ],
)
def test_what_is_no_moment_is_told(value: object) -> None:
    with pytest.raises(InvalidValue, match="a moment, as RFC 3339 writes it"):
        read_time(value)

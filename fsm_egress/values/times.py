"""Moments as logs write them: RFC 3339, and the time since 1970 in seconds, milli-, micro- or nanoseconds."""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from typing import Any

from .errors import InvalidValue

__all__ = ["read_time", "spelled_time"]

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d{1,9})?\d*([Zz]|[+-]\d\d:?\d\d)?", re.ASCII
)
_NUMBER = re.compile(r"\d{1,19}(\.\d+)?", re.ASCII)
_DAY = 86_400
_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
LATEST = 253_402_300_800  # seconds: the end of the year 9999
_EXPECTED = "a moment, as RFC 3339 writes it or in seconds since 1970"


def read_time(value: Any) -> float:
    """A moment in seconds since 1970.

    A number is in seconds; one that would lie beyond the year 9999 is in the next finer unit (milliseconds,
    microseconds, nanoseconds). A text without a zone is in UTC.

    Raises:
        InvalidValue: it is none.
    """
    if isinstance(value, str):
        found = _RFC3339.fullmatch(value)
        if found:
            return _moment(found, value)
        value = float(value) if _NUMBER.fullmatch(value) else value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < LATEST * 1e9:
        raise InvalidValue.of(_EXPECTED, value)
    seconds = float(value)
    while seconds >= LATEST:
        seconds /= 1_000
    return seconds


def _moment(found: re.Match[str], text: str) -> float:
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    length = _MONTHS[month - 1] + (month == 2 and leap) if 1 <= month <= 12 else 0  # noqa: PLR2004  # because it is the calendar
    if year < 1970 or not 1 <= day <= length or hour > 23 or minute > 59 or second > 60:  # noqa: PLR2004  # ditto
        raise InvalidValue.of(_EXPECTED, text)
    days = _days(year) + sum(_MONTHS[: month - 1]) + (month > 2 and leap) + day - 1  # noqa: PLR2004  # ditto
    zone = found[8] or "Z"
    away = 0 if zone in "Zz" else int(zone[1:3]) * 3_600 + int(zone[-2:]) * 60
    offset = -away if zone[0] == "-" else away
    return days * _DAY + hour * 3_600 + minute * 60 + second - offset + float(found[7] or 0)


def _days(year: int) -> int:
    """The days from 1970 to the first of a year."""
    before = year - 1
    return (year - 1970) * 365 + (before // 4 - before // 100 + before // 400) - 477


def spelled_time(seconds: float) -> str:
    """A moment as RFC 3339 writes it, in UTC, to the second: `2026-11-30T03:34:00Z`."""
    whole = int(seconds)
    days, rest = divmod(whole, _DAY)
    year = 1970 + days // 366
    while _days(year + 1) <= days:
        year += 1
    day = days - _days(year)
    february = 28 + (_days(year + 1) - _days(year) == 366)  # noqa: PLR2004  # because it is the calendar
    begins = tuple(accumulate((_MONTHS[0], february, *_MONTHS[2:]), initial=0))
    month = bisect_right(begins, day)
    hour, minute, second = rest // 3_600, rest // 60 % 60, rest % 60
    return f"{year:04}-{month:02}-{day - begins[month - 1] + 1:02}T{hour:02}:{minute:02}:{second:02}Z"

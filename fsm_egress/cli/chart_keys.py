"""What a shell is offered behind `--set`: the keys of FSM's chart, and the values of those that have few."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    import click

__all__ = ["complete_settings"]

_BOOLEAN = ("true", "false")


def complete_settings(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Keys with `=` behind them, and behind that what a switch or a mode may be; a comma begins anew."""
    from ..documents.chart import CHART_KEYS  # noqa: PLC0415  # because only a shell asks for it

    before, comma, last = incomplete.rpartition(",")
    key, equals, value = last.partition("=")
    if not equals:
        return [CompletionItem(f"{before}{comma}{it}=") for it in CHART_KEYS if it.startswith(key)]
    values = _values_of(CHART_KEYS[key]) if key in CHART_KEYS else ()
    return [CompletionItem(f"{before}{comma}{key}={it}") for it in values if it.startswith(value)]


def _values_of(place: str) -> tuple[str, ...]:
    """What a field of a MeshConfig may be, where that is one of few words."""
    from ..manifests.wire_names import check_of  # noqa: PLC0415  # because ditto
    from ..resources import checks  # noqa: PLC0415  # because ditto
    from ..resources.meshconfig import MeshConfig  # noqa: PLC0415  # because ditto
    from ..resources.words import ServiceAccessMode  # noqa: PLC0415  # because ditto

    check = check_of(MeshConfig, place)
    if check in {checks.boolean, checks.optional_boolean}:
        return _BOOLEAN
    return tuple(ServiceAccessMode) if check is checks.service_access_mode else ()

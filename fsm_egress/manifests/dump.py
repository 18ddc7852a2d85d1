"""Resources -> JSON and YAML texts that `kubectl apply` takes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ..documents.yaml_scalars import is_plain_text
from ..resources.resource import Resource
from ..values.errors import MissingExtra
from ..values.typed import takes
from .writing import to_mapping

__all__ = ["dump_json", "dump_yaml", "yaml_text"]

_UNICODE_BREAKS = frozenset("\x85\u2028\u2029")  # YAML 1.1 folds them, so that a plain one reads as a space


@takes(resources=(Resource, Iterable))
def dump_json(resources: Resource | Iterable[Resource], *, indent: int | None = 2) -> str:
    """One resource as a JSON object, several as a `List`; it ends with a line break."""
    if isinstance(resources, Resource):
        tree = to_mapping(resources)
    else:
        tree = {"apiVersion": "v1", "kind": "List", "items": [to_mapping(resource) for resource in resources]}
    return json.dumps(tree, indent=indent, ensure_ascii=False) + "\n"


@takes(resources=(Resource, Iterable))
def dump_yaml(resources: Resource | Iterable[Resource]) -> str:
    """Resources as YAML, a document each; what YAML versions read differently is quoted.

    Raises:
        MissingExtra: PyYAML is not installed.
    """
    listed = [resources] if isinstance(resources, Resource) else resources
    return yaml_text(to_mapping(resource) for resource in listed)


def yaml_text(trees: Iterable[Any], *, only_ascii: bool = False) -> str:
    """JSON trees as YAML, a document each.

    Args:
        trees: mappings, lists and scalars.
        only_ascii: whether all other characters are escaped.

    Raises:
        MissingExtra: PyYAML is not installed.
    """
    try:
        import yaml  # noqa: PLC0415  # because YAML is an extra
    except ImportError:
        raise MissingExtra("writing YAML", "yaml") from None

    styles: dict[str, str | None] = {}  # most texts stand there many times

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # it has no other name
        """Writes every value where it stands, and no string that reads as something else."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # because PyYAML calls it so
            return True

        def represent_str(self, data: str) -> yaml.ScalarNode:
            if data not in styles:
                styles[data] = None if is_plain_text(data) and _UNICODE_BREAKS.isdisjoint(data) else '"'
            node: yaml.ScalarNode = self.represent_scalar("tag:yaml.org,2002:str", data, styles[data])
            return node

    Dumper.add_representer(str, Dumper.represent_str)
    text: str = yaml.dump_all(
        trees,
        Dumper=Dumper,
        sort_keys=False,
        allow_unicode=not only_ascii,
        explicit_start=True,
    )
    return text

"""The API group `machine.flomesh.io`: machines outside the cluster that are part of the mesh."""

from __future__ import annotations

from typing import ClassVar

from attrs import field

from ..values.construction import frozen
from ..values.net import Address
from . import checks
from .resource import Part, Resource, checked, part

__all__ = ["VirtualMachine", "VirtualMachineSpec"]


@frozen(field_transformer=checked)
class VirtualMachineSpec(Part):
    """`spec` of a VirtualMachine; its probes and services are carried along."""

    machine_ip: Address = field(converter=checks.address)
    service_account_name: str = field(default="", converter=checks.optional_name)


@frozen(field_transformer=checked)
class VirtualMachine(Resource):
    """A machine that runs under an account, and that services select by its labels, as they do pods."""

    kind: ClassVar[str] = "VirtualMachine"
    api_versions: ClassVar[tuple[str, ...]] = ("machine.flomesh.io/v1alpha1",)

    spec: VirtualMachineSpec = field(metadata=part(VirtualMachineSpec))

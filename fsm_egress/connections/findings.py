"""What is wrong with a mesh though every document in it is valid: findings with stable codes."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from attrs import Factory, field

from ..resources.subjects import Subject
from ..values.construction import frozen
from ..values.errors import InvalidValue, Severity
from ..values.notebook import Shown, Table
from ..values.references import FieldRef
from .connection import Connection

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Code", "Finding", "Findings", "stated"]


class Code(Enum):
    """Every finding there is: its stable code, how bad it is, and what it is called.

    A code keeps its meaning for ever; one that is no longer found keeps its number.
    """

    MISSING_UPSTREAM_TRAFFIC_SETTING = ("FSE001", Severity.ERROR)
    MISSING_HTTP_ROUTE_GROUP = ("FSE002", Severity.ERROR)
    SOURCE_KIND = ("FSE003", Severity.ERROR)
    MISSING_SECRET = ("FSE004", Severity.ERROR)
    CERTIFICATE_LOST = ("FSE005", Severity.WARNING)
    TLS_IN_TLS = ("FSE006", Severity.WARNING)
    SETTING_WITHOUT_EFFECT = ("FSE007", Severity.INFO)
    CONFLICTING_SETTINGS = ("FSE008", Severity.WARNING)
    WILDCARD_HOST = ("FSE009", Severity.WARNING)
    EGRESS_POLICY_FLAG_ABSENT = ("FSE010", Severity.WARNING)
    EGRESS_POLICIES_SWITCHED_OFF = ("FSE011", Severity.WARNING)
    PROTOCOLS_MEET = ("FSE012", Severity.WARNING)
    HTTP_WITHOUT_HOSTS = ("FSE013", Severity.WARNING)
    UNKNOWN_APP_PROTOCOL = ("FSE014", Severity.WARNING)
    HEADLESS_WITHOUT_ADDRESSES = ("FSE015", Severity.WARNING)
    NOT_TCP = ("FSE016", Severity.INFO)
    SHARED_ADDRESS = ("FSE017", Severity.WARNING)
    HTTP_AND_GRPC = ("FSE018", Severity.INFO)
    GATEWAY_MODE = ("FSE019", Severity.WARNING)
    UNUSABLE_GATEWAY = ("FSE020", Severity.WARNING)
    RETRY_WITHOUT_TIMES = ("FSE021", Severity.WARNING)
    MISSING_BACKEND = ("FSE022", Severity.WARNING)
    SHARED_HOSTNAME = ("FSE023", Severity.WARNING)
    IGNORED_TRAFFIC_TARGET = ("FSE024", Severity.WARNING)
    BAD_ANNOTATION = ("FSE025", Severity.ERROR)
    UNMONITORED_NAMESPACE = ("FSE026", Severity.WARNING)
    NO_ENDPOINTS = ("FSE027", Severity.INFO)
    EMPTY_PLUGIN_CHAIN = ("FSE028", Severity.WARNING)
    SERVER_NAME_NOT_COMPARED = ("FSE029", Severity.ERROR)
    SERVER_NAMES_BALANCED = ("FSE030", Severity.ERROR)
    PROTOCOL_NOT_COMPARED = ("FSE031", Severity.ERROR)
    MTLS_TO_OUTSIDE = ("FSE032", Severity.ERROR)
    GATEWAY_BYPASSED = ("FSE033", Severity.ERROR)
    IPV6_NOT_INTERCEPTED = ("FSE034", Severity.WARNING)
    HOST_LETTER_CASE = ("FSE035", Severity.INFO)
    UNKNOWN_METHOD = ("FSE036", Severity.INFO)
    PASSES_FOR_WANT_OF_TARGET = ("FSE037", Severity.ERROR)
    BACKEND_WITHOUT_ENDPOINTS = ("FSE038", Severity.WARNING)
    CERTIFICATE_UNUSABLE = ("FSE039", Severity.ERROR)
    DEFAULT_ROUTE_WITHOUT_HOSTS = ("FSE040", Severity.INFO)
    NOT_ENFORCED = ("FSE041", Severity.ERROR)
    NOT_DECIDED = ("FSE042", Severity.WARNING)
    NEIGHBOURS_RANGES = ("FSE050", Severity.ERROR)
    NEIGHBOURS_HOSTS = ("FSE051", Severity.ERROR)
    TLS_WITHOUT_HOSTS = ("FSE052", Severity.ERROR)
    RANGE_DROPPED = ("FSE053", Severity.ERROR)
    RANGE_PASSED_ON = ("FSE054", Severity.ERROR)
    GRPC_PORT = ("FSE055", Severity.ERROR)
    REFUSED_IN_FORCE = ("FSE056", Severity.WARNING)
    IPV6_ADDRESS_AS_RANGE = ("FSE057", Severity.WARNING)
    HEADER_NAME_AS_WRITTEN = ("FSE058", Severity.ERROR)
    NAMED_TWICE = ("FSE059", Severity.INFO)
    EGRESS_BEFORE_MESH = ("FSE060", Severity.ERROR)
    RANGES_LOST = ("FSE061", Severity.ERROR)
    CERTIFICATE_OF_NEIGHBOUR = ("FSE062", Severity.WARNING)
    IPV6_ENDPOINT_WITHOUT_PORT = ("FSE063", Severity.WARNING)
    PROTOCOLS_OVERLAP = ("FSE064", Severity.ERROR)
    STOCK_CONTROLLER_DIFFERS = ("FSE065", Severity.ERROR)
    SHADOWED_POLICY = ("FSE070", Severity.WARNING)
    SHADOWED_ROUTE = ("FSE071", Severity.WARNING)
    NEVER_MATCHES = ("FSE072", Severity.WARNING)
    ROUTE_NEVER_MATCHES = ("FSE073", Severity.WARNING)
    DUPLICATE_POLICY = ("FSE074", Severity.WARNING)
    EVERY_ADDRESS = ("FSE075", Severity.WARNING)
    EVERY_REQUEST = ("FSE076", Severity.INFO)
    PASSTHROUGH_BESIDE_POLICIES = ("FSE077", Severity.WARNING)
    TAKEN_FROM_PASSTHROUGH = ("FSE078", Severity.WARNING)
    EXCLUSION_BYPASSES_POLICY = ("FSE079", Severity.WARNING)
    ACROSS_NAMESPACES = ("FSE080", Severity.INFO)
    UNANCHORED_PATH = ("FSE081", Severity.WARNING)
    UNKNOWN_ACCOUNT = ("FSE082", Severity.WARNING)
    IDENTITY_REVEALED = ("FSE083", Severity.INFO)
    UNKNOWN_CODE_IGNORED = ("FSE084", Severity.WARNING)
    RANGE_WITHIN_ANOTHER = ("FSE085", Severity.INFO)
    HOST_IN_CAPITALS = ("FSE086", Severity.WARNING)
    HOST_BITS_SET = ("FSE087", Severity.WARNING)
    CATASTROPHIC_PATTERN = ("FSE088", Severity.WARNING)
    SERVICE_LEADS_OUTSIDE = ("FSE090", Severity.WARNING)
    PASSES_BY_SIDECAR = ("FSE091", Severity.WARNING)
    ROUTES_WITHOUT_HTTP = ("FSE092", Severity.WARNING)
    SPARE_MESH_CONFIG = ("FSE093", Severity.WARNING)
    HOSTS_WITHOUT_NAMES = ("FSE094", Severity.WARNING)
    API_SERVER_REFUSES = ("FSE102", Severity.WARNING)
    NOT_READ = ("FSE103", Severity.WARNING)
    PASSED_OVER = ("FSE104", Severity.INFO)
    NO_SIDECAR = ("FSE110", Severity.WARNING)
    HOST_NETWORK = ("FSE111", Severity.WARNING)
    SIDECAR_USER = ("FSE112", Severity.ERROR)
    STALE_RULES = ("FSE113", Severity.WARNING)
    LISTS_DIFFER = ("FSE114", Severity.WARNING)
    LIST_REFUSED = ("FSE115", Severity.ERROR)
    NODE_LEVEL = ("FSE116", Severity.WARNING)
    RULES_NOT_UNDERSTOOD = ("FSE117", Severity.WARNING)
    ISOLATED_SERVICE = ("FSE120", Severity.WARNING)
    HOST_AS_WRITTEN = ("FSE121", Severity.ERROR)
    SPLIT_WITHOUT_HOST = ("FSE122", Severity.ERROR)
    SPLIT_READ_OTHERWISE = ("FSE123", Severity.WARNING)
    CERTIFICATE_READ_OTHERWISE = ("FSE124", Severity.ERROR)
    SETTING_READ_OTHERWISE = ("FSE125", Severity.WARNING)
    PACKED_CONFIG = ("FSE126", Severity.WARNING)
    TWO_GLOBAL_GATEWAYS = ("FSE127", Severity.WARNING)
    PATHS_LETTER_CASE = ("FSE128", Severity.WARNING)
    RETRY_BY_CHANCE = ("FSE129", Severity.INFO)
    ISOLATED_SOURCE = ("FSE130", Severity.ERROR)
    NOT_MODELLED = ("FSE131", Severity.WARNING)
    OLDER_VERSION = ("FSE132", Severity.WARNING)
    UNKNOWN_HOST_CLOSED = ("FSE133", Severity.INFO)
    SHARES_BY_AGE = ("FSE134", Severity.INFO)
    SHARE_BY_CHANCE = ("FSE135", Severity.INFO)
    WEBSOCKET_OVER_HTTP = ("FSE140", Severity.WARNING)
    LINE_TOO_LONG = ("FSE141", Severity.WARNING)
    GRPC_SUBTYPE = ("FSE142", Severity.WARNING)
    CONNECTION_HEADER = ("FSE143", Severity.WARNING)
    SERVER_FIRST_IN_TUNNEL = ("FSE144", Severity.WARNING)
    SOCKS_GATEWAY = ("FSE145", Severity.WARNING)
    TLS_AFTER_BYTES = ("FSE146", Severity.WARNING)
    SERVER_NAME_IS_ADDRESS = ("FSE147", Severity.WARNING)
    SHARED_CONNECTIONS = ("FSE148", Severity.WARNING)
    HOST_WITHOUT_BRACKETS = ("FSE149", Severity.WARNING)
    PATH_NOT_SENT = ("FSE160", Severity.WARNING)

    @property
    def code(self) -> str:
        """The stable code, such as `FSE001`."""
        return self.value[0]

    @property
    def severity(self) -> Severity:
        """How bad it is, unless its finding says otherwise."""
        return self.value[1]

    def __str__(self) -> str:
        return self.code


@frozen
class Finding(Shown):
    """One thing that a mesh's owner should know: what it is, where it was written, what it means there.

    Attributes:
        rule: the field that it is about.
        message: what is the matter there.
        witness: a connection that shows it, where one does.
        fix: what to do about it, where that is not obvious.
        cured: whether the sidecar's module cures it (`pipy/enforce.js`).
        identity: whose connection the witness is, where several may be meant.
        severity: how bad it is, by default as its code has it.
        suppressed: whether its resource says that it does not want to hear of it.
    """

    code: Code
    rule: FieldRef
    message: str
    witness: Connection | None = field(default=None, kw_only=True)
    fix: str = field(default="", kw_only=True)
    cured: bool = field(default=False, kw_only=True)
    identity: Subject | None = field(default=None, kw_only=True)
    suppressed: bool = field(default=False, kw_only=True)
    severity: Severity = field(
        default=Factory(lambda self: getattr(self.code, "severity", Severity.ERROR), takes_self=True),
        kw_only=True,
    )

    def __attrs_post_init__(self) -> None:
        for name, kind in (("code", Code), ("rule", FieldRef), ("message", str)):
            if not isinstance(getattr(self, name), kind):
                raise InvalidValue.of(f"a value of type `{kind.__name__}`", getattr(self, name)).at(name)

    def to_mapping(self) -> dict[str, Any]:
        """The finding for machines."""
        return {
            "code": self.code.code,
            "severity": self.severity.value,
            "rule": f"{self.rule.resource} {self.rule.path}".rstrip(),
            "source": self.rule.location,
            "message": self.message,
            "fix": self.fix or None,
            "identity": str(self.identity) if self.identity else None,
            "witness": self.witness.to_mapping() if self.witness else None,
            "suppressed": self.suppressed,
        }

    def table(self) -> Table:
        """What a notebook shows of it."""
        return Findings([self]).table()

    def __str__(self) -> str:
        return f"{self.code.code} {self.severity}: {self.rule}: {self.message}"


class Findings(tuple[Finding, ...], Shown):
    """Several findings: a tuple that a notebook shows as a table."""

    __slots__ = ()

    def __repr__(self) -> str:
        codes = ", ".join(dict.fromkeys(it.code.code for it in self))
        return f"<{self.table().headline}: {codes}>" if self else "<0 findings>"

    def table(self) -> Table:
        """What a notebook shows of them."""
        rows = tuple(
            (
                it.code.code,
                it.severity.value,
                str(it.rule),
                it.message,
                f"{it.identity} to {it.witness}" if it.identity and it.witness else str(it.witness or "-"),
                it.fix or "-",
            )
            for it in self
        )
        count = f"{len(rows)} finding{'' if len(rows) == 1 else 's'}"
        return Table(count, ("code", "severity", "rule", "message", "shown by", "fix"), rows)


def stated(conditions: Iterable[Finding]) -> dict[str, Any]:
    """The conditions that an answer stands under, for machines; no key where there are none."""
    listed = [it.to_mapping() for it in conditions]
    return {"conditions": listed} if listed else {}

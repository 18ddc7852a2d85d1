"""What is wrong with a mesh though every document in it is valid: findings with stable codes."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from .errors import Severity
from .references import FieldRef

__all__ = ["Code", "Finding"]


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
    EGRESS_POLICIES_SWITCHED_OFF = ("FSE011", Severity.INFO)
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
    UNMONITORED_NAMESPACE = ("FSE026", Severity.INFO)
    NO_ENDPOINTS = ("FSE027", Severity.INFO)
    EMPTY_PLUGIN_CHAIN = ("FSE028", Severity.WARNING)

    @property
    def code(self) -> str:
        """The stable code, such as `FSE001`."""
        return self.value[0]

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.value[1]

    def __str__(self) -> str:
        return self.code


@frozen
class Finding:
    """One thing that a mesh's owner should know: what it is, where it was written, what it means there."""

    code: Code
    rule: FieldRef
    message: str

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.code.severity

    def __str__(self) -> str:
        return f"{self.code.code} {self.severity}: {self.rule}: {self.message}"

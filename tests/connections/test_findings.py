"""Findings: codes that keep their number and meaning for ever."""

from __future__ import annotations

from fsm_egress.connections.findings import Code, Finding
from fsm_egress.values.errors import Severity
from fsm_egress.values.references import FieldRef, Mark, ResourceRef, Source

# A code is public: a line of this list is never changed, only added.
STABLE = """
    FSE001 error MISSING_UPSTREAM_TRAFFIC_SETTING
    FSE002 error MISSING_HTTP_ROUTE_GROUP
    FSE003 error SOURCE_KIND
    FSE004 error MISSING_SECRET
    FSE005 warning CERTIFICATE_LOST
    FSE006 warning TLS_IN_TLS
    FSE007 info SETTING_WITHOUT_EFFECT
    FSE008 warning CONFLICTING_SETTINGS
    FSE009 warning WILDCARD_HOST
    FSE010 warning EGRESS_POLICY_FLAG_ABSENT
    FSE011 warning EGRESS_POLICIES_SWITCHED_OFF
    FSE012 warning PROTOCOLS_MEET
    FSE013 warning HTTP_WITHOUT_HOSTS
    FSE014 warning UNKNOWN_APP_PROTOCOL
    FSE015 warning HEADLESS_WITHOUT_ADDRESSES
    FSE016 info NOT_TCP
    FSE017 warning SHARED_ADDRESS
    FSE018 info HTTP_AND_GRPC
    FSE019 warning GATEWAY_MODE
    FSE020 warning UNUSABLE_GATEWAY
    FSE021 warning RETRY_WITHOUT_TIMES
    FSE022 warning MISSING_BACKEND
    FSE023 warning SHARED_HOSTNAME
    FSE024 warning IGNORED_TRAFFIC_TARGET
    FSE025 error BAD_ANNOTATION
    FSE026 warning UNMONITORED_NAMESPACE
    FSE027 info NO_ENDPOINTS
    FSE028 warning EMPTY_PLUGIN_CHAIN
    FSE029 error SERVER_NAME_NOT_COMPARED
    FSE030 error SERVER_NAMES_BALANCED
    FSE031 error PROTOCOL_NOT_COMPARED
    FSE032 error MTLS_TO_OUTSIDE
    FSE033 error GATEWAY_BYPASSED
    FSE034 warning IPV6_NOT_INTERCEPTED
    FSE035 info HOST_LETTER_CASE
    FSE036 info UNKNOWN_METHOD
    FSE037 error PASSES_FOR_WANT_OF_TARGET
    FSE038 warning BACKEND_WITHOUT_ENDPOINTS
    FSE039 error CERTIFICATE_UNUSABLE
    FSE040 info DEFAULT_ROUTE_WITHOUT_HOSTS
    FSE041 error NOT_ENFORCED
    FSE042 warning NOT_DECIDED
    FSE050 error NEIGHBOURS_RANGES
    FSE051 error NEIGHBOURS_HOSTS
    FSE052 error TLS_WITHOUT_HOSTS
    FSE053 error RANGE_DROPPED
    FSE054 error RANGE_PASSED_ON
    FSE055 error GRPC_PORT
    FSE056 warning REFUSED_IN_FORCE
    FSE057 warning IPV6_ADDRESS_AS_RANGE
    FSE058 error HEADER_NAME_AS_WRITTEN
    FSE059 info NAMED_TWICE
    FSE060 error EGRESS_BEFORE_MESH
    FSE061 error RANGES_LOST
    FSE062 warning CERTIFICATE_OF_NEIGHBOUR
    FSE063 warning IPV6_ENDPOINT_WITHOUT_PORT
    FSE064 error PROTOCOLS_OVERLAP
    FSE065 error STOCK_CONTROLLER_DIFFERS
    FSE070 warning SHADOWED_POLICY
    FSE071 warning SHADOWED_ROUTE
    FSE072 warning NEVER_MATCHES
    FSE073 warning ROUTE_NEVER_MATCHES
    FSE074 warning DUPLICATE_POLICY
    FSE075 warning EVERY_ADDRESS
    FSE076 info EVERY_REQUEST
    FSE077 warning PASSTHROUGH_BESIDE_POLICIES
    FSE078 warning TAKEN_FROM_PASSTHROUGH
    FSE079 warning EXCLUSION_BYPASSES_POLICY
    FSE080 info ACROSS_NAMESPACES
    FSE081 warning UNANCHORED_PATH
    FSE082 warning UNKNOWN_ACCOUNT
    FSE083 info IDENTITY_REVEALED
    FSE084 warning UNKNOWN_CODE_IGNORED
    FSE085 info RANGE_WITHIN_ANOTHER
    FSE086 warning HOST_IN_CAPITALS
    FSE087 warning HOST_BITS_SET
    FSE088 warning CATASTROPHIC_PATTERN
    FSE090 warning SERVICE_LEADS_OUTSIDE
    FSE091 warning PASSES_BY_SIDECAR
    FSE092 warning ROUTES_WITHOUT_HTTP
    FSE093 warning SPARE_MESH_CONFIG
    FSE094 warning HOSTS_WITHOUT_NAMES
    FSE102 warning API_SERVER_REFUSES
    FSE103 warning NOT_READ
    FSE104 info PASSED_OVER
    FSE110 warning NO_SIDECAR
    FSE111 warning HOST_NETWORK
    FSE112 error SIDECAR_USER
    FSE113 warning STALE_RULES
    FSE114 warning LISTS_DIFFER
    FSE115 error LIST_REFUSED
    FSE116 warning NODE_LEVEL
    FSE117 warning RULES_NOT_UNDERSTOOD
    FSE120 warning ISOLATED_SERVICE
    FSE121 error HOST_AS_WRITTEN
    FSE122 error SPLIT_WITHOUT_HOST
    FSE123 warning SPLIT_READ_OTHERWISE
    FSE124 error CERTIFICATE_READ_OTHERWISE
    FSE125 warning SETTING_READ_OTHERWISE
    FSE126 warning PACKED_CONFIG
    FSE127 warning TWO_GLOBAL_GATEWAYS
    FSE128 warning PATHS_LETTER_CASE
    FSE129 info RETRY_BY_CHANCE
    FSE130 error ISOLATED_SOURCE
    FSE131 warning NOT_MODELLED
    FSE132 warning OLDER_VERSION
    FSE133 info UNKNOWN_HOST_CLOSED
    FSE134 info SHARES_BY_AGE
    FSE135 info SHARE_BY_CHANCE
    FSE140 warning WEBSOCKET_OVER_HTTP
    FSE141 warning LINE_TOO_LONG
    FSE142 warning GRPC_SUBTYPE
    FSE143 warning CONNECTION_HEADER
    FSE144 warning SERVER_FIRST_IN_TUNNEL
    FSE145 warning SOCKS_GATEWAY
    FSE146 warning TLS_AFTER_BYTES
    FSE147 warning SERVER_NAME_IS_ADDRESS
    FSE148 warning SHARED_CONNECTIONS
    FSE149 warning HOST_WITHOUT_BRACKETS
    FSE160 warning PATH_NOT_SENT
"""


def test_the_codes_are_stable() -> None:
    found = [f"{code.code} {code.severity} {code.name}" for code in Code]
    assert found == [line.strip() for line in STABLE.strip().splitlines()]


def test_no_code_is_used_twice() -> None:
    # Members of equal value would be aliases of one another, and so no members.
    codes = [member.code for member in Code.__members__.values()]
    assert len(set(codes)) == len(codes) == len(Code)


def test_a_code_prints_as_its_number() -> None:
    assert str(Code.MISSING_SECRET) == f"{Code.MISSING_SECRET}" == "FSE004"


def test_a_finding_says_what_where_and_how_bad() -> None:
    source = Source("policies/httpbin.yaml", {"spec.hosts[0]": Mark(9, 5)})
    rule = FieldRef(ResourceRef("Egress", "curl", "httpbin"), "spec.hosts[0]", source)
    finding = Finding(Code.WILDCARD_HOST, rule, "`*.b` matches nothing but itself")
    assert finding.severity is Severity.WARNING
    assert str(finding) == (
        "FSE009 warning: Egress curl/httpbin spec.hosts[0] (policies/httpbin.yaml:9): "
        "`*.b` matches nothing but itself"
    )


def test_findings_are_values() -> None:
    rule = FieldRef(ResourceRef("Egress", "curl", "httpbin"))
    assert len({Finding(Code.NOT_TCP, rule, "a"), Finding(Code.NOT_TCP, rule, "a")}) == 1

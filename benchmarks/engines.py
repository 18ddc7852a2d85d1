"""The same policies for three policy engines: Cedar, Rego and Casbin, as well as each can express them.

They answer only whether a connection is allowed, and they get the policies of one account alone, which
spares them the others. What one of them cannot express is worked out before the time is taken, as its
docstring says.
"""

from __future__ import annotations

import json
import re
from importlib import import_module
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from .scan import listeners_of, policies_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .scan import IPAddress, Listener, Policy
    from .workload import Account, Call, Tree

__all__ = ["ENGINES", "Casbin", "Cedar", "PolicyEngine", "Rego"]

LITERAL = re.compile(r"[\w/=&-]*", re.ASCII)
TENANT = "x-tenant"  # the one header that the workload's routes look at


class PolicyEngine(Protocol):
    """A contender that answers whether a connection is allowed."""

    package: ClassVar[str]

    def __init__(self, trees: list[Tree], account: Account) -> None: ...

    def prepared(self, call: Call) -> Any:
        """The connection as the engine takes it."""

    def allows(self, request: Any) -> bool:
        """Whether the connection is allowed."""


def _own(trees: list[Tree], account: Account) -> tuple[list[Policy], list[Listener]]:
    policies = [policy for policy in policies_of(trees) if account in policy.sources]
    return policies, listeners_of(trees, account[1])


class Cedar:
    """Cedar by `cedarpy`, with policies and entities parsed once.

    Cedar has no regular expressions, only `like` with wildcards: the patterns that it cannot express are
    searched beforehand, and the request says which were found.
    """

    package: ClassVar[str] = "cedarpy"

    def __init__(self, trees: list[Tree], account: Account) -> None:
        cedarpy = import_module("cedarpy")

        policies, listeners = _own(trees, account)
        self.decide = cedarpy.is_authorized
        self.principal = f'Account::"{account[0]}.{account[1]}"'
        self.patterns = {
            route.path for policy in policies for route in policy.routes if not _like(route.path)
        }
        texts = [
            *(text for listener in listeners for text in _cedar_listener(listener)),
            *(self._policy(policy) for policy in policies),
        ]
        self.policies = cedarpy.PolicySet.from_str("\n".join(texts))
        self.entities = cedarpy.Entities.from_json_str("[]")

    def _policy(self, policy: Policy) -> str:
        where = [f"context.port == {policy.port}"]
        if policy.networks:
            ranges = (f"context.address.isInRange(ip({_quoted(net)}))" for net in policy.networks)
            where.append(f"({' || '.join(ranges)})")
        if policy.protocol == "https":
            where.append(f'context.kind == "tls" && {_listed(policy.hosts)}.contains(context.host)')
        elif policy.protocol == "http":
            where.append(f'context.kind == "http" && {_listed(policy.hosts)}.contains(context.host)')
            routes = (
                " && ".join(
                    (
                        f"{_listed(route.methods)}.contains(context.method)",
                        _like(route.path) or f"context.found.contains({_quoted(route.path)})",
                        *(
                            f'context.tenant like "{look.removeprefix("^")}*"'
                            for look in route.headers.values()
                        ),
                    )
                )
                for route in policy.routes
            )
            where.append(f"({' || '.join(f'({route})' for route in routes)})")
        return f"permit (principal == {self.principal}, action, resource) when {{ {' && '.join(where)} }};"

    def prepared(self, call: Call) -> Any:
        """A request; its context holds the connection."""
        return {
            "principal": self.principal,
            "action": 'Action::"connect"',
            "resource": 'Network::"outside"',
            "context": {
                "address": {"__extn": {"fn": "ip", "arg": call.destination}},
                "port": call.port,
                "kind": call.sends,
                "host": call.host or "",
                "method": call.method,
                "path": call.path,
                "tenant": (call.headers or {}).get(TENANT, ""),
                "found": sorted(text for text in self.patterns if re.search(text, call.path)),
            },
        }

    def allows(self, request: Any) -> bool:
        """Whether the connection is allowed."""
        return bool(self.decide(request, self.policies, self.entities).allowed)


def _cedar_listener(listener: Listener) -> Iterable[str]:
    """A service's addresses are reached by its hosts, and by no rule for the outside."""
    addresses = ", ".join(f"ip({_quoted(address)})" for address in listener.addresses)
    where = f"context.port == {listener.port} && [{addresses}].contains(context.address)"
    if listener.hosts is None:
        yield f"permit (principal, action, resource) when {{ {where} }};"
        return
    named = f'context.kind == "http" && {_listed(listener.hosts)}.contains(context.host)'
    yield f"permit (principal, action, resource) when {{ {where} && {named} }};"
    yield f"forbid (principal, action, resource) when {{ {where} && !({named}) }};"


def _like(pattern: str) -> str | None:
    """The condition of Cedar that means the same as a pattern; None where there is none."""
    if pattern == ".*":
        return "true"
    if LITERAL.fullmatch(pattern):
        return f'context.path like "*{pattern}*"'
    text = pattern.removesuffix(".*")
    return f'context.path like "*{text}*"' if LITERAL.fullmatch(text) else None


def _listed(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"


def _quoted(value: object) -> str:
    return json.dumps(str(value))


class Rego:
    """Rego by `regopy` (`rego-cpp`), with a bundle that is built once.

    It has no `net.cidr_contains`: addresses and the ends of prefixes are written as hexadecimal numbers of
    one length, and compared as texts.
    """

    package: ClassVar[str] = "regopy"
    module = """
        package egress

        allow if {
            some service in data.services
            service.port == input.port
            input.address in service.addresses
            serves(service)
        }

        allow if {
            not inside
            some policy in data.policies
            policy.port == input.port
            within(policy)
            opens(policy)
        }

        inside if {
            some service in data.services
            service.port == input.port
            input.address in service.addresses
        }

        serves(service) if not service.hosts

        serves(service) if {
            input.kind == "http"
            input.host in service.hosts
        }

        within(policy) if count(policy.ranges) == 0

        within(policy) if {
            some range in policy.ranges
            range[0] <= input.address
            input.address <= range[1]
        }

        opens(policy) if startswith(policy.protocol, "tcp")

        opens(policy) if {
            policy.protocol == "https"
            input.kind == "tls"
            input.host in policy.hosts
        }

        opens(policy) if {
            policy.protocol == "http"
            input.kind == "http"
            input.host in policy.hosts
            some route in policy.routes
            input.method in route.methods
            regex.match(route.path, input.path)
            every name, look in route.headers {
                regex.match(look, object.get(input.headers, name, ""))
            }
        }
    """

    def __init__(self, trees: list[Tree], account: Account) -> None:
        regopy = import_module("regopy")

        policies, listeners = _own(trees, account)
        self.interpreter = regopy.Interpreter()
        self.interpreter.add_module("egress", self.module)
        self.interpreter.add_data(
            {
                "services": [
                    {
                        "port": listener.port,
                        "addresses": [_hexadecimal(address) for address in listener.addresses],
                        "hosts": list(listener.hosts) if listener.hosts else False,
                    }
                    for listener in listeners
                ],
                "policies": [
                    {
                        "port": policy.port,
                        "protocol": policy.protocol,
                        "ranges": [[_hexadecimal(net[0]), _hexadecimal(net[-1])] for net in policy.networks],
                        "hosts": list(policy.hosts),
                        "routes": [
                            {
                                "path": route.path,
                                "methods": list(route.methods),
                                "headers": dict(route.headers),
                            }
                            for route in policy.routes
                        ],
                    }
                    for policy in policies
                ],
            }
        )
        self.bundle = self.interpreter.build("data.egress.allow", [])

    def prepared(self, call: Call) -> Any:
        """The input document."""
        return {
            "address": _hexadecimal(ip_address(call.destination)),
            "port": call.port,
            "kind": call.sends,
            "host": call.host or "",
            "method": call.method,
            "path": call.path,
            "headers": dict(call.headers or {}),
        }

    def allows(self, request: Any) -> bool:
        """Whether the connection is allowed; what is not is undefined."""
        self.interpreter.set_input(request)
        return str(self.interpreter.query_bundle(self.bundle)) == '{"expressions":[true]}'


def _hexadecimal(address: IPAddress) -> str:
    return f"{address.version}-{int(address):032x}"


class Casbin:
    """Casbin by `pycasbin`: a line for each prefix; of several hosts or methods, one regular expression.

    The first line that matches decides, and those of the mesh's own services come first.
    """

    package: ClassVar[str] = "casbin"
    model = """
        [request_definition]
        r = sub, port, kind, addr, host, method, path, tenant

        [policy_definition]
        p = sub, port, kind, cidr, host, method, path, tenant, eft

        [policy_effect]
        e = priority(p.eft) || deny

        [matchers]
        m = r.port == p.port && (p.sub == "*" || r.sub == p.sub) && (p.kind == "*" || r.kind == p.kind) && \
(p.cidr == "*" || ipMatch(r.addr, p.cidr)) && (p.host == "*" || regexMatch(r.host, p.host)) && \
(p.method == "*" || regexMatch(r.method, p.method)) && (p.path == "*" || regexMatch(r.path, p.path)) && \
(p.tenant == "*" || regexMatch(r.tenant, p.tenant))
    """

    def __init__(self, trees: list[Tree], account: Account) -> None:
        casbin = import_module("casbin")

        policies, listeners = _own(trees, account)
        model = casbin.Model()
        model.load_model_from_text("\n".join(map(str.strip, self.model.splitlines())))
        self.subject = ".".join(account)
        self.enforcer = casbin.Enforcer(model)
        lines = [line for listener in listeners for line in _casbin_listener(listener)]
        lines += [line for policy in policies for line in self._policy(policy)]
        self.enforcer.add_policies([list(line) for line in dict.fromkeys(lines)])

    def _policy(self, policy: Policy) -> Iterable[tuple[str, ...]]:
        sub, port = self.subject, str(policy.port)
        cidrs = list(map(str, policy.networks)) or ["*"]
        if policy.protocol == "https":
            return [(sub, port, "tls", cidr, _either(policy.hosts), "*", "*", "*", "allow") for cidr in cidrs]
        if policy.protocol == "http":
            return [
                (
                    sub,
                    port,
                    "http",
                    cidr,
                    _either(policy.hosts),
                    _either(route.methods),
                    path,
                    tenant,
                    "allow",
                )
                for cidr in cidrs
                for route in policy.routes
                for path in ("*" if route.path == ".*" else f".*?(?:{route.path})",)
                for tenant in (route.headers.get(TENANT, "*"),)
            ]
        return [(sub, port, "*", cidr, "*", "*", "*", "*", "allow") for cidr in cidrs]

    def prepared(self, call: Call) -> Any:
        """The values of the request, in the order of its definition."""
        tenant = (call.headers or {}).get(TENANT, "")
        return (
            self.subject,
            str(call.port),
            call.sends,
            call.destination,
            call.host or "",
            call.method,
            call.path,
            tenant,
        )

    def allows(self, request: Any) -> bool:
        """Whether the connection is allowed."""
        return bool(self.enforcer.enforce(*request))


def _casbin_listener(listener: Listener) -> Iterable[tuple[str, ...]]:
    port = str(listener.port)
    for address in listener.addresses:
        if listener.hosts is not None:
            yield "*", port, "http", str(address), _either(listener.hosts), "*", "*", "*", "allow"
        yield "*", port, "*", str(address), "*", "*", "*", "*", "deny" if listener.hosts else "allow"


def _either(texts: Sequence[str]) -> str:
    return f"(?:{'|'.join(map(re.escape, texts))})$"


ENGINES: tuple[type[PolicyEngine], ...] = (Cedar, Rego, Casbin)

"""The rules of a running pod, read from the text that it was started with."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iptables import can_observe, observed, restored, rules_of, shell_argument
from small import load

import fsm_egress as fe
from fsm_egress.interception.hosts import hosts_of
from fsm_egress.interception.started import Started, started_with
from fsm_egress.verification.sides import intercepted

Wire = dict[str, Any]


def pod(argument: str | None) -> Wire:
    init = {"name": "fsm-init", "args": [] if argument is None else ["-c", argument]}
    spec = {"containers": [{"name": "sidecar"}], "initContainers": [{"name": "other", "args": ["x"]}, init]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "shop"}, "spec": spec}


def started(argument: str | None) -> Started | None:
    (host,) = hosts_of(load(pod(argument)))
    return started_with(host)


def read(rules: list[str]) -> Started:
    found = started(shell_argument(rules))
    assert found is not None
    return found


RANGES = st.lists(st.sampled_from(("10.0.0.0/8", "54.9.9.9", "203.0.113.1/24", "0.0.0.0/0")), max_size=3)
PORTS = st.lists(st.sampled_from((80, 443, 5432, 0)), max_size=3, unique=True)


@given(RANGES, RANGES, PORTS, st.lists(st.sampled_from(("net1", "eth1")), max_size=2))
def test_law_what_a_pod_was_started_with_is_read_as_it_was_written(
    excluded: list[str], included: list[str], ports: list[int], interfaces: list[str]
) -> None:
    found = read(rules_of(excluded, included, ports, interfaces))
    assert found.unclear == ()
    assert [str(it) for it, _ in found.lists.excluded] == [written(text) for text in excluded]
    assert [str(it) for it, _ in found.lists.included] == [written(text) for text in included]
    assert [it for it, _ in found.lists.excluded_ports] == ports
    assert [name for name, _ in found.lists.interfaces] == interfaces
    for _, rule in found.lists.excluded:
        assert str(rule) == "Pod shop/a spec.initContainers[1].args[1]"


def written(text: str) -> str:
    return {"54.9.9.9": "54.9.9.9/32", "203.0.113.1/24": "203.0.113.0/24"}.get(text, text)


OUT = "-A FSM_PROXY_OUTBOUND"
PLAIN = rules_of([], [], [], [])
INCLUDED = rules_of([], ["10.0.0.0/8"], [], [])


@pytest.mark.parametrize(
    ("rules", "unclear"),
    [
        ([*PLAIN, "-A OUTPUT -j DROP"], "`-A OUTPUT -j DROP`"),
        ([f"{OUT} -d 10.0.0.0/8 -j DROP", *PLAIN], f"`{OUT} -d 10.0.0.0/8 -j DROP`"),
        ([f"{OUT} -d x -j RETURN", *PLAIN], f"`{OUT} -d x -j RETURN`"),
        ([f"{OUT} -d ::/0 -j RETURN", *PLAIN], f"`{OUT} -d ::/0 -j RETURN`"),
        (
            [*INCLUDED[:-1], f"{OUT} -d 54.0.0.0/8 -j RETURN", INCLUDED[-1]],
            f"`{OUT} -d 54.0.0.0/8 -j RETURN`",
        ),
        ([*INCLUDED[:-1], f"{OUT} -o net1 -j RETURN", INCLUDED[-1]], f"`{OUT} -o net1 -j RETURN`"),
        (PLAIN[:-1], "the rule for what is left"),
        ([*PLAIN[:-1], f"{OUT} -j RETURN"], "the rule for what is left"),
        ([f"{OUT} -p tcp --match multiport --dports 70000 -j RETURN", *PLAIN], "port `70000`"),
        (
            ["-A FSM_PROXY_OUTBOUND -m owner --uid-owner 0 -j RETURN", *PLAIN],
            f"`{OUT} -m owner --uid-owner 0 -j RETURN`",
        ),
    ],
)
def test_what_is_not_understood_is_named(rules: list[str], unclear: str) -> None:
    assert read(rules).unclear == (unclear,)


DPORTS = f"{OUT} -p tcp --match multiport --dports"
MANY = ",".join(map(str, range(9001, 9017)))


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        (f"{OUT} -d ::/0 -j RETURN", ("`::/0`, a range of IPv6",)),
        (f"{DPORTS} 25,70000 -j RETURN", ("port `70000`",)),
        (
            f"{OUT} -p tcp --match multiport --dports {MANY} -j RETURN",
            ("16 ports in one rule, where 15 fit",),
        ),
        (f"{DPORTS} {MANY[5:]} -j RETURN", ()),
        (f"{OUT} -d 10.0.0.0/8 -j RETURN", ()),
    ],
)
def test_what_iptables_does_not_take_is_named(line: str, refused: tuple[str, ...]) -> None:
    assert read([line, *PLAIN]).refused == refused


def test_a_pod_may_have_no_rules_or_others() -> None:
    assert started(None) is None
    other = started("echo hello")
    assert other is not None
    assert other.unclear == ("no text between `<<EOF` and `EOF`",)
    quoted = started(f"iptables-restore --noflush <<'EOF'\n{restored(PLAIN)}\nEOF")
    assert quoted is not None
    assert quoted.unclear == ()


PROBES = [
    (address, port)
    for address in (
        "10.0.0.7",
        "54.9.9.9",
        "203.0.113.200",
        "127.0.0.2",
        "10.244.1.5",
        "0.0.0.0",
    )  # because it is dialled
    for port in (80, 443)
]


@pytest.mark.skipif(not can_observe(), reason="needs root, iptables and a network namespace of its own")
@pytest.mark.parametrize("seed", range(2))
def test_real_iptables_redirect_what_is_read_of_random_rules(seed: int) -> None:
    random = Random(seed)  # noqa: S311  # because it need not be secret
    ranges = ("10.0.0.0/8", "54.9.9.9", "203.0.113.128/25", "0.0.0.0/0", "127.0.0.0/8")
    excluded, included = (random.sample(ranges, random.randrange(3)) for _ in range(2))
    rules = rules_of(excluded, included, random.sample((80, 443), random.randrange(2)), [])
    loads, seen = observed(rules, PROBES)
    assert loads
    (host,) = hosts_of(load({**pod(shell_argument(rules)), "status": {"podIPs": [{"ip": "10.244.1.5"}]}}))
    lists = read(rules).lists
    for (address, port), is_redirected in zip(PROBES, seen, strict=True):
        expected = intercepted(lists, fe.tcp(address, port)) and fe.Address(address) not in host.own[0]
        assert is_redirected is expected, (address, port, rules)

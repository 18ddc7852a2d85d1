"""The text that a pod's init container is given, written a second time; and what iptables does with it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any

__all__ = ["can_observe", "observed", "rules_of", "shell_argument"]

Wire = dict[str, Any]
UID = 1500


def rules_of(excluded: list[str], included: list[str], ports: list[int], interfaces: list[str]) -> list[str]:
    """The rules for outbound connections, in their order; those for inbound ones are two samples."""
    redirect = "-j FSM_PROXY_OUT_REDIRECT"
    rules = [
        "-A FSM_PROXY_IN_REDIRECT -p tcp -j REDIRECT --to-port 15003",
        "-A PREROUTING -p tcp -j FSM_PROXY_INBOUND",
        "-A FSM_PROXY_INBOUND -p tcp --dport 15010 -j RETURN",
        "-A FSM_PROXY_INBOUND -p tcp -j FSM_PROXY_IN_REDIRECT",
        "-A FSM_PROXY_OUT_REDIRECT -p tcp -j REDIRECT --to-port 15001",
        "-A FSM_PROXY_OUT_REDIRECT -p tcp --dport 15000 -j ACCEPT",
        "-A OUTPUT -p tcp -j FSM_PROXY_OUTBOUND",
        f"-A FSM_PROXY_OUTBOUND -o lo ! -d 127.0.0.1/32 -m owner --uid-owner {UID} -j FSM_PROXY_IN_REDIRECT",
        f"-A FSM_PROXY_OUTBOUND -o lo -m owner ! --uid-owner {UID} -j RETURN",
        f"-A FSM_PROXY_OUTBOUND -m owner --uid-owner {UID} -j RETURN",
        "-A FSM_PROXY_OUTBOUND -d 127.0.0.1/32 -j RETURN",
    ]
    rules += [f"-A FSM_PROXY_OUTBOUND -o {name} -j RETURN" for name in interfaces]
    rules += [f"-A FSM_PROXY_OUTBOUND -d {text} -j RETURN" for text in excluded]
    if ports:
        listed = ",".join(map(str, dict.fromkeys(ports)))
        rules.append(f"-A FSM_PROXY_OUTBOUND -p tcp --match multiport --dports {listed} -j RETURN")
    rules += [f"-A FSM_PROXY_OUTBOUND -d {text} {redirect}" for text in included]
    return [*rules, f"-A FSM_PROXY_OUTBOUND {'-j RETURN' if included else redirect}"]


def restored(rules: list[str]) -> str:
    chains = ("FSM_PROXY_INBOUND", "FSM_PROXY_IN_REDIRECT", "FSM_PROXY_OUTBOUND", "FSM_PROXY_OUT_REDIRECT")
    return "\n".join(["# rules", "*nat", *(f":{name} - [0:0]" for name in chains), *rules, "COMMIT"])


def shell_argument(rules: list[str]) -> str:
    """The argument of the shell in the init container."""
    return f"iptables-restore --noflush <<EOF\n{restored(rules)}\nEOF\n"


def can_observe() -> bool:
    """Whether rules can be tried here: as root, in a network namespace of its own, with real iptables."""
    tools = all(map(shutil.which, ("unshare", "ip", "iptables-restore")))
    if not tools or os.geteuid():
        return False
    script = "ip link set lo up && iptables -t nat -L -n"
    command = ["unshare", "-n", "sh", "-c", script]
    return not subprocess.run(command, capture_output=True, check=False).returncode  # noqa: S603  # because it is this file's own


_SETUP = (
    "ip link set lo up",
    "ip link add eth0 type veth peer name eth1",
    "ip addr add 10.244.1.5/24 dev eth0",
    "ip link set eth0 up",
    "ip link set eth1 up",
    "ip route add default dev eth0",
)
_PROBE = """
import json, socket, subprocess, sys
setup, rules, probes = json.load(sys.stdin)
for command in setup:
    subprocess.run(command.split(), check=True)
loaded = subprocess.run(["iptables-restore", "--noflush"], input=rules, text=True, capture_output=True)
found = []
listener = socket.socket()
listener.bind(("0.0.0.0", 15001))
listener.listen(64)
listener.settimeout(0.05)
for address, port in probes if not loaded.returncode else ():
    client = socket.socket()
    client.settimeout(0.05)
    client.connect_ex((address, port))
    try:
        listener.accept()[0].close()
        found.append(True)
    except OSError:
        found.append(False)
    client.close()
print(json.dumps([not loaded.returncode, found]))
"""


def observed(rules: list[str], probes: list[tuple[str, int]]) -> tuple[bool, list[bool]]:
    """Whether iptables takes these rules, and which of the connections it redirects then."""
    given = json.dumps([_SETUP, restored(rules) + "\n", probes])
    command = ["unshare", "-n", sys.executable, "-c", _PROBE]
    result = subprocess.run(command, input=given, capture_output=True, text=True, check=True, timeout=60)  # noqa: S603  # because it is this file's own
    loaded, found = json.loads(result.stdout)
    return loaded, found

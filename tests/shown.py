"""A small mesh, a log and a report, and a reader of the HTML in which answers about them are shown."""

from __future__ import annotations

from html.parser import HTMLParser

from small import config, egress, load, routes

import fsm_egress as fe

MESH = load(
    config({"enableEgress": False}), egress("web", "http 80", "https 443", hosts=["a.com"]), routes("r")
)
OPEN = MESH.patched({"spec": {"traffic": {"enableEgress": True}}})
LINE = b'{"identity": "curl.curl", "destination": "54.9.9.9:443", "server_name": "b.com"}\n'
TESTS = (
    "apiVersion: fsm-egress/v1\nkind: EgressTest\nmesh: [examples]\nas: curl.curl\n"
    "tests: [{name: t, to: 9.9.9.9:1, tcp: true, expect: PASSTHROUGH}]\n"
)


class Balanced(HTMLParser):
    """Reads HTML; every tag has to end where it should."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.said: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert all(not name.startswith("on") and name not in {"src", "href"} for name, _ in attrs)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def report() -> fe.TestReport:
    (tests,) = fe.read_tests(TESTS)
    source = fe.MeshSource(("examples/egress-demo/mesh-config.yaml",))
    return fe.run_tests([fe.PolicyTests("t", source, None, tests.tests)])


class Page(Balanced):
    """A page: links lead to places in it only."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            assert name != "src"
            assert name != "href" or (value or "").startswith("#")
        if tag != "meta":
            self.open.append(tag)

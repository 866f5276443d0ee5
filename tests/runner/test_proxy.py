"""The proxy to the hosts that a team allows."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from vibeboard.config.paths import fault_of_host
from vibeboard.runner.gateway.proxy import NetworkProxy, is_public

HOSTS = ("files.example.org", "*.cdn.example")


@dataclass
class Names:
    """What a name leads to; each look-up is counted."""

    known: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        del port
        self.asked.append(host)
        found = self.known.get(host)
        if not found:
            raise OSError("no such name")
        # A name that is looked up again leads elsewhere.
        return [found.pop(0) if len(found) > 1 else found[0]]


@dataclass
class Way:
    """A client of the proxy, and a server that says what it was sent."""

    proxy: NetworkProxy
    socket: Path
    port: int

    async def says(self, head: str, then: bytes = b"") -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(self.socket))
        writer.write(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n")
        answer = b""
        if then:
            answer = await reader.readuntil(b"\r\n\r\n")
            writer.write(then)
            writer.write_eof()
        async with asyncio.timeout(10):
            answer += await reader.read()
        writer.close()
        return answer


@asynccontextmanager
async def opened(
    folder: Path,
    names: Names,
    hosts: Sequence[str] = HOSTS,
    may_reach: Callable[[str], bool] = lambda _: True,
) -> AsyncIterator[Way]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(1 << 16)
        writer.write(b"got: " + data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy = NetworkProxy(
        hosts, resolve=names, may_reach=may_reach, ports=(443, 80, port)
    )
    try:
        async with proxy.listening(folder / "p"):
            yield Way(proxy, folder / "p", port)
    finally:
        server.close()


async def test_an_allowed_host_is_reached_by_connect_and_by_plain_http(
    tmp_path: Path,
) -> None:
    names = Names(
        {name: ["127.0.0.1"] for name in ("files.example.org", "a.cdn.example")}
    )
    async with opened(tmp_path, names) as way:
        tunnel = await way.says(
            f"CONNECT Files.Example.ORG.:{way.port} HTTP/1.1\nHost: x", b"hello"
        )
        plain = await way.says(
            f"GET http://a.cdn.example:{way.port}/x?y=1 HTTP/1.1\n"
            "Host: evil.example\nProxy-Authorization: canary\nAccept: a"
        )

    assert tunnel == b"HTTP/1.1 200 Connection established\r\n\r\ngot: hello"
    assert plain.decode().splitlines() == [
        "got: GET /x?y=1 HTTP/1.1",
        f"Host: a.cdn.example:{way.port}",
        "Accept: a",
        "Connection: close",
        "",
    ]
    assert way.proxy.refused == {}


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("evil.example:443", "evil.example:443"),
        ("files.example.org.evil.example:443", "files.example.org.evil.example:443"),
        ("cdn.example:443", "cdn.example:443"),
        ("xcdn.example:443", "xcdn.example:443"),
        ("files.example.org:22", "files.example.org:22"),
        ("127.0.0.1:443", "127.0.0.1:443"),
        ("[::1]:443", "a request"),
        ("files.example.org:", "a request"),
        ("files.example.org\x00.evil.example:443", "a request"),
        ("files_example:443", "a request"),
    ],
)
async def test_everything_else_is_refused_and_remembered(
    tmp_path: Path, target: str, kept: str
) -> None:
    names = Names()
    async with opened(tmp_path, names) as way:
        answer = await way.says(f"CONNECT {target} HTTP/1.1")

    assert answer.startswith(b"HTTP/1.1 403")
    assert way.proxy.refused == {kept: 1}
    assert names.asked == []


@pytest.mark.parametrize(
    "head",
    [
        "GET /relative HTTP/1.1",
        "GET https://files.example.org/ HTTP/1.1",
        "GET http://files.example.org@evil.example/ HTTP/1.1",
        "GET http://[::1/ HTTP/1.1",
        "nonsense",
    ],
)
async def test_what_is_no_request_for_a_host_is_refused(
    tmp_path: Path, head: str
) -> None:
    async with opened(tmp_path, Names()) as way:
        answer = await way.says(head)

    assert answer.startswith(b"HTTP/1.1 403")
    assert way.proxy.refused == {"a request": 1}


NEAR = [
    "127.0.0.1", "127.9.9.9", "0.1.2.3", "10.1.2.3", "172.16.0.1", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.100.100.200", "224.0.0.1", "255.255.255.255",
    "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "fc00::1",
    "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1", "2002:7f00:1::", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", NEAR)
def test_an_address_near_us_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "151.101.0.223", "2606:4700::1111"])
def test_an_address_of_the_internet_is(address: str) -> None:
    assert is_public(address)


async def test_a_name_that_leads_near_us_is_refused(tmp_path: Path) -> None:
    names = Names({"files.example.org": ["169.254.169.254"]})
    async with opened(tmp_path, names, may_reach=is_public) as way:
        answer = await way.says("CONNECT files.example.org:443 HTTP/1.1")

    assert b"leads to no public address" in answer
    assert way.proxy.refused == {"files.example.org:443": 1}


async def test_a_name_is_looked_up_once_for_looking_and_connecting(
    tmp_path: Path,
) -> None:
    """Whoever owns the name cannot answer otherwise in between."""
    names = Names({"files.example.org": ["127.0.0.1", "127.0.0.9"]})
    seen: list[str] = []

    def may_reach(address: str) -> bool:
        seen.append(address)
        return True

    async with opened(tmp_path, names, may_reach=may_reach) as way:
        answer = await way.says(
            f"CONNECT files.example.org:{way.port} HTTP/1.1", b"hello"
        )

    assert answer.endswith(b"got: hello")
    assert names.asked == ["files.example.org"]
    assert seen == ["127.0.0.1"]


async def test_a_host_that_is_away_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path, Names()) as way:
        answer = await way.says("CONNECT files.example.org:443 HTTP/1.1")

    assert answer.startswith(b"HTTP/1.1 502")
    assert way.proxy.refused == {}


async def test_many_refused_names_are_not_all_remembered(tmp_path: Path) -> None:
    async with opened(tmp_path, Names()) as way:
        for number in range(30):
            await way.says(f"CONNECT n{number}.evil.example:443 HTTP/1.1")

    assert len(way.proxy.refused) == 21
    assert way.proxy.refused["others"] == 10


@pytest.mark.parametrize(
    ("host", "fault"),
    [
        ("example.org", None),
        ("*.example.net", None),
        ("xn--bcher-kva.example", None),
        ("https://example.org", "must be a name alone"),
        ("example.org:443", "must be a name alone"),
        ("127.0.0.1", "must be a name, not an address"),
        ("localhost", "must be the name of a host"),
        ("*", "must be the name of a host"),
        ("*.org", "must not open a whole top-level domain"),
        ("a.*.org", "must be the name of a host"),
        ("-a.org", "must be the name of a host"),
        ("a..org", "must be the name of a host"),
    ],
)
def test_a_host_in_the_configuration_is_a_name(host: str, fault: str | None) -> None:
    found = fault_of_host(host)

    assert found is None if fault is None else found and found.startswith(fault)

"""The way to the hosts that a team allows, and to no other.

One for each cell that has any. A host counts by the name that is asked for; it is
looked up here, and the address that is connected to must be a public one, so a name
cannot lead to this machine or its neighbours. What was refused is remembered.
"""

import asyncio
import ipaddress
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_LONGEST_HEAD = 16 << 10
_PATIENCE = 30.0  # seconds, to ask and to connect
_SILENCE = 300.0  # seconds after which nobody is there any more
_PORTS = (443, 80)
_MOST_REFUSED = 20  # that are remembered by name
_AT_ONCE = 64
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
# Addresses that lead to another one inside them, which may be any.
_DETOURS = tuple(
    map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16"))
)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class Refused(Exception):  # noqa: N818 - an event
    """What is not let through; ``what`` was asked for, the message says why not."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(why)
        self.what = what


@dataclass(frozen=True)
class _Asked:
    """Where a client wants to go, and what it said that is to be passed on."""

    host: str
    port: int
    first: bytes = b""


def is_public(address: str) -> bool:
    """Whether an address is one of the internet's, and not of a place near us."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if any(ip in network for network in _DETOURS):
            return False
    return ip.is_global and not ip.is_multicast


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as this machine finds them."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


class NetworkProxy:
    """Lets one cell's programs connect to ``hosts``: names, or ``*.`` and a domain."""

    def __init__(
        self,
        hosts: Sequence[str],
        *,
        resolve: Resolve = resolve,
        may_reach: Callable[[str], bool] = is_public,
        ports: Sequence[int] = _PORTS,
    ) -> None:
        self._hosts = tuple(host.casefold().rstrip(".") for host in hosts)
        self._resolve = resolve
        self._may_reach = may_reach
        self._ports = ports
        self._refused: Counter[str] = Counter()
        self._clients = asyncio.Semaphore(_AT_ONCE)

    @property
    def refused(self) -> Mapping[str, int]:
        """What was asked for and refused, how often."""
        return self._refused

    def allows(self, host: str) -> bool:
        """Whether a name is one of the hosts."""
        return any(
            host == each or (each.startswith("*.") and host.endswith(each[1:]))
            for each in self._hosts
        )

    @asynccontextmanager
    async def listening(self, place: Path) -> AsyncIterator[None]:
        """Answer at a socket."""
        under_way: set[asyncio.Task[None]] = set()

        async def answer(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            task = asyncio.current_task()
            assert task is not None
            under_way.add(task)
            try:
                async with self._clients:
                    await self._answer(reader, writer)
            finally:
                under_way.discard(task)
                writer.close()

        server = await asyncio.start_unix_server(
            answer, str(place), limit=_LONGEST_HEAD
        )
        try:
            yield
        finally:
            server.close()
            for task in tuple(under_way):
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                asked = _parsed(await reader.readuntil(b"\r\n\r\n"))
                address = await self._address(asked)
                there, to = await asyncio.open_connection(address, asked.port)
        except Refused as refused:
            self._note(refused.what)
            await _say(writer, "403 Forbidden", f"{refused.what}: {refused}")
        except (OSError, TimeoutError):
            await _say(writer, "502 Bad Gateway", "the host does not answer")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return
        else:
            try:
                if asked.first:
                    to.write(asked.first)
                else:
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await _between((reader, writer), (there, to))
            finally:
                to.close()

    async def _address(self, asked: _Asked) -> str:
        """The public address of an allowed host; raises Refused."""
        what = f"{asked.host}:{asked.port}"
        if not self.allows(asked.host):
            raise Refused(what, "not among the hosts in `network`")
        if asked.port not in self._ports:
            raise Refused(what, "only the ports 443 and 80 may be reached")
        for address in await self._resolve(asked.host, asked.port):
            if self._may_reach(address):
                # Connected to as it is: the name is not looked up a second time.
                return address
        raise Refused(what, "leads to no public address")

    def _note(self, what: str) -> None:
        if what in self._refused or len(self._refused) < _MOST_REFUSED:
            self._refused[what] += 1
        else:
            self._refused["others"] += 1


def _parsed(head: bytes) -> _Asked:
    """What a request's head asks for; raises Refused for what is none."""
    line, _, rest = head.decode("latin-1").partition("\r\n")
    method, _, target = line.partition(" ")
    target = target.rpartition(" ")[0]
    if method == "CONNECT":
        name, _, port = target.rpartition(":")
        return _Asked(_name(name), _port(port))
    try:
        url = urlsplit(target)
        name, port = url.hostname or "", str(url.port or 80)
    except ValueError as error:
        raise Refused("a request", "it names no host") from error
    if url.scheme != "http" or "@" in url.netloc:
        raise Refused("a request", "it is neither CONNECT nor plain http")
    host = _name(name)
    kept = [
        each
        for each in rest.split("\r\n")
        if each and not each.casefold().startswith(("proxy-", "connection:", "host:"))
    ]
    path = f"{url.path or '/'}{'?' if url.query else ''}{url.query}"
    lines = [f"{method} {path} HTTP/1.1", f"Host: {url.netloc}", *kept]
    first = "\r\n".join([*lines, "Connection: close", "", ""])
    return _Asked(host, _port(port), first.encode("latin-1"))


def _name(given: str) -> str:
    name = given.casefold().rstrip(".")
    if not _NAME.fullmatch(name):
        raise Refused("a request", "what it names is no host")
    return name


def _port(given: str) -> int:
    if not given.isascii() or not given.isdigit() or len(given) > 5:  # noqa: PLR2004 - digits
        raise Refused("a request", "it names no port")
    return int(given)


_Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _between(one: _Ends, other: _Ends) -> None:
    """Carry bytes both ways until both have ended, or nobody says anything."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_carry(one[0], other[1]))
        group.create_task(_carry(other[0], one[1]))


async def _carry(giver: asyncio.StreamReader, taker: asyncio.StreamWriter) -> None:
    with suppress(OSError, TimeoutError):
        while True:
            async with asyncio.timeout(_SILENCE):
                data = await giver.read(1 << 16)
            if not data:
                break
            taker.write(data)
            await taker.drain()
    with suppress(OSError):
        taker.write_eof()


async def _say(writer: asyncio.StreamWriter, status: str, why: str) -> None:
    body = f"{why}\n".encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
    with suppress(OSError):
        await writer.drain()

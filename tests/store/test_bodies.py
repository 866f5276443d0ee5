"""Bodies take little room and come back byte for byte, also those stored long ago."""

import hashlib
import json
from collections.abc import Iterator

from zstandard import ZstdCompressor

from tests import contracts
from vibeboard.store import bodies
from vibeboard.store.bodies import ALONE, PLAIN, ZSTD, Packer, unpack

# Rows that were stored with a dictionary can be read with that one alone.
DICTIONARY = "0bf8955ff3abc42f4df31254aaebb5b977800f498274ff3453abc8c0fd226cc1"


def test_the_dictionary_stays_what_it_was() -> None:
    assert hashlib.sha256(bodies._DICTIONARY.as_bytes()).hexdigest() == DICTIONARY


def test_githubs_examples_take_much_less_room_than_alone() -> None:
    packer, alone = Packer(), ZstdCompressor(compression_params=bodies._FAST)
    whole, little = 0, 0

    for body in examples():
        encoding, packed = packer.pack(body)
        assert unpack(encoding, packed) == body
        whole, little = whole + len(alone.compress(body)), little + len(packed)

    assert 0 < little < 0.75 * whole


def test_what_was_stored_before_there_was_a_dictionary_is_read() -> None:
    body = b'{"action": "opened"}' * 100

    assert unpack(ALONE, ZstdCompressor().compress(body)) == body


def test_what_does_not_shrink_stays_as_it_is() -> None:
    noise = hashlib.shake_256(b"noise").digest(4000)

    assert Packer().pack(noise) == (PLAIN, noise)
    assert Packer().pack(noise * 2)[0] == ZSTD


def test_many_at_once_come_back_in_their_order() -> None:
    noise = hashlib.shake_256(b"noise").digest(4000)
    several = [b"", b"{}", *examples(), noise, b"x" * 3_000_000, b"{}"]

    packed = Packer().pack_all(several)

    assert [unpack(*one) for one in packed] == several
    assert {encoding for encoding, _ in packed} == {PLAIN, ZSTD}
    assert Packer().pack_all([]) == []


def examples() -> Iterator[bytes]:
    for event in contracts.document(contracts.WEBHOOK_EXAMPLES):
        for example in event["examples"]:
            yield json.dumps(example, separators=(",", ":")).encode()

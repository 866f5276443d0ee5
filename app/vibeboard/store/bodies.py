"""How the bodies of deliveries are stored: byte for byte, most of them compressed.

A column beside each body says how it is stored, so that the way may change without
touching what is there. Most of a payload is what GitHub writes into all of them: the
names of its fields and its addresses. They stand in ``dictionary.txt``, and a frame
refers to them there.
"""

from collections.abc import Sequence
from pathlib import Path

from zstandard import (
    DICT_TYPE_RAWCONTENT,
    STRATEGY_FAST,
    ZstdCompressionDict,
    ZstdCompressionParameters,
    ZstdCompressor,
    ZstdDecompressor,
)

PLAIN = 0
ALONE = 1  # a frame without the dictionary; read, and no longer written
ZSTD = 2

# Below this nothing is won: a frame has a head of its own.
_WORTH_IT = 512  # bytes
# Measured on GitHub's examples: 7.5 µs a body and a tenth of its size; without the
# dictionary, a sixth. The usual level takes two thirds longer, and intake waits; the
# quickest levels take a tenth longer, and leave more bytes.
_FAST = ZstdCompressionParameters(
    strategy=STRATEGY_FAST,
    min_match=7,
    target_length=1,
    hash_log=12,
    chain_log=12,
    search_log=1,
    window_log=19,
    write_content_size=True,
)
# Never changed, only ever joined by a second one with an encoding of its own: without
# this very file nobody reads what is stored.
_DICTIONARY = ZstdCompressionDict(
    Path(__file__).with_name("dictionary.txt").read_bytes(),
    dict_type=DICT_TYPE_RAWCONTENT,
)
_DICTIONARY.precompute_compress(compression_params=_FAST)

Packed = tuple[int, bytes]


class Packer:
    """Compresses bodies. For one thread at a time."""

    def __init__(self) -> None:
        self._zstd = ZstdCompressor(compression_params=_FAST, dict_data=_DICTIONARY)

    def pack(self, body: bytes) -> Packed:
        """The body as it is to be stored: its encoding and its bytes."""
        if len(body) >= _WORTH_IT:
            return _smaller(self._zstd.compress(body), body)
        return PLAIN, body

    def pack_all(self, bodies: Sequence[bytes]) -> list[Packed]:
        """Each body as it is to be stored, without the interpreter meanwhile.

        Another thread has it for the whole of that time, and not by turns.
        """
        worth = [body for body in bodies if len(body) >= _WORTH_IT]
        frames = iter(self._zstd.multi_compress_to_buffer([*worth]) if worth else ())
        return [
            _smaller(next(frames).tobytes(), body)
            if len(body) >= _WORTH_IT
            else (PLAIN, body)
            for body in bodies
        ]


def _smaller(frame: bytes, body: bytes) -> Packed:
    return (ZSTD, frame) if len(frame) < len(body) else (PLAIN, body)


def unpack(encoding: int, body: bytes) -> bytes:
    """The body as it came; raises ValueError for an encoding nobody knows."""
    if encoding == PLAIN:
        return bytes(body)
    if encoding == ALONE:
        return ZstdDecompressor().decompress(body)
    if encoding == ZSTD:
        return ZstdDecompressor(dict_data=_DICTIONARY).decompress(body)
    message = f"a body of the unknown encoding {encoding}"
    raise ValueError(message)

"""How the bodies of deliveries are stored: byte for byte, most of them compressed.

A column beside each body says how it is stored, so that the way may change without
touching what is there. Most of a payload is what GitHub writes into all of them: the
names of its fields and its addresses. They stand in ``dictionary.txt``, and a frame
refers to them there.
"""

from pathlib import Path

from zstandard import (
    DICT_TYPE_RAWCONTENT,
    ZstdCompressionDict,
    ZstdCompressor,
    ZstdDecompressor,
)

PLAIN = 0
ALONE = 1  # a frame without the dictionary; read, and no longer written
ZSTD = 2

# Below this nothing is won: a frame has a head of its own.
_WORTH_IT = 512  # bytes
# Measured on GitHub's examples: 9 µs a body and a tenth of its size; without the
# dictionary, a sixth. The usual level takes half as long again, and intake waits.
_LEVEL = -1
# Never changed, only ever joined by a second one with an encoding of its own: without
# this very file nobody reads what is stored.
_DICTIONARY = ZstdCompressionDict(
    Path(__file__).with_name("dictionary.txt").read_bytes(),
    dict_type=DICT_TYPE_RAWCONTENT,
)
_DICTIONARY.precompute_compress(level=_LEVEL)

Packed = tuple[int, bytes]


class Packer:
    """Compresses bodies. For one thread at a time."""

    def __init__(self) -> None:
        self._zstd = ZstdCompressor(
            level=_LEVEL, dict_data=_DICTIONARY, write_content_size=True
        )

    def pack(self, body: bytes) -> Packed:
        """The body as it is to be stored: its encoding and its bytes."""
        if len(body) >= _WORTH_IT:
            frame = self._zstd.compress(body)
            if len(frame) < len(body):
                return ZSTD, frame
        return PLAIN, body


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

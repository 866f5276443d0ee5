"""How the bodies of deliveries are stored: byte for byte, most of them compressed.

A column beside each body says how it is stored, so that the way may change without
touching what is there.
"""

from zstandard import ZstdCompressor, ZstdDecompressor

PLAIN = 0
ZSTD = 1

# Below this nothing is won: a frame has a head of its own.
_WORTH_IT = 512  # bytes
# Measured on GitHub's examples: 11 µs a body and a fifth of its size. The usual level
# takes twice as long for another fifth of that, and intake waits for it.
_LEVEL = -3

Packed = tuple[int, bytes]


class Packer:
    """Compresses bodies. For one thread at a time."""

    def __init__(self) -> None:
        self._zstd = ZstdCompressor(level=_LEVEL, write_content_size=True)

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
    if encoding == ZSTD:
        return ZstdDecompressor().decompress(body)
    message = f"a body of the unknown encoding {encoding}"
    raise ValueError(message)

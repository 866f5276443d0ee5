"""How the bodies of deliveries are stored: byte for byte, most of them compressed.

A column beside each body says how it is stored, so that the way may change without
touching what is there.
"""

from collections.abc import Sequence

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
    """Compresses bodies, a group at a time. For one thread at a time."""

    def __init__(self) -> None:
        self._zstd = ZstdCompressor(level=_LEVEL, write_content_size=True)

    def pack(self, bodies: Sequence[bytes]) -> list[Packed]:
        """Each body as it is to be stored: its encoding and its bytes.

        Other threads run meanwhile, and are asked only once a group.
        """
        packed: list[Packed] = [(PLAIN, body) for body in bodies]
        large = [at for at, body in enumerate(bodies) if len(body) >= _WORTH_IT]
        if not large:
            return packed
        frames = self._zstd.multi_compress_to_buffer([bodies[at] for at in large])
        for at, frame in zip(large, frames, strict=True):
            if len(frame) < len(bodies[at]):
                packed[at] = (ZSTD, frame.tobytes())
        return packed


def unpack(encoding: int, body: bytes) -> bytes:
    """The body as it came; raises ValueError for an encoding nobody knows."""
    if encoding == PLAIN:
        return bytes(body)
    if encoding == ZSTD:
        return ZstdDecompressor().decompress(body)
    message = f"a body of the unknown encoding {encoding}"
    raise ValueError(message)

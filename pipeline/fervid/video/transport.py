"""Whether a transport stream ends where a packet ends: it has no header that could say how long it should be.

ISO/IEC 13818-1: packets of 188 bytes that begin with 0x47; with a time stamp before each, or a check after it, every
192 or 204 bytes. Decodes nothing.
"""

from __future__ import annotations

from fervid.storage.place import Place, open_for_reading

SYNC = 0x47
STRIDES = (188, 192, 204)
N_PACKETS = 20
"""So many in a row are no chance, and are looked at from the end: what comes before may be another recording."""


# Decision VID-7.
def ends_within_a_packet(path: Place) -> bool:
    """Whether the last packet of a transport stream is incomplete; False where no packets are found at its end."""
    with open_for_reading(path, is_all_wanted=False) as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - (N_PACKETS + 1) * max(STRIDES)))
        tail = file.read()
    for stride in STRIDES:
        for first in range(min(stride, len(tail))):
            syncs = tail[first::stride]
            if len(syncs) >= N_PACKETS and set(syncs) == {SYNC}:
                before = 4 if stride == 192 else 0  # a time stamp precedes the sync byte
                return (len(tail) - first + before) % stride != 0
    return False

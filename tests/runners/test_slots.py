from __future__ import annotations

import threading

from runners.interruption import Interruption
from runners.slots import Slots


class Noticing(Interruption):
    """Tells that somebody looks at it: whoever waits for a slot, once it has its place in the queue."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_at = threading.Event()

    def is_set(self) -> bool:
        self.looked_at.set()
        return super().is_set()


def test_slots_are_given_in_the_order_of_asking() -> None:
    slots, came = Slots(1), list[int]()

    def take(number: int, interruption: Interruption) -> None:
        with slots.one(interruption) as is_mine:
            assert is_mine
            came.append(number)

    threads = []
    with slots.one(Interruption()):
        for number in range(8):
            noticing = Noticing()
            threads.append(threading.Thread(target=take, args=(number, noticing)))
            threads[-1].start()
            assert noticing.looked_at.wait(60)
        assert came == []
    for thread in threads:
        thread.join()
    assert came == list(range(8))


def test_who_is_interrupted_leaves_the_queue_and_keeps_no_slot() -> None:
    slots, interruption = Slots(1), Interruption()
    with slots.one(Interruption()):
        interruption.set()
        with slots.one(interruption) as is_mine:
            assert not is_mine
    with slots.one(interruption) as is_mine:
        assert not is_mine
    with slots.one(Interruption()) as is_mine:
        assert is_mine

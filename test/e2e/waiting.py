"""waiting.py - wait for something to become true, under a deadline"""

import time

DEADLINE = 60.0  # seconds; generous, for a machine that is busy: what is fast stays fast, and only a hang meets it


def eventually(look, what, timeout=DEADLINE, pause=0.01):
    """Call look() until its result is true; the result. `what` says what was waited for when it fails."""
    end = time.monotonic() + timeout
    while True:
        result = look()
        if result:
            return result
        if time.monotonic() >= end:
            raise AssertionError(f"{timeout:g} s went by and it did not happen: {what() if callable(what) else what}")
        time.sleep(pause)

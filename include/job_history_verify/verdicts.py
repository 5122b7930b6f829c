"""The verdicts, and the exit code that each of them means."""

from __future__ import annotations

from enum import Enum

EXIT_PROVEN, EXIT_DIFFERS, EXIT_NOT_CHECKED = 0, 1, 2


class Verdict(str, Enum):
    """What the verifier finds of a document, an hour or a seal. The texts stay: people filter by them."""

    PROVEN = "proven"
    ERASED = "erased"
    NOT_CHECKABLE = "not checkable"
    ELSEWHERE = "elsewhere"

    NOT_JUDGED = "not judged"
    UNRECOVERABLE = "unrecoverable"
    DISABLED = "disabled"

    MISSING = "missing"
    MODIFIED = "modified"
    EXTRA = "extra"
    UNSEALED = "unsealed"
    FAILED = "failed"
    GAP = "gap"
    BROKEN_CHAIN = "broken chain"
    BAD_SIGNATURE = "bad signature"
    UNKNOWN_KEY = "unknown key"
    KEY_NOT_VALID = "key not valid then"
    SUMS_DIFFER = "sums differ"
    CUT_OFF = "cut off"
    START_CUT_OFF = "start cut off"
    DROPPED = "dropped"
    UNSIGNED = "unsigned"

    COULD_NOT_CHECK = "could not check"

    def __str__(self) -> str:
        return self.value

    def exit_code(self, *, strict: bool = False, allow_unsigned: bool = False) -> int:
        """Return 0, 1 or 2: what one such finding makes of the whole."""
        if self is Verdict.COULD_NOT_CHECK:
            return EXIT_NOT_CHECKED
        if self in _GOOD or (self in _GOOD_UNLESS_STRICT and not strict):
            return EXIT_PROVEN
        if self is Verdict.UNSIGNED and allow_unsigned:
            return EXIT_PROVEN
        return EXIT_DIFFERS


_GOOD = {Verdict.PROVEN, Verdict.ERASED, Verdict.NOT_CHECKABLE, Verdict.ELSEWHERE}
_GOOD_UNLESS_STRICT = {Verdict.NOT_JUDGED, Verdict.UNRECOVERABLE, Verdict.DISABLED}

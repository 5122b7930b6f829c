"""Reads the Airflow Variable `job_history_accounts`: accounts, and a problem for each entry that is not one."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from pydantic import ValidationError

from job_history.accounts.account import MAX_NAME_LENGTH, Account
from job_history.accounts.destination_registry import installed
from job_history.accounts.raw_entries import split_entries
from job_history.accounts.setting_errors import sentence_of
from job_history.errors import PermanentError
from job_history.errors.quoting import quoted, unsafe_character

ACCOUNTS_VARIABLE = "job_history_accounts"
MAX_QUOTED_USER_ID = 10**24
"""Numbers beyond are not repeated in messages."""


class EntryProblem(msgspec.Struct, frozen=True):
    """Why an entry of the Variable cannot be used.

    `user_id` is the text of the entry's own, if it has one. `places` are the keys with an error (`destination.bucket`).
    `message` names the account, and each place with its error.
    """

    user_id: str | None
    places: list[str]
    message: str


@dataclass(frozen=True)
class Accounts:
    """The accounts that can be used, by user_id, and a problem for each entry that cannot. One stops no other."""

    usable: dict[int, Account]
    problems: list[EntryProblem] = field(default_factory=list)

    @property
    def messages(self) -> list[str]:
        return [problem.message for problem in self.problems]

    @property
    def unusable_ids(self) -> set[int]:
        """Return the user_ids of the entries that cannot be used, as far as they have one."""
        ids = {each.user_id for each in self.problems if each.user_id}
        return {int(text) for text in ids if text.isascii() and text.isdecimal() and len(text) < 19} - {*self.usable}

    def get(self, user_id: int) -> Account:
        """Return an account. Raises PermanentError if it is not (or no longer) among the usable ones."""
        if user_id in self.usable:
            return self.usable[user_id]
        reasons = [problem.message for problem in self.problems if problem.user_id == str(user_id)]
        raise PermanentError(
            f"Account {user_id} is not among the usable accounts of the Airflow Variable {ACCOUNTS_VARIABLE}. "
            + (" ".join(reasons) or "Add it there, or ask for other accounts.")
        )


def read_accounts(text: str | None, cause: str = f"The Airflow Variable {ACCOUNTS_VARIABLE}") -> Accounts:
    """Read the Variable's text; `cause` names another place that it comes from.

    Raises PermanentError if nothing in it can be read as accounts.
    """
    remedy = "Write it as docs/accounts.md shows: a JSON list with an object for each account."
    if text is None:
        raise PermanentError(f"{cause} does not exist, so no account can be replicated. {remedy}")
    try:
        # One entry after another is made: ten thousand of them have 20 MB.
        entries = split_entries(text)
        times_named = Counter(_user_id(_read(entry)) for entry in entries)
    except msgspec.ValidationError as error:
        raise PermanentError(f"{cause} is JSON, but not a list. {remedy}") from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise PermanentError(f"{cause} is not valid JSON: {error}. {remedy}") from error
    if not entries:
        raise PermanentError(f"{cause} lists no accounts, so nothing would be replicated. {remedy}")
    return _accounts_of(map(_read, entries), times_named)


def _read(entry: msgspec.Raw) -> Any:
    return json.loads(bytes(entry), object_pairs_hook=_object, parse_int=_whole_number)


def _whole_number(digits: str) -> int | float:
    """Return the number; infinity, which no setting may be, if it has more digits than Python reads."""
    return int(digits) if len(digits) < sys.int_info.str_digits_check_threshold else float(digits)


class _WithRepeats(dict[str, Any]):
    """An object in which names are there more than once: only one of their values is left."""

    repeated: Sequence[str] = ()


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) == len(members):
        return found
    marked = _WithRepeats(found)
    marked.repeated = [name for name, times in Counter(name for name, _ in members).items() if times > 1]
    return marked


def _repeats_in(value: Any, place: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the places of the names that are there more than once."""
    if isinstance(value, _WithRepeats):
        yield from (".".join([*place, name]) for name in value.repeated)
    inner = value.items() if isinstance(value, dict) else enumerate(value, start=1) if isinstance(value, list) else ()
    for name, each in inner:
        yield from _repeats_in(each, (*place, str(name)))


def errors_by_place(invalid: ValidationError) -> dict[str, list[str]]:
    """Return the errors of an account's entry by place (`destination.bucket`), in the same words as a run's."""
    errors: dict[str, list[str]] = {}
    for error in invalid.errors():
        place, short, whole = _described(error)
        # The rules share one field of a form.
        field_ = "redaction" if error["loc"][:1] == ("redaction",) else place
        errors.setdefault(field_, []).append(short if field_ == place else whole)
    return errors


def _accounts_of(entries: Iterable[Any], times_named: Counter[int | None]) -> Accounts:
    usable: dict[int, Account] = {}
    problems: list[EntryProblem] = []
    shared: dict[tuple[str, bytes], Any] = {}
    for number, entry in enumerate(entries, start=1):
        user_id = _user_id(entry)
        if user_id is not None and times_named[user_id] > 1:
            duplicate = f"user_id {user_id} is in the list more than once; keep one of the entries."
            problems.append(_problem(number, entry, ["user_id"], duplicate))
            continue
        if repeated := [quoted(place) for place in _repeats_in(entry)]:
            # Which of the values was meant cannot be known: one may have the rules of redaction, the other none.
            errors = f"the key {' and '.join(repeated)} is there more than once; keep one."
            problems.append(_problem(number, entry, repeated, errors))
            continue
        try:
            account = Account.model_validate(entry)
        except ValidationError as invalid:
            described = [_described(error) for error in invalid.errors()]
            errors = "; ".join(whole for _, _, whole in described) + "."
            problems.append(_problem(number, entry, [place for place, _, _ in described], errors))
        else:
            usable[account.user_id] = _sharing(account, entry, shared)
    return Accounts(usable, problems)


def _sharing(account: Account, entry: dict[str, Any], shared: dict[tuple[str, bytes], Any]) -> Account:
    """Return the account with settings that are in memory once for all accounts that have the same."""
    alike = {
        name: shared.setdefault((name, msgspec.json.encode(entry[name])), getattr(account, name))
        for name in ("source", "destination", "events")
    }
    return account.model_copy(update=alike)


def _user_id(entry: Any) -> int | None:
    user_id = entry.get("user_id") if isinstance(entry, dict) else None
    return user_id if type(user_id) is int and abs(user_id) < MAX_QUOTED_USER_ID else None


def _problem(number: int, entry: Any, places: list[str], errors: str) -> EntryProblem:
    if not isinstance(entry, dict):
        return EntryProblem(None, places, f"Entry {number} of {ACCOUNTS_VARIABLE}: {errors}")
    user_id = _user_id(entry)
    who = f"without a valid user_id (entry {number})" if user_id is None else str(user_id)
    name = f" {entry['name']}" if _is_name(entry.get("name")) else ""
    return EntryProblem(None if user_id is None else str(user_id), places, f"Account {who}{name}: {errors}")


def _is_name(name: Any) -> bool:
    """Whether a name may be repeated in a message. Any other may be a secret, or forge lines of a log."""
    return isinstance(name, str) and 0 < len(name) <= MAX_NAME_LENGTH and unsafe_character(name) is None


def _described(error: Any) -> tuple[str, str, str]:
    """Return the place of an error, what is wrong, and both in one sentence."""
    place = _place(error["loc"]) or "the entry"
    sentences = {
        "extra_forbidden": f"unknown key {quoted(place)}",
        "missing": f"{place} is missing",
        "union_tag_not_found": f"{place}.type is missing",
        "model_type": f"{place} is not a JSON object",
        "model_attributes_type": f"{place} is not a JSON object",
    }
    if error["type"] in sentences:
        return place, sentences[error["type"]], sentences[error["type"]]
    if error["type"] == "union_tag_invalid" and place == "destination" and error["ctx"]["tag"] in installed().broken:
        kind = error["ctx"]["tag"]
        package, why = installed().packages[kind], installed().broken[kind]
        whole = f"destination.type: {kind!r} is provided by the package {package}, and {why}"
        return place, whole, whole
    if error["type"] == "union_tag_invalid":
        whole = f"{place}.type: {quoted(error['ctx']['tag'])} is not among {error['ctx']['expected_tags']}"
        return place, whole, whole
    short = sentence_of(error)
    return place, short, f"{place}: {short}"


def _place(location: tuple[int | str, ...]) -> str:
    """Return the place of an error as the Variable has it: without the kind that pydantic puts after a union."""
    if location[:1] == ("redaction",) and len(location) > 1:
        number, field_ = int(location[1]) + 1, [str(part) for part in location[3:]]
        return ": ".join([f"redaction rule {number}", *field_])
    parts = [str(part) for part in location]
    return ".".join(parts[:1] + parts[2:] if parts[:1] in (["destination"], ["source"]) else parts)

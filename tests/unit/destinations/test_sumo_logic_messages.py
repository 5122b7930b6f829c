"""Documents as Sumo Logic messages: cut, joined, gathered into requests."""

import hashlib
import json
import re
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from job_history.destinations.messages.text_pieces import piece_ends
from job_history.destinations.sumo_logic import Batch, Framing, JoinError, batches, join, join_each, messages_of
from job_history.destinations.sumo_logic.encoder import SumoLogicEncoder

VECTORS = sorted((Path(__file__).parents[2] / "vectors").glob("*/document.json"))
DELIVERY_ID = "5234/jobs/234/20180521/000/000/000/000/000/000/100/5234-234-100-20180521000000-succeeded.json"
TIMESTAMP_MS = 1526860810000
FRAMING = SumoLogicEncoder().framing
SMALL_LIMIT = 700  # forces cuts cheaply; the envelope takes up to about 350 of it


def cut(document: bytes, max_message_bytes: int = 65_000, delivery_id: str = DELIVERY_ID) -> list[bytes]:
    return list(
        messages_of(document, delivery_id=delivery_id, timestamp_ms=TIMESTAMP_MS, max_message_bytes=max_message_bytes)
    )


def without_repeated_names(pairs: list[tuple[str, object]]) -> dict[str, object]:
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def read(message: bytes) -> dict:
    """A message as any reader of JSON lines would take it, with what holds for every one of them."""
    assert message.endswith(b"\n")
    assert message.count(b"\n") == 1
    fields = json.loads(message.decode("utf-8"), object_pairs_hook=without_repeated_names)
    assert list(fields)[:2] == ["timestamp", "replication"]
    assert fields["timestamp"] == TIMESTAMP_MS
    assert fields["replication"]["delivery_id"] == DELIVERY_ID
    return fields


def rebuilt(messages: list[dict]) -> dict:
    """The document's value, put together from the messages without our code: the format's description, read
    literally.
    """
    head, lines, head_text, line_texts = {}, {}, "", {}
    for message in messages:
        replication = message["replication"]
        match replication["holds"]:
            case "document" | "head":
                new_names = {name: name.split("_")[-1] for name, _ in replication.get("renamed", [])}
                fields = {name: value for name, value in message.items() if name not in ("timestamp", "replication")}
                head = {new_names.get(name, name): value for name, value in fields.items()}
            case "document text" | "head text":
                head_text += message["text"]
            case "lines":
                numbers = range(replication["first_line"], replication["last_line"] + 1)
                lines |= dict(zip(numbers, message["lines"], strict=True))
            case "line text":
                line_texts[replication["line"]] = line_texts.get(replication["line"], "") + message["text"]
    if head_text:
        head = json.loads(head_text)
    lines |= {number: json.loads(text) for number, text in line_texts.items()}
    if lines:
        assert sorted(lines) == list(range(messages[0]["replication"]["lines"]))
        head["lines"] = [lines[number] for number in sorted(lines)]
    return head


def assert_carried(document: bytes, max_message_bytes: int) -> list[bytes]:
    """Every message is valid JSON within the limit, and together they are the document."""
    messages = cut(document, max_message_bytes)
    assert max(map(len, messages)) <= max_message_bytes
    fields = [read(message) for message in messages]
    numbering = [(message["replication"]["part"], message["replication"]["parts"]) for message in fields]
    assert numbering == [(number, len(messages)) for number in range(1, len(messages) + 1)]
    assert rebuilt(fields) == json.loads(document)
    assert join(messages) == document
    return messages


def holdings(messages: list[bytes]) -> list[str]:
    return [json.loads(message)["replication"]["holds"] for message in messages]


def compact(value: object, *, ascii_only: bool = False) -> bytes:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only)
    # Half a surrogate pair has no UTF-8 form: JSON can only hold it as an escape.
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text).encode() + b"\n"


def job(*, report: object = None, lines: object = (), **extra: object) -> dict:
    return {
        "id": 100, "flow_id": 234, "parent_id": None, "calling_job_id": None, "status": "completed",
        "started_at": "2018-05-21T00:00:00Z", "completed_at": "2018-05-21T00:00:10Z", "error_type": None,
        "error": None, "title": "hello world", "is_poll_error": False, "report": report, "lines": lines, **extra,
    }  # fmt: skip


def line(number: int, output: object) -> dict:
    return {
        "recipe_line_number": number, "adapter_name": "clock", "adapter_operation": "timer", "input": {},
        "output": output, "mask_data": False,
    }  # fmt: skip


def filled(size: int, *, where: str) -> bytes:
    """A document of exactly `size` bytes with multi-byte text, its weight in one line, in many, or in the report."""
    text = 'Zoë "größer" \\ 数据 🚀 '
    smallest = len(compact(job(report="", lines=[line(0, "")])))
    if where == "many lines":
        weight = compact(line(1, text))[:-1] + b","
        count, rest = divmod(size - smallest, len(weight))
        document = compact(job(report="", lines=[line(0, "x" * rest)]))
        return document.replace(b'"lines":[', b'"lines":[' + weight * count)
    unit = len(compact(text)) - len(b'""\n')
    count, rest = divmod(size - smallest, unit)
    body = text * count + "x" * rest
    return compact(
        job(report=body, lines=[line(0, "")]) if where == "report" else job(report="", lines=[line(0, body)])
    )


# --- a document that fits ---


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.parent.name)
def test_a_document_that_fits_is_one_message_with_its_bytes_as_they_are(path: Path) -> None:
    document = path.read_bytes()
    replication = f'{{"delivery_id":"{DELIVERY_ID}","part":1,"parts":1,"holds":"document"}}'.encode()
    assert cut(document) == [b'{"timestamp":1526860810000,"replication":' + replication + b"," + document[1:]]
    assert join(cut(document)) == document


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("limit", [460, 500, 600, 650, 700])
def test_golden_documents_come_back_at_any_limit(path: Path, limit: int) -> None:
    assert_carried(path.read_bytes(), limit)


def test_the_limit_counts_the_newline_and_is_reached_but_not_passed() -> None:
    document = filled(60_000, where="one line")
    [message] = cut(document)
    assert cut(document, len(message)) == [message]
    assert len(assert_carried(document, len(message) - 1)) > 1


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537])
def test_messages_around_the_size_at_which_sumo_logic_slices(size: int) -> None:
    overhead = len(cut(b"{}\n")[0]) - 2  # a comma for the braces and newline shared: see the assertion below
    document = filled(size - overhead, where="one line")
    messages = assert_carried(document, 65_536)
    assert len(cut(document, 1_000_000)[0]) == size
    assert (len(messages) == 1) is (size <= 65_536)


def test_an_empty_object() -> None:
    [message] = assert_carried(b"{}\n", 65_000)
    assert set(read(message)) == {"timestamp", "replication"}


def test_the_delivery_id_may_hold_any_text() -> None:
    delivery_id = 'prefix "},{\\ Zoë 🚀/x.json'
    document = compact(job())
    messages = cut(document, delivery_id=delivery_id)
    assert json.loads(messages[0])["replication"]["delivery_id"] == delivery_id
    assert dict(join_each(messages)) == {delivery_id: document}


# --- a document that is split ---


def test_head_and_lines_word_for_word() -> None:
    document = compact(job(report={"a": 1}, lines=[line(0, "x" * 200), line(1, 1), line(2, 2)], action_count=3))
    opening = f'{{"timestamp":1526860810000,"replication":{{"delivery_id":"{DELIVERY_ID}","part":%d,"parts":3,"holds":'
    reported = f',"sha256":"{hashlib.sha256(document).hexdigest()}",'
    head = compact({name: value for name, value in json.loads(document).items() if name != "lines"}).decode()
    offset = head.index(',"action_count"')
    assert [message.decode() for message in cut(document, SMALL_LIMIT)] == [
        opening % 1 + f'"head"{reported}"lines":3,"lines_offset":{offset}}},' + head[1:],
        opening % 2
        + f'"lines"{reported}"first_line":0,"last_line":0}},"lines":['
        + '{"recipe_line_number":0,"adapter_name":"clock","adapter_operation":"timer","input":{},"output":"'
        + "x" * 200
        + '","mask_data":false}]}\n',
        opening % 3
        + f'"lines"{reported}"first_line":1,"last_line":2}},"lines":['
        + '{"recipe_line_number":1,"adapter_name":"clock","adapter_operation":"timer","input":{},"output":1,'
        + '"mask_data":false},'
        + '{"recipe_line_number":2,"adapter_name":"clock","adapter_operation":"timer","input":{},"output":2,'
        + '"mask_data":false}]}\n',
    ]


def test_line_too_large_alone_is_text_with_its_line_and_piece_number() -> None:
    document = compact(job(lines=[line(0, 1), line(1, 'say "🚀" ' * 60), line(2, 2)]))
    messages = [read(message) for message in assert_carried(document, SMALL_LIMIT)]
    reported = [{**message["replication"], "delivery_id": None, "sha256": None} for message in messages]
    common = {"delivery_id": None, "sha256": None, "parts": 7}
    assert reported == [
        {**common, "part": 1, "holds": "head", "lines": 3, "lines_offset": 246},
        {**common, "part": 2, "holds": "lines", "first_line": 0, "last_line": 0},
        {**common, "part": 3, "holds": "line text", "line": 1, "piece": 1, "pieces": 4},
        {**common, "part": 4, "holds": "line text", "line": 1, "piece": 2, "pieces": 4},
        {**common, "part": 5, "holds": "line text", "line": 1, "piece": 3, "pieces": 4},
        {**common, "part": 6, "holds": "line text", "line": 1, "piece": 4, "pieces": 4},
        {**common, "part": 7, "holds": "lines", "first_line": 2, "last_line": 2},
    ]
    text = "".join(message.get("text", "") for message in messages)
    assert text.encode() + b"\n" == compact(line(1, 'say "🚀" ' * 60))


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(job(report="r" * 900, lines=[line(0, 1)]), {"head text", "lines"}, id="large report"),
        pytest.param(job(report="r" * 900, lines=[line(0, "x" * 900)]), {"head text", "line text"}, id="both large"),
        pytest.param(job(report="r" * 900, lines=[]), {"document text"}, id="no lines ran"),
        pytest.param(job(report="r" * 900, lines="Log lines exceed size limit"), {"document text"}, id="oversize"),
        pytest.param({"id": 1, "report": "r" * 900}, {"document text"}, id="line details off"),
        pytest.param({"event": "user_login", "details": "d" * 900}, {"document text"}, id="admin event"),
        pytest.param({"lines": [1, "x" * 600]}, {"head", "lines", "line text"}, id="nothing but lines"),
        pytest.param({"lines": ["x" * 600], "z": 1}, {"head", "line text"}, id="lines first"),
        pytest.param({"report": {"lines": [1]}, "z": {"lines": ["x" * 900]}}, {"document text"}, id="lines deeper"),
        pytest.param(
            {"report": {"lines": [1]}, "lines": [1] * 150, "z": '"lines":[1]' + "x" * 250},
            {"head", "lines"},
            id="lines often",
        ),
    ],
)
def test_what_is_cut_how(document: dict, expected: set[str]) -> None:
    messages = assert_carried(compact(document), SMALL_LIMIT)
    assert len(messages) > 1
    assert set(holdings(messages)) == expected


def test_a_deep_or_loosely_written_document_is_carried_as_text() -> None:
    for document in (
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b',"lines":[1]}\n',
        b'{"lines": [1, 2], "a": "' + b"x" * 900 + b'"}\n',
        b'{"lines":[1, 2],"a":"' + b"x" * 900 + b'"}\n',
        b'{"lines":[1],"lines":[2],"a":"' + b"x" * 900 + b'"}\n',
        b'{"l\\u0069nes":[1],"a":"' + b"x" * 900 + b'"}\n',
    ):
        messages = cut(document, SMALL_LIMIT)
        assert max(map(len, messages)) <= SMALL_LIMIT
        assert "".join(read(message)["text"] for message in messages).encode() + b"\n" == document
        assert join(messages) == document


def test_half_a_surrogate_pair_is_no_reason_to_lose_the_lines() -> None:
    document = rb'{"title":"\ud83d","report":"\\ud83d \uDE00x","lines":["\ud83dx","' + rb"\ud83d\\" * 90 + b'"]}\n'
    messages = assert_carried(document, SMALL_LIMIT)
    assert holdings(messages)[:2] == ["head", "lines"]
    assert b'"title":"\\ud83d","report":"\\\\ud83d \\uDE00x"}\n' in messages[0]


# --- names that the envelope takes ---


def test_the_timestamp_of_an_admin_event_stands_under_another_name() -> None:
    document = b'{"event":"user_login","user":{"timestamp":1},"timestamp":"2018-05-21T00:00:10Z"}\n'
    assert cut(document) == [
        b'{"timestamp":1526860810000,"replication":{"delivery_id":"' + DELIVERY_ID.encode()
        + b'","part":1,"parts":1,"holds":"document","renamed":[["document_timestamp",45]]},'
        + b'"event":"user_login","user":{"timestamp":1},"document_timestamp":"2018-05-21T00:00:10Z"}\n'
    ]  # fmt: skip
    assert_carried(document, 65_000)


@pytest.mark.parametrize(
    "document",
    [
        {"timestamp": 1, "replication": {"timestamp": 2}, "z": 3},
        {"document_timestamp": 0, "replication": 1, "timestamp": 2, "document_document_timestamp": 3},
        {"replication": "timestamp", "lines": ["x" * 500], "timestamp": {"replication": 1}},
        {"timestamp": "x" * 900, "lines": [1]},
        {"report": '"timestamp":', "note": {"timestamp": 1}},
    ],
)
@pytest.mark.parametrize("limit", [SMALL_LIMIT, 65_000])
def test_no_name_comes_twice_in_a_message(document: dict, limit: int) -> None:
    assert_carried(compact(document), limit)


def test_a_message_that_only_the_new_name_makes_too_large_is_split() -> None:
    document = compact({"timestamp": 1, "z": "x" * 600})
    whole = len(cut(document)[0])
    assert holdings(assert_carried(document, whole)) == ["document"]
    assert set(holdings(assert_carried(document, whole - 1))) == {"document text"}


# --- what is refused ---


@pytest.mark.parametrize(
    "document", [b"", b"\n", b"{}", b"[1]\n", b'{"a":1}\n{"b":2}\n', b'{"a":\n1}\n', b"{}\n\n", b" {}\n", b"null\n"]
)
def test_what_is_no_document_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=rf"{DELIVERY_ID}: the document is not one JSON object on one line"):
        cut(document)


@pytest.mark.parametrize("timestamp_ms", [-1, 0, 1526860810, 999_999_999_999, 10_000_000_000_000])
def test_a_time_that_sumo_logic_would_not_read_is_refused(timestamp_ms: int) -> None:
    with pytest.raises(ValueError, match=f"the time {timestamp_ms} is not 13 digits"):
        messages_of(b"{}\n", delivery_id=DELIVERY_ID, timestamp_ms=timestamp_ms, max_message_bytes=65_000)


@pytest.mark.parametrize("limit", [-1, 0, 1, 100, 380])
@pytest.mark.parametrize("where", ["one line", "many lines", "report"])
def test_a_limit_without_room_beside_the_envelope_is_refused_with_one_that_has(limit: int, where: str) -> None:
    document = filled(5_000, where=where)
    with pytest.raises(ValueError, match=f"max_message_bytes is {limit}, too small to cut {DELIVERY_ID}") as refusal:
        cut(document, limit)
    advised = int(str(refusal.value).rpartition(" ")[2])
    with pytest.raises(ValueError, match="too small to cut"):
        cut(document, advised - 1)
    if where == "report":
        assert_carried(document, advised)


def test_text_that_would_make_no_json_message_is_refused() -> None:
    with pytest.raises(ValueError, match="control character at byte 5; documents are compact JSON"):
        cut(b'{"a":\t"' + b"x" * 900 + b'"}\n', SMALL_LIMIT)
    with pytest.raises(ValueError, match="not UTF-8 after byte 1; documents are UTF-8 JSON"):
        cut(b'{"' + b"\x80" * 900 + b'":1}\n', SMALL_LIMIT)


# --- any size, any content ---


@pytest.mark.parametrize("where", ["one line", "many lines", "report"])
@pytest.mark.parametrize("size", [64_999, 65_000, 65_535, 65_536, 65_537, 999_999, 1_000_000, 1_000_001])
def test_documents_of_a_named_size(size: int, where: str) -> None:
    document = filled(size, where=where)
    assert len(document) == size
    messages = assert_carried(document, 65_000)
    assert (
        [batch.messages for batch in batches(messages, FRAMING)] == [len(messages)]
        if size < 900_000
        else [15, len(messages) - 15]
    )


@pytest.mark.parametrize("where", ["one line", "many lines", "report"])
def test_a_document_of_40_mb(where: str) -> None:
    document = filled(40_000_000, where=where)
    messages = cut(document)
    assert max(map(len, messages)) <= 65_000
    assert all(json.loads(message) for message in messages)
    assert join(reversed(messages)) == document


@pytest.mark.parametrize("where", ["one line", "many lines", "report"])
def test_cutting_holds_little_beside_the_document(where: str) -> None:
    document = filled(8_000_000, where=where)
    tracemalloc.start()
    count = sum(1 for _ in messages_of(document, delivery_id=DELIVERY_ID, timestamp_ms=TIMESTAMP_MS))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count > 120
    assert peak < 2.5 * len(document)


@pytest.mark.parametrize(
    "text",
    ["🚀", "é", "e\u0301", "数据", "\\", '"', '\\"', "\\\\🚀", "\x00", "\ud83d", "\ude00\\", "a🚀\"é\\\x00\ud83d'"],
    ids=ascii,
)
@pytest.mark.parametrize("ascii_only", [False, True], ids=["as utf-8", "as escapes"])
def test_text_is_whole_wherever_the_cut_falls(text: str, ascii_only: bool) -> None:
    for shift in range(13):
        for document in (job(lines=["x" * shift + text * 300]), {"title": "x" * shift + text * 300}):
            assert len(assert_carried(compact(document, ascii_only=ascii_only), 520)) > 2


TEXT = st.text(
    st.one_of(
        st.sampled_from('\\"🚀é数\u0301\x00\x1f\x7f\u2028\ud83d\ude00,]}{['), st.characters(exclude_categories=[])
    ),
    max_size=150,
)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
NAME = st.sampled_from(["timestamp", "replication", "document_timestamp", "lines", "id", "title"]) | TEXT
REPEATED = st.integers(1, 12).flatmap(lambda times: VALUE.map(lambda value: [value] * times))
DOCUMENT = st.one_of(
    st.builds(job, report=VALUE, lines=st.lists(VALUE, max_size=30) | REPEATED, is_repeat=VALUE),
    st.dictionaries(NAME, VALUE | REPEATED, max_size=8),
)


@settings(max_examples=200, deadline=None)
@given(text=TEXT.map(lambda text: compact(text)[:-1]), room=st.integers(8, 40))
def test_pieces_are_as_long_as_they_can_be(text: bytes, room: int) -> None:
    def is_a_piece(start: int, end: int) -> bool:
        part = text[start:end].decode("utf-8", "replace")
        return part.encode() == text[start:end] and len(json.dumps(part, ensure_ascii=False).encode()) - 2 <= room

    starts = [0, *piece_ends(text, 0, len(text), room)]
    assert starts[-1] == len(text)
    for start, end in pairwise(starts):
        assert end == max(stop for stop in range(start + 1, len(text) + 1) if is_a_piece(start, stop))


@pytest.mark.promise("messages-join")
@settings(max_examples=250, deadline=None)
@given(
    value=DOCUMENT, ascii_only=st.booleans(), limit=st.integers(600, 2_500), random=st.randoms(use_true_random=False)
)
def test_any_document_comes_back_from_its_messages_in_any_order_with_repeats(
    value: dict, ascii_only: bool, limit: int, random: Random
) -> None:
    document = compact(value, ascii_only=ascii_only)
    messages = assert_carried(document, limit)
    assert cut(document, limit) == messages
    arrived = messages + random.choices(messages, k=3)
    random.shuffle(arrived)
    assert join([random.choice([message, message[:-1]]) for message in arrived]) == document


@settings(max_examples=100, deadline=None)
@given(sizes=st.lists(st.integers(1, 60), max_size=40), limit=st.integers(60, 200))
def test_batches_hold_the_messages_in_order_and_as_full_as_they_can_be(sizes: list[int], limit: int) -> None:
    messages = [b"x" * (size - 1) + b"\n" for size in sizes]
    made = list(batches(iter(messages), Framing(max_batch_bytes=limit)))
    assert b"".join(batch.body for batch in made) == b"".join(messages)
    assert all(len(batch.body) <= limit for batch in made)
    for batch, following in pairwise(made):
        assert len(batch.body) + following.body.index(b"\n") + 1 > limit


# --- joining ---


def nine_parts() -> list[bytes]:
    messages = cut(compact(job(lines=[line(number, "x" * 200) for number in range(8)])), SMALL_LIMIT)
    assert len(messages) == 9
    return messages


def test_joining_names_what_is_missing() -> None:
    messages = nine_parts()
    with pytest.raises(JoinError) as problem:
        join([message for number, message in enumerate(messages, start=1) if number not in (3, 5, 6, 7)])
    assert str(problem.value) == f"{DELIVERY_ID}: missing parts 3, 5-7 of 9; search again over a longer time"
    with pytest.raises(JoinError, match="missing parts 1, 9 of 9"):
        join(messages[1:-1])


def test_two_ways_of_cutting_one_document_are_kept_apart() -> None:
    document = compact(job(lines=[line(number, "x" * 200) for number in range(8)]))
    one_way, another = cut(document, SMALL_LIMIT), cut(document, 1_200)
    assert join([*one_way[:4], *another]) == document
    assert join([*one_way, *another]) == document
    with pytest.raises(JoinError, match=f"missing parts 5-9 of 9; or 1 of {len(another)}; search again"):
        join([*one_way[:4], *another[1:]])


def test_two_documents_under_one_delivery_id_are_not_mixed() -> None:
    for size in (10, 900):
        first, second = (cut(compact(job(report=letter * size, lines=[1])), SMALL_LIMIT) for letter in "ab")
        with pytest.raises(JoinError, match="join the messages of one send alone"):
            join(first + second)
        assert join(first + second[1:]) == join(first)


def test_a_message_changed_on_the_way_is_noticed() -> None:
    messages = nine_parts()
    messages[4] = messages[4].replace(b"xxx", b"xyx", 1)
    with pytest.raises(JoinError, match="a message was changed on the way"):
        join(messages)


def test_a_mixed_stream_is_joined_by_delivery() -> None:
    documents = {f"5234/jobs/{number}.json": compact(job(report=number, lines=["x" * 900])) for number in range(3)}
    streams = [cut(document, SMALL_LIMIT, delivery_id) for delivery_id, document in documents.items()]
    mixed = [message for turn in zip(*streams, strict=True) for message in turn]
    assert list(join_each(mixed)) == list(documents.items())
    with pytest.raises(JoinError, match="messages of 3 deliveries, not of one; for a mixed stream use join_each"):
        join(mixed)


def test_one_broken_delivery_does_not_hold_back_the_others() -> None:
    whole = {name: compact(job(report=name)) for name in ("a", "b")}
    broken = [cut(compact(job(lines=["x" * 900])), SMALL_LIMIT, name)[1:] for name in ("c", "d")]
    joined = join_each([*cut(whole["a"], 65_000, "a"), *broken[0], *broken[1], *cut(whole["b"], 65_000, "b")])
    assert [next(joined), next(joined)] == list(whole.items())
    with pytest.raises(JoinError) as problem:
        next(joined)
    assert [text.split(";")[0] for text in str(problem.value).splitlines()] == [
        f"{name}: missing parts 1 of {len(parts) + 1}" for name, parts in zip("cd", broken, strict=True)
    ]


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b'{"id":1}\n',
        b'{"timestamp":1526860810000,"replication":{}}\n',
        b'{"timestamp":1526860810000,"replication":{"delivery_id":"a","part":1,"parts":1,"holds":"secrets"},"id":1}\n',
        b'{"timestamp":1526860810000, "replication":{"delivery_id":"a","part":1,"parts":1,"holds":"document"}}\n',
    ],
)
def test_messages_of_others_are_refused_without_showing_them(message: bytes) -> None:
    with pytest.raises(
        JoinError,
        match=r"^a message of \d+ bytes (is not ours, or is cut off|has a replication object that is not ours)",
    ) as problem:
        join([message])
    assert "secrets" not in str(problem.value)


def test_nothing_joins_to_nothing() -> None:
    assert list(join_each([])) == []
    with pytest.raises(JoinError, match="messages of 0 deliveries"):
        join([])


# --- requests ---


@pytest.mark.parametrize(("size", "expected"), [(999_999, [20]), (1_000_000, [20]), (1_000_001, [19, 1])])
def test_a_request_is_filled_to_the_last_byte(size: int, expected: list[int]) -> None:
    messages = [b"x" * 49_999 + b"\n"] * 19
    messages.append(b"x" * (size - 19 * 50_000 - 1) + b"\n")
    assert [batch.messages for batch in batches(messages, FRAMING)] == expected


def test_batch_has_its_count_of_messages_and_digest() -> None:
    assert list(batches([b"a\n", b"b\n", b"c\n"], Framing(max_batch_bytes=4))) == [
        Batch(body=b"a\nb\n", messages=2, sha256=hashlib.sha256(b"a\nb\n").hexdigest()),
        Batch(body=b"c\n", messages=1, sha256=hashlib.sha256(b"c\n").hexdigest()),
    ]
    assert list(batches([], FRAMING)) == []


def test_batches_take_no_more_messages_than_they_need() -> None:
    taken = []

    def messages() -> Iterator[bytes]:
        for number in range(1_000):
            taken.append(number)
            yield b"x" * 9 + b"\n"

    next(batches(messages(), Framing(max_batch_bytes=100)))
    assert taken == list(range(11))


def test_messages_that_make_no_request_are_refused() -> None:
    with pytest.raises(ValueError, match="a message of 101 bytes does not fit into a request of 100; set max_message"):
        list(batches([b"x" * 100 + b"\n"], Framing(max_batch_bytes=100)))

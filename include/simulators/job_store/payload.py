"""JSON of a wanted size that looks like the data of business applications, reproducible from a random generator."""

import json
from random import Random
from typing import Any

_FIRST_NAMES = ("Ana", "Xavier", "Zoë", "Jürgen", "Mei", "Olu", "Priya", "Søren", "Łukasz", "Noor", "Iñaki", "Dana")
_LAST_NAMES = ("D'Souza", "Müller", "Okafor", "王", "Nguyễn", "Smith", "García", "Ó Briain", "Kowalska", "Haddad")
_COMPANIES = (
    "Acme GmbH",
    "Globex, Inc.",
    'The "Quoted" Co.',
    "Initech",
    "Büro & Söhne",
    "数据公司",
    "Umbrella \\ Labs",
)
_NOTES = (
    "Customer asked to call back after the renewal date; see the attached quote for the discount agreed on.",
    "Shipment delayed at customs.\nNew estimate follows by e-mail.",
    "Duplicate of an earlier record; merged by the nightly clean-up and kept for the audit.",
    "Größe und Menge geprüft — Lieferung bestätigt 🚀",
)
USUAL_BYTES = (1_000, 8_000)
LARGEST_BYTES = 1_000_000
_TAIL_PERCENT = 4
_TAIL_SHAPE = 1.1  # a Pareto tail this flat has a line near a megabyte in every few thousand


def compact(value: Any) -> str:
    """JSON text without spaces, with its characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def usual_size(random: Random) -> int:
    """Bytes of a line's data: mostly 1 to 8 kB, seldom up to 1 MB."""
    if random.randrange(100) < _TAIL_PERCENT:
        return min(LARGEST_BYTES, int(USUAL_BYTES[1] * random.paretovariate(_TAIL_SHAPE)))
    return random.randint(*USUAL_BYTES)


def big_size(random: Random) -> int:
    """Bytes of a line's data if data is big: 20 kB to 1 MB."""
    return min(LARGEST_BYTES, int(20_000 * random.paretovariate(_TAIL_SHAPE)))


def records(random: Random, size: int) -> str:
    """A JSON object with as many records as fit into `size` bytes of UTF-8, but at least one."""
    head = '{"records":['
    texts = [record(random)]
    used = len(head) + len(texts[0].encode()) + 2
    while True:
        text = record(random)
        used += len(text.encode()) + 1
        if used > size:
            return head + ",".join(texts) + "]}"
        texts.append(text)


def record(random: Random) -> str:
    """One business record of about 350 bytes, as JSON text."""
    person = f"{random.choice(_FIRST_NAMES)} {random.choice(_LAST_NAMES)}"
    return compact(
        {
            "Id": f"{random.getrandbits(60):015x}AAA",
            "Name": person,
            "Company": random.choice(_COMPANIES),
            "Email": f"user{random.randrange(100_000)}@example.com",
            "Amount": random.randrange(1, 5_000_000) / 100,
            "LargeNumber": random.getrandbits(70),
            "IsClosed": random.randrange(2) == 1,
            "ParentId": None,
            "Tags": [f"t{random.randrange(50)}", "crm"],
            "Note": random.choice(_NOTES),
        }
    )


def text_object(random: Random, size: int) -> str:
    """A JSON object of exactly `size` bytes (at least 12) that holds one text of ASCII words."""
    words = (f"{random.getrandbits(32):x}" for _ in range(64))
    line = " ".join(words)
    room = size - len('{"text":""}')
    return '{"text":"' + (line * (room // len(line) + 1))[:room] + '"}'

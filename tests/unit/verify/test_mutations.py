"""Random manipulations: the verifier never crashes, and never calls proven what was touched."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.sealed_archive import HOUR, START, SealedArchive, allowed_signers, five_hours, job_document, key_pair
from tests.support.verifying import verified

from job_history_verify.allowed_signers import parse_allowed_signers

KEYS = parse_allowed_signers(allowed_signers(key_pair()))


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> SealedArchive:
    archive = five_hours(tmp_path_factory.mktemp("intact") / "copy")
    archive.seal_hour(1, dict([job_document(11, START + HOUR, note="late")]), reason="late")
    return archive


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of each file; of a signature without the line ends, which may be others."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {key: b" ".join(content.split()) if key.endswith(".sig") else content for key, content in found.items()}


def mutate(folder: Path, random_source: random.Random) -> set[str]:
    """Change one to three files; return the keys whose bytes differ from before."""
    before = contents(folder)
    for _ in range(random_source.randint(1, 3)):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        path, other = random_source.choice(files), random_source.choice(files)
        kind = random_source.choice(["flip", "cut", "grow", "drop", "swap", "copy"])
        content = path.read_bytes()
        if kind == "flip" and content:
            position = random_source.randrange(len(content))
            flipped = content[position] ^ (1 << random_source.randrange(8))
            path.write_bytes(content[:position] + bytes([flipped]) + content[position + 1 :])
        elif kind == "cut":
            path.write_bytes(content[: random_source.randrange(len(content) + 1)])
        elif kind == "grow":
            path.write_bytes(content + random_source.randbytes(3))
        elif kind == "drop":
            path.unlink()
        elif kind == "swap":
            path.write_bytes(other.read_bytes())
            other.write_bytes(content)
        else:
            path.with_name(f"{random_source.randrange(10**12):012d}{path.suffix}").write_bytes(content)
    after = contents(folder)
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


@pytest.mark.promise("proof-manipulations")
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_no_mutation_is_called_proven(intact: SealedArchive, tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "mutated"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(intact.folder, folder)
    touched = mutate(folder, random.Random(seed))
    result = verified(folder, KEYS, heads=[intact.head])
    documents = {key for key in touched if not key.startswith("_control/")}
    proven = result.documents.get("proven", 0)
    # Nine documents were sealed; each one that was touched is one less, whatever else was.
    assert proven <= 9 - len({key for key in documents if (intact.folder / key).exists()})
    harmful = documents or any(_matters(key) for key in touched)
    assert result.code == (1 if harmful else 0) or (harmful and result.code == 2), (seed, sorted(touched))


def _matters(key: str) -> bool:
    """A spare file beside the seals is what a killed report leaves: it matters only under a name that is used."""
    name = key.rpartition("/")[2]
    return name.endswith((".json", ".sums.gz")) or (name.endswith(".sig") and "-" in name)

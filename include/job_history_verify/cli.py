"""`job-history-verify`: verify a copied archive offline."""

from __future__ import annotations

import argparse
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from job_history_verify import __version__
from job_history_verify.allowed_signers import AllowedSigners, parse_allowed_signers
from job_history_verify.answers import JsonAnswer, TextAnswer, write_proven
from job_history_verify.archive import Archive, Folder
from job_history_verify.ed25519 import TOOLS, NoToolError
from job_history_verify.expected_head import heads_of, parse_head
from job_history_verify.findings import Finding, Findings
from job_history_verify.judge import range_of
from job_history_verify.moments import parse_moment
from job_history_verify.proof import ProofError, check_proof
from job_history_verify.seal import NewerFormatError
from job_history_verify.verdicts import EXIT_NOT_CHECKED, EXIT_PROVEN, Verdict
from job_history_verify.verify import Options, Verification

Parsed = TypeVar("Parsed")

# An option that is not looked at is refused: exit code 0 would be taken for an answer about it.
_WITHOUT = {
    "proof": ("accounts", "since", "until", "expect_head", "place", "strict", "print_sums"),
    "print_sums": ("json", "strict"),
}

_EXIT_CODES = """\
exit codes: 0 all is as it was sealed; 1 something differs; 2 it could not be checked.
docs/proof.md of the project explains each verdict."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    for mode, without in _WITHOUT.items():
        unused = [name for name in without if getattr(options, mode) and getattr(options, name)]
        if unused:
            parser.error(f"{_as_option(mode)} does not look at {', '.join(map(_as_option, unused))}")
    try:
        return _run(options)
    except BrokenPipeError:
        # The reader (`head`) has seen enough; Python would write a second error at its end.
        sys.stdout = None
        return EXIT_NOT_CHECKED
    except KeyboardInterrupt:
        return EXIT_NOT_CHECKED
    except Exception:  # noqa: BLE001
        # Python itself would exit with 1, which means "differs".
        traceback.print_exc()
        return EXIT_NOT_CHECKED


def _run(options: argparse.Namespace) -> int:
    try:
        keys = read_keys(options.keys)
        if options.proof:
            return _check_proof(options, keys)
        verify_options = Options(
            keys=keys,
            accounts=frozenset(options.accounts),
            hours=range_of(options.since, options.until),
            expected_heads=heads_of(options.expect_head, options.accounts),
            place=options.place and options.place.rstrip("/"),
            signature_tool=options.signature_tool,
        )
        if options.print_sums:
            return print_sums(Folder(options.folder), verify_options, allow_unsigned=options.allow_unsigned)
    except (OSError, ValueError, ProofError, NewerFormatError, NoToolError) as error:
        return _could_not_check(str(error), as_json=options.json)
    return verify(
        Folder(options.folder),
        verify_options,
        as_json=options.json,
        strict=options.strict,
        allow_unsigned=options.allow_unsigned,
    )


def _could_not_check(reason: str, *, as_json: bool) -> int:
    if as_json:
        answer = JsonAnswer(sys.stdout)
        findings = Findings(answer.on_finding)
        findings.of_log(Finding(Verdict.COULD_NOT_CHECK, reason))
        findings.flush()
        answer.finish([], findings, EXIT_NOT_CHECKED)
    else:
        sys.stderr.write(f"{Verdict.COULD_NOT_CHECK}: {reason}\n")
    return EXIT_NOT_CHECKED


def verify(archive: Archive, options: Options, *, as_json: bool, strict: bool, allow_unsigned: bool) -> int:
    """Verify an archive and write the answer to standard output; return the exit code."""
    answer = JsonAnswer(sys.stdout) if as_json else TextAnswer(sys.stdout)
    findings = Findings(answer.on_finding)
    verification = Verification(archive, options, findings)
    verification.verify()
    code = findings.exit_code(strict=strict, allow_unsigned=allow_unsigned)
    answer.finish(verification.chains, findings, code)
    return code


def print_sums(archive: Archive, options: Options, *, allow_unsigned: bool) -> int:
    """Write a line for each document, for `sha256sum -c`; what is wrong with the log goes to standard error."""
    findings = Findings(_warn)
    for sha256, key in Verification(archive, options, findings).sums():
        sys.stdout.write(f"{sha256}  {key}\n")
    return findings.exit_code(strict=False, allow_unsigned=allow_unsigned or options.keys is None)


def _warn(finding: Finding) -> None:
    if finding.verdict.exit_code(allow_unsigned=True) != EXIT_PROVEN:
        sys.stderr.write(f"{finding}\n")


def _check_proof(options: argparse.Namespace, keys: AllowedSigners | None) -> int:
    proof, document = Path(options.proof).read_bytes(), Path(options.folder).read_bytes()
    proven = check_proof(proof, document, keys, signature_tool=options.signature_tool)
    code = proven.verdict.exit_code(allow_unsigned=options.allow_unsigned)
    write_proven(sys.stdout, proven, code, as_json=options.json)
    return code


def read_keys(path: str | None) -> AllowedSigners | None:
    """Read an allowed_signers file. Raises OSError, and ValueError if there is no key that can sign seals."""
    if path is None:
        return None
    keys = parse_allowed_signers(Path(path).read_text(encoding="utf-8"))
    if not keys.keys:
        raise ValueError(f"{path} has no Ed25519 key of the identity job-history")
    return keys


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="job-history-verify",
        description="Verify a copy of an archive of job histories: without network, and without what wrote it.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="FOLDER", help="the copy; with --proof, the document")
    parser.add_argument("--keys", metavar="FILE", help="the keys that you trust: an OpenSSH allowed_signers file")
    parser.add_argument(
        "--accounts",
        type=_or_usage_error(_accounts),
        default=(),
        metavar="USER_ID,...",
        help="only these accounts [default: all]",
    )
    parser.add_argument(
        "--since", type=_or_usage_error(parse_moment), metavar="MOMENT", help="only hours that begin then or later"
    )
    parser.add_argument(
        "--until", type=_or_usage_error(parse_moment), metavar="MOMENT", help="only hours that begin before"
    )
    parser.add_argument(
        "--expect-head",
        type=_or_usage_error(parse_head),
        action="append",
        default=[],
        metavar="USER_ID/KIND/SEQ:SHA256",
        help="a seal that a witness noted; can be given several times",
    )
    parser.add_argument(
        "--place", help="where the documents were sealed for; none: this is a ledger [default: as the newest seal]"
    )
    parser.add_argument("--strict", action="store_true", help="also exit with 1 for hours that no run could close")
    parser.add_argument("--allow-unsigned", action="store_true", help="accept a log that was never signed")
    parser.add_argument("--json", action="store_true", help="print one JSON value")
    parser.add_argument("--print-sums", action="store_true", help="print the sealed sums, for sha256sum -c")
    parser.add_argument("--proof", metavar="FILE", help="check an inclusion proof of one document")
    parser.add_argument(
        "--signature-tool", choices=TOOLS, help="what checks signatures [default: the first that works]"
    )
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _accounts(text: str) -> list[int]:
    if not re.fullmatch(r"[0-9]+(,[0-9]+)*", text):
        raise ValueError(f"{text!r:.60} is not a list of user IDs such as 5234,5235")
    return [int(part) for part in text.split(",")]


def _as_option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _or_usage_error(parse: Callable[[str], Parsed]) -> Callable[[str], Parsed]:
    """Return a function that raises argparse's own error with the message of a ValueError, which argparse drops."""

    def parsed(text: str) -> Parsed:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parsed


if __name__ == "__main__":
    sys.exit(main())

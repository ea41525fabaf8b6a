"""`windlass anchor`: keep a run's head outside of its record, so that a cut end, a rollback and a whole rewrite show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from windlass.cli.paths import GivenPath
from windlass.errors import GivenUp, Refused

if TYPE_CHECKING:
    from windlass.records.approvals.signing import Signer

_OURS = len(b'{"payload":"')
"""Bytes by which the beginning of a line is known to be ours."""


@click.command()
@click.argument("where", metavar="RUN")
@click.option("--git", "in_git", is_flag=True, help="Keep the head in a ref of the repository, refs/windlass/anchors/<run id>, which can be pushed.")
@click.option(
    "--witness",
    type=GivenPath(dir_okay=False, exists=True),
    metavar="KEY",
    help="Sign the head as a witness, with this private key or the .pub of one that your ssh-agent holds.",
)
@click.option("--to", type=GivenPath(dir_okay=False), metavar="FILE", help="The witness's own file, to which the signed head is added.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(where: str, in_git: bool, witness: Path | None, to: Path | None, as_json: bool) -> int:
    """Anchor a run. RUN is a run id or a directory. The record is verified first, against the anchors that it has; a damaged one is not anchored."""
    import orjson

    from windlass.cli import runs, signers
    from windlass.infra import chain, instants
    from windlass.records import artifacts, layout, verify
    from windlass.records.attest import anchors, reading

    if not in_git and witness is None:
        raise Refused("say where the head is kept: --git, or --witness KEY --to FILE, or both")
    if (witness is None) is not (to is None):
        raise Refused("--witness and --to belong together: the key that signs, and the file that keeps what it signed")
    path = runs.found(where)
    record = reading.record_of(path)
    report = verify.verify(path)
    signer = signers.named(witness) if witness else None
    whole = chain.scan(artifacts.content(record, layout.JOURNAL))
    scan = chain.Scan(entries=whole.entries[: report.entries], breaks=(), torn=0)
    keys = {signer.key_id: signer.public_key} if signer else {}
    known = anchors.find(record, witnesses=[to] if to and to.exists() else [], keys=keys)
    problem = next(iter([*report.problems, *anchors.check(scan, known)]), None)
    if problem:
        raise GivenUp(f"{path}: is not anchored: {problem}")
    told = {"run_id": str(scan.entries[0].fields["run_id"]), "head": scan.head, "entries": len(scan.entries)}
    now = instants.now()
    if in_git:
        told["commit"] = anchors.keep(record, str(told["run_id"]), scan, now)
    if signer and to:
        told |= {"witness": str(to), "key_id": signer.key_id}
        _add(to, signer, anchors.told(str(told["run_id"]), scan, now))
    if as_json:
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2))
        return 0
    kept = [f"ref {str(told['commit'])[:12]} of {anchors.ref(str(told['run_id']))}"] if in_git else []
    click.echo(f"anchored by {' and '.join([*kept, *([f'witness {to}'] if to else [])])}: {told['entries']} entries, head {scan.head}")
    return 0


def _add(to: Path, signer: Signer, content: bytes) -> None:
    """Add one signed line to the witness's file, durable when this returns; a line that a kill cut short, which nobody relies on, makes room."""
    import fcntl
    import os

    import orjson

    from windlass.infra import files
    from windlass.records.attest import anchors, dsse

    line = orjson.dumps(dsse.sealed(content, anchors.PAYLOAD_TYPE, lambda message: (signer.key_id, signer.sign(message)))) + b"\n"
    try:
        descriptor = os.open(to, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            content = files.content(to, anchors.MAX_WITNESS)
            whole = content.rfind(b"\n") + 1
            if not content[whole:].startswith(line[:_OURS]) and not line.startswith(content[whole:]):
                raise Refused(f"--to {to}: its last line was written by something else; nothing is added to it")
            os.ftruncate(descriptor, whole)
            files.write_all(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        files.fsync_directory(to.absolute().parent)
    except OSError as failure:
        raise Refused(f"--to {to}: can't be written: {failure.strerror}") from failure

"""`windlass export`: a run in a standard format, as a page, or as a bundle that checks itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from windlass.cli.paths import GivenPath
from windlass.errors import Refused

if TYPE_CHECKING:
    from windlass.records.attest.told import Story

FORMATS = ("intoto", "junit", "sarif", "html", "markdown", "bundle")


@click.command()
@click.argument("where", metavar="RUN")
@click.option(
    "--format", "kind", type=click.Choice(FORMATS), required=True, help="intoto: a signed statement; bundle: the record and its own verifier."
)
@click.option(
    "--out", type=GivenPath(dir_okay=False), help="Where it is written; stdout by default. A bundle needs it, and is compressed when it ends in gz."
)
@click.option(
    "--key",
    type=GivenPath(dir_okay=False, exists=True),
    help="The Ed25519 key that signs a statement, also a bundle's: the private key's file, or the .pub of one that your ssh-agent holds.",
)
@click.option("--unsigned", is_flag=True, help="With intoto: write the bare statement, which nobody vouches for.")
@click.option("--url", help="With intoto and bundle: where the run can be looked at, such as the CI job.")
@click.option("--head", help="The hash of a journal entry that was kept elsewhere; the record is held against it first.")
def command(where: str, kind: str, out: Path | None, key: Path | None, unsigned: bool, url: str | None, head: str | None) -> int:
    """Export a run. Its record is verified first; of a damaged one nothing is exported (exit code 1). RUN is a run id or a directory."""
    from windlass.cli import runs
    from windlass.records.attest import reading

    _check(kind, out, key, unsigned=unsigned, url=url)
    record = reading.record_of(runs.found(where))
    reading.check_outside(record, out, "--out")
    story = reading.read(runs.found(where), head)
    if kind == "bundle" and out is not None:
        _bundle(story, record, out, _statement(story, key, url) if key else None)
    else:
        _write(out, _statement(story, key, url) if kind == "intoto" else _text(story, kind, record))
    return 0


def _check(kind: str, out: Path | None, key: Path | None, *, unsigned: bool, url: str | None) -> None:
    if kind == "bundle" and out is None:
        raise Refused("--out: a bundle is no text; name the file that it is written to")
    if kind == "intoto" and key is None and not unsigned:
        raise Refused("--key: a statement is signed by a key, so that somebody vouches for it; --unsigned writes it bare")
    if key is not None and (unsigned or kind not in {"intoto", "bundle"}):
        raise Refused(f"--key: {'is of no use with --unsigned' if unsigned else f'{kind} is not signed; intoto and bundle are'}")
    if (unsigned and kind != "intoto") or (url is not None and kind not in {"intoto", "bundle"}) or (url and kind == "bundle" and key is None):
        raise Refused(f"{'--unsigned' if unsigned else '--url'}: belongs to a statement; --format intoto, or --format bundle with --key")


def _text(story: Story, kind: str, record: Path) -> bytes:
    if kind == "junit":
        from windlass.records.attest import junit

        return junit.render(story).encode()
    if kind == "sarif":
        from windlass.records.attest import sarif

        return sarif.render(story, _below_root(record)).encode()
    if kind == "html":
        from windlass.records.attest import timeline

        return timeline.render(story).encode()
    from windlass.records.attest import markdown

    return markdown.render(story).encode()


def _statement(story: Story, key: Path | None, url: str | None) -> bytes:
    import orjson

    from windlass.records.attest import statement

    stated = statement.statement(story, url)
    if key is None:
        return orjson.dumps(stated, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    import rfc8785

    from windlass.cli import signers
    from windlass.records.attest import dsse

    signer = signers.named(key)
    envelope = dsse.sealed(rfc8785.dumps(stated), statement.PAYLOAD_TYPE, lambda message: (signer.key_id, signer.sign(message)))
    return orjson.dumps(envelope, option=orjson.OPT_APPEND_NEWLINE)


def _below_root(record: Path) -> str | None:
    """The record as the project's other paths are written, where it lies in a project."""
    from windlass.records import projects

    try:
        root = projects.find(record.parent).root
    except Refused:
        return None
    return record.resolve().relative_to(root).as_posix()


def _bundle(story: Story, record: Path, out: Path, statement: bytes | None) -> None:
    import tempfile

    from windlass.records.attest import bundle

    beside = {bundle.STATEMENT: statement} if statement else {}
    try:
        with tempfile.NamedTemporaryFile(dir=out.parent, prefix=f".{out.name}.", suffix=".tmp", delete=False) as draft:
            try:
                bundle.write(record, story.run_id, draft, compressed=out.suffix in {".gz", ".tgz"}, beside=beside)
                draft.flush()
                Path(draft.name).chmod(0o644)
                Path(draft.name).replace(out)
            except BaseException:
                Path(draft.name).unlink(missing_ok=True)
                raise
    except OSError as failure:
        raise Refused(f"--out {out}: can't be written: {failure.strerror or failure}") from failure
    click.echo(f"{out}  head {story.head}")


def _write(out: Path | None, content: bytes) -> None:
    from windlass.infra import files

    if out is None:
        click.echo(content, nl=False)
        return
    try:
        files.replace(out, content)
    except OSError as failure:
        raise Refused(f"--out {out}: can't be written: {failure.strerror}") from failure

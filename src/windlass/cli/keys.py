"""`windlass keys`: make a key that approves, add one that exists, list who may approve, look into the ssh-agent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from windlass.cli import project
from windlass.cli.paths import GivenPath
from windlass.errors import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from windlass.records.approvals.keys import Key
    from windlass.records.projects import Project

_who_option = click.option("--who", required=True, help="Whose key it is, as approvals will say it.")
_role_option = click.option(
    "--role", "roles", multiple=True, required=True, help="What it may be used for: approver, producer, witness or your own; repeatable."
)
_not_after_option = click.option("--not-after", metavar="INSTANT", help="When it ends to count, RFC 3339 with its offset; never by default.")


@click.group()
def command() -> None:
    """Keys that approvals are signed with, and who may approve."""


@command.command()
@project.root_option
@_who_option
@_role_option
@_not_after_option
@click.option("--out", type=GivenPath(), help="Where the private key is written; in your configuration directory by default.")
@click.option("--encrypt", is_flag=True, help="Ask for a passphrase that the private key is encrypted with.")
@click.option("--add", "adds", is_flag=True, help="Add the public key to orchestration/keys.json.")
@project.json_option
def new(
    root: Path | None, who: str, roles: tuple[str, ...], not_after: str | None, out: Path | None, encrypt: bool, adds: bool, as_json: bool
) -> int:
    """Make an Ed25519 key. The private part stays outside of the project, readable by you alone; the entry for keys.json is printed."""
    from windlass.cli import approving, asking
    from windlass.records.approvals import signing

    path = (out or approving.own_file(who)).absolute()
    until = _instant(not_after)
    _check_use(who, roles)
    found = _project(root, needed=adds)
    if found and path.resolve().is_relative_to(found.root):
        raise Refused(f"--out {path}: lies inside the project, and a private key there is soon committed; choose a place outside of {found.root}")
    if found and adds:
        _known(found)  # what can't be added to is said before a key is made
    signer = signing.generate(path, asking.secret("New passphrase", twice=True) if encrypt else None)
    return _told(found if adds else None, _made(signer.public_key, who, roles, until), as_json=as_json, private=path)


@command.command()
@project.root_option
@click.argument("public_key", type=GivenPath(dir_okay=False, exists=True))
@_who_option
@_role_option
@_not_after_option
@project.json_option
def add(root: Path | None, public_key: Path, who: str, roles: tuple[str, ...], not_after: str | None, as_json: bool) -> int:
    """Add a public key that exists, such as ~/.ssh/id_ed25519.pub, to orchestration/keys.json."""
    from windlass.infra import files
    from windlass.records.approvals import ed25519

    _check_use(who, roles)
    try:
        public = ed25519.public_key(files.content(public_key, 64 * 1024).decode("utf-8", "replace").strip())
    except OSError as failure:
        raise Refused(f"{public_key}: {failure.strerror}") from failure
    except ValueError as failure:
        raise Refused(f"{public_key}: {failure}") from failure
    return _told(project.project(root), _made(public, who, roles, _instant(not_after)), as_json=as_json)


@command.command("list")
@project.root_option
@project.json_option
def listed(root: Path | None, as_json: bool) -> int:
    """List the keys of orchestration/keys.json, and say whether they count as they lie there. Exit code 1 when they do not."""
    from windlass.infra import escapes
    from windlass.records.approvals import trust

    found = project.project(root)
    keys = trust.present(found)
    try:
        trusted, problem = trust.trusted(found), None
    except Refused as refusal:
        trusted, problem = None, str(refusal)
    if as_json:
        commit = trusted.commit if trusted else None
        fields = {"path": keys.path, "sha256": keys.sha256, "commit": commit, "problem": problem, "keys": [key.entry() for key in keys.keys]}
        project.as_json(fields)
        return 1 if problem else 0
    for key in keys.keys:
        until = f"{key.not_after:%Y-%m-%d}" if key.not_after else "-"
        click.echo(escapes.terminal(f"{key.key_id[:12]}  {key.who:<30}  {', '.join(key.roles):<24}  {until}"))
    click.echo(escapes.terminal(f"{len(keys.keys)} keys in {keys.path}; {trusted.anchor if trusted else problem}"))
    return 1 if problem else 0


@command.command()
@project.root_option
@project.json_option
def agent(root: Path | None, as_json: bool) -> int:
    """List the Ed25519 keys that your ssh-agent holds, and whose they are by orchestration/keys.json."""
    import os

    from windlass.infra import escapes
    from windlass.records.approvals import ed25519, ssh_agent, trust

    found = _project(root, needed=False)
    held = ssh_agent.identities(os.environ.get(ssh_agent.VARIABLE))
    keys = trust.present(found) if found and found.keys.exists() else None
    rows = [(identity, keys.find(identity.key_id) if keys else None) for identity in held]
    if as_json:
        fields = [
            {
                "key_id": one.key_id,
                "public_key": ed25519.ssh_line(one.public_key),
                "comment": one.comment,
                "who": key.who if key else None,
                "roles": list(key.roles) if key else [],
            }
            for one, key in rows
        ]
        project.as_json(fields)
        return 0
    for one, key in rows:
        whose = f"{key.who} ({', '.join(key.roles)})" if key else "not in keys.json"
        click.echo(escapes.terminal(f"{one.key_id[:12]}  {one.comment:<30}  {whose}"))
    click.echo(f"{len(rows)} Ed25519 keys")
    return 0


def _project(root: Path | None, *, needed: bool) -> Project | None:
    """The project; None where there is none and it is not needed."""
    try:
        return project.project(root)
    except Refused:
        if needed or root is not None:
            raise
        return None


def _instant(text: str | None) -> datetime | None:
    from windlass.infra import instants

    try:
        return instants.parse(text) if text else None
    except ValueError as failure:
        raise Refused(f"--not-after {text!r}: {failure}") from failure


def _check_use(who: str, roles: tuple[str, ...]) -> None:
    """Raise Refused for a name or a role that keys.json would not take."""
    from windlass.records import layout
    from windlass.records.approvals import keys

    if reason := keys.who_problem(who):
        raise Refused(f"--who {who!r}: {reason}")
    for role in roles:
        if not layout.NAME.fullmatch(role):
            raise Refused(f"--role {role!r}: must match {layout.NAME.pattern}")


def _made(public: bytes, who: str, roles: tuple[str, ...], not_after: datetime | None) -> Key:
    from windlass.records.approvals import keys

    return keys.key(public, who, dict.fromkeys(roles), not_after)


def _known(found: Project) -> tuple[Key, ...]:
    from windlass.records.approvals import trust

    return trust.present(found).keys if _lies_there(found.keys) else ()


def _told(found: Project | None, key: Key, *, as_json: bool, private: Path | None = None) -> int:
    """Add the key where there is a project to add it to, and say what was done and what comes next."""
    import orjson

    from windlass.infra import escapes

    if found:
        _add(found, key)
    place = found.keys.relative_to(found.root) if found else None
    if as_json:
        project.as_json({"entry": key.entry(), "private_key": str(private) if private else None, "added_to": str(place) if place else None})
        return 0
    if private:
        click.echo(escapes.terminal(f"private key  {private}  (yours alone, mode 0600)"))
    click.echo(orjson.dumps(key.entry(), option=orjson.OPT_INDENT_2))
    if place:
        click.echo(f"added to {place}; it counts once that is committed")
    else:
        click.echo("not added; put the entry under `keys` in orchestration/keys.json, or run this with --add")
    return 0


def _add(found: Project, key: Key) -> None:
    from windlass.infra import files
    from windlass.records.approvals import keys

    known = _known(found)
    if any(one.key_id == key.key_id for one in known):
        raise Refused(f"{found.keys.relative_to(found.root)}: has this key already ({key.key_id})")
    content = keys.write([*known, key])
    keys.read(content, str(found.keys))
    found.keys.parent.mkdir(parents=True, exist_ok=True)
    files.replace(found.keys, content)


def _lies_there(path: Path) -> bool:
    """Whether something is there, be it a link that leads nowhere."""
    return path.exists() or path.is_symlink()

r"""The one redactor: what it has passed holds no secret in any form that a careless program would write it in.

Forms: as it is; escaped for JSON (`\u0041`, `\/`, `\"`, also nested), for URLs (`%41`, `%2541`, `+`) and for HTML (`&#65;`, `&#x41;`, `&quot;`),
any mix of them, character by character; hex; base64 and base64url at all three offsets (secrets of 12 bytes or more); UTF-16.
Not covered: a secret that is compressed, encrypted, reversed or cut into pieces.
"""

from __future__ import annotations

import base64
import html.entities
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

MARK = b"[redacted]"
SHORTEST = 4
"""Characters; a shorter secret would be found in ordinary words."""
SHORTEST_IN_BASE64 = 12
"""Bytes; the base64 of fewer is found in ordinary words."""
_PASSES = 8
_SHORT = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", '"': '"', "/": "/", "'": "'"}

_Span = tuple[int, int]
_Content = bytes  # inside the class, `bytes` is the method


class Redactor:
    """Replaces every form of its secrets with `[redacted]`. Lives as long as the secrets are in use; safe across threads.

    What it returns holds no form of any secret, so redacting twice changes nothing. Raises ValueError, without naming the secret, for
    one that is too short to be told from ordinary text or that can be found in the mark itself.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = tuple(sorted(set(secrets), key=lambda secret: (-len(secret), secret)))
        for secret in self._secrets:
            if len(secret) < SHORTEST:
                raise ValueError(f"a secret of {len(secret)} characters can't be told from ordinary text; the least is {SHORTEST}")
        self._literals = tuple(dict.fromkeys(form for secret in self._secrets for form in _literals(secret)))
        self._escaped = tuple(re.compile(b"".join(_escaped_forms(secret))) for secret in self._secrets)
        self._escape = re.compile(b"|".join(_escapes("".join(self._secrets))))
        if self._spans(MARK * 3):
            raise ValueError(f"a secret that is part of {(MARK * 2).decode()!r} can't be hidden behind it")

    def __repr__(self) -> str:
        return f"Redactor({len(self._secrets)} secrets)"

    def bytes(self, content: _Content) -> _Content:
        """The content without any form of a secret; the very same object where there is none."""
        for _ in range(_PASSES):
            spans = self._spans(content)
            if not spans:
                return content
            content = _covered(content, spans)
        # The marks and what stands around them keep forming secrets: somebody plays with the mark. Nothing of it is worth a leak.
        return MARK

    def text(self, text: str) -> str:
        """The text without any form of a secret."""
        content = text.encode("utf-8", "surrogatepass")
        redacted = self.bytes(content)
        return text if redacted is content else redacted.decode("utf-8", "replace")

    def _spans(self, content: _Content) -> list[_Span]:
        """Every place of every form, overlapping ones too: where two secrets overlap, hiding one would leave the other's rest."""
        spans = [span for literal in self._literals if literal in content for span in _places(content, literal)]
        if self._escape.search(content):
            spans += [match.span() for pattern in self._escaped for match in pattern.finditer(content)]
        return spans


def _places(content: bytes, literal: bytes) -> Iterator[_Span]:
    at = content.find(literal)
    while at >= 0:
        yield at, at + len(literal)
        at = content.find(literal, at + 1)


def _covered(content: bytes, spans: Iterable[_Span]) -> bytes:
    """The content with each run of overlapping or touching spans replaced by one mark."""
    pieces: list[bytes] = []
    kept, covered = 0, -1
    for start, end in sorted(spans):
        if start > covered:
            pieces += (content[kept:start], MARK)
        kept = covered = max(covered, end)
    pieces.append(content[kept:])
    return b"".join(pieces)


def _literals(secret: str) -> Iterator[bytes]:
    """The forms that are the same for every writer."""
    raw = secret.encode("utf-8", "surrogatepass")
    yield raw
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    yield secret.encode("utf-16-le", "surrogatepass")
    yield secret.encode("utf-16-be", "surrogatepass")
    if len(raw) >= SHORTEST_IN_BASE64:
        for offset in range(3):
            yield from _base64_forms(raw, offset)


def _base64_forms(raw: bytes, offset: int) -> Iterator[bytes]:
    """The base64 characters that `raw` alone decides when it starts `offset` bytes after a group of three, in each alphabet and escaped."""
    first = -(-8 * offset // 6)  # a character is decided by raw alone if all of its six bits are
    last = 8 * (offset + len(raw)) // 6
    standard = base64.b64encode(bytes(offset) + raw)[first:last].decode()
    yield standard.encode()
    yield standard.replace("+", "-").replace("/", "_").encode()
    yield standard.replace("/", r"\/").encode()
    yield quote(standard, safe="").encode()
    yield re.sub("%..", lambda match: match[0].lower(), quote(standard, safe="")).encode()


def _escaped_forms(secret: str) -> Iterator[bytes]:
    """A pattern per character (per run of backslashes): itself or any of its escapes, nested up to three deep.

    Every repeat is bounded and no two alternatives begin alike for long, so that hostile text costs linear time. Each
    alternative begins with a plain byte: then `re` skips in one fast loop what none begins with.
    """
    for run in re.findall(r"\\+|.", secret, re.DOTALL):
        alternatives = [re.escape(run.encode("utf-8", "surrogatepass"))]
        if run[0] == "\\":
            alternatives.append(rb"\\\\{%d,%d}" % (len(run) - 1, 8 * len(run) - 1))
            alternatives.append(b"".join(b"(?:" + b"|".join(_numbered("\\")) + b")" for _ in run))
        else:
            alternatives += _numbered(run)
            alternatives += _named(run)
        yield b"(?:" + b"|".join(alternatives) + b")"


def _numbered(character: str) -> Iterator[bytes]:
    """The escapes that name the character's number."""
    raw = character.encode("utf-8", "surrogatepass")
    units = character.encode("utf-16-be", "surrogatepass").hex()
    yield b"".join(rb"\\\\{0,7}u" + _any_case(units[at : at + 4]) for at in range(0, len(units), 4))
    yield b"".join(rb"\\\\{0,7}x" + _any_case(f"{byte:02x}") for byte in raw)
    yield b"".join(b"%(?:25){0,3}" + _any_case(f"{byte:02x}") for byte in raw)
    yield b"&(?:amp;){0,3}#(?:0{0,6}%d|[xX]0{0,6}%b);" % (ord(character), _any_case(f"{ord(character):x}"))


def _named(character: str) -> Iterator[bytes]:
    """The escapes that have a short or a name for the character."""
    if character in _SHORT:
        yield rb"\\\\{0,7}" + re.escape(_SHORT[character].encode())
    if character == " ":
        yield rb"\+"
    name = "apos" if character == "'" else html.entities.codepoint2name.get(ord(character))
    if name:
        yield b"&(?:amp;){0,3}" + name.encode() + b";"


def _escapes(characters: str) -> Iterator[bytes]:
    """What must be somewhere in a content that holds one of these characters escaped; most bodies hold none of it."""
    yield rb"\\[ux%b]" % re.escape("".join(_SHORT[character] for character in sorted(set(characters) & set(_SHORT))).encode())
    yield b"%[0-9A-Fa-f]{2}"
    yield b"&[#A-Za-z]"
    if "\\" in characters:
        yield rb"\\{2}"
    if " " in characters:
        yield rb"\+"


def _any_case(digits: str) -> bytes:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits).encode()

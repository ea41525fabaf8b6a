"""Hostile contracts and documents for the types that parse: what a gate must survive in seconds and in little memory.

Fixed ones are those that cost minutes or gigabytes in an unguarded parser; generated ones mix the same pieces at random.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

TARGET = "docs/hostile"
LARGE = 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Case:
    """One gate: a check of `TARGET`, its bytes, and other files. Whatever it is, it must be judged (or its contract refused) soon."""

    name: str
    check: Mapping[str, Any]
    content: bytes = field(repr=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def _filled(piece: str | bytes, size: int = LARGE) -> bytes:
    unit = piece.encode() if isinstance(piece, str) else piece
    return (unit * (size // len(unit) + 1))[:size]


HEADINGS = {"type": "contains_headings", "target": TARGET, "required_headings": ["## Layer 1", "## Layer 2"]}
FRONT = {"type": "frontmatter_status", "target": TARGET, "checks": {"status": "approved", "score": {"min": 3}}}
URLS = {"type": "url_reachable", "target": TARGET}
FRESH = {"type": "fresh", "target": TARGET, "audited": "docs/audited"}
SWEEP = {"type": "sweep", "target": "docs/sweep", "fleet": "tiny", "rung": "proof"}

_LINES = 390_000
_MARKDOWN: Mapping[str, Callable[[], bytes]] = {
    "brackets": lambda: _filled("["),
    "bracket lines": lambda: b"[\n" * _LINES,
    "images": lambda: _filled("!["),
    "stars": lambda: _filled("*"),
    "starred lists": lambda: _filled("* "),
    "quotes on a line": lambda: _filled(">"),
    "quotes in lines": lambda: _filled(">" * 40 + "\n"),
    "lazy lines": lambda: b"> " * 25 + b"a\n" + b"b\n" * _LINES,
    "paragraph": lambda: b"a\n" * _LINES,
    "headings": lambda: b"# a\n" * _LINES,
    "list items": lambda: b"- a\n" * _LINES,
    "numbers": lambda: _filled("1. "),
    "stairs": lambda: b"".join(b"  " * (line % 25) + b"- a\n" for line in range(_LINES // 4)),
    "quoted stairs": lambda: b"".join(b">" * (line % 25) + b" a\n" for line in range(_LINES // 4)),
    "definitions": lambda: b"[a]: b '\n" * _LINES,
    "a title without an end": lambda: b"[a]: b '" + b"x\n" * _LINES,
    "attributes": lambda: _filled("<a" + " b" * 100) + b"<a" + b" b" * 4_000_000,
    "tags": lambda: b"<a>\n\n" * (_LINES // 2),
    "comments": lambda: b"<!--\n" * _LINES,
    "newlines": lambda: _filled("\n"),
    "returns": lambda: _filled("\r"),
    "zero bytes": lambda: _filled("\0"),
    "blanks": lambda: _filled(" "),
    "tabs": lambda: _filled("\t"),
    "hashes": lambda: b"# " + _filled(" #"),
    "fences": lambda: b"```\n" * _LINES,
    "backticks": lambda: _filled("`a"),
    "underlines": lambda: b"a\n" * (_LINES - 2) + b"===\n",
    "entities": lambda: _filled("&#x41;"),
    "emoji": lambda: _filled("\U0001f600"),
    "not UTF-8": lambda: _filled(b"\xff\xfe"),
    "front matter without an end": lambda: b"---\n" + b"a: 1\n" * _LINES,
    "rules": lambda: b"---\n" * _LINES,
}
_YAML: Mapping[str, bytes] = {
    "laughs": b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(b"%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c]\n" % ((n + 1, n + 1) + (n,) * 6) for n in range(97, 110)),
    "an anchor to itself": b"a: &a [*a]\n",
    "merges": b"a: &a {b: 1}\nc: {<<: *a}\n",
    "flow lists": b"[" * 65_000,
    "flow maps": b"{a: " * 16_000,
    "nested items": b"- " * 32_000,
    "nested keys": b"? " * 32_000,
    "keys": b"".join(b"k%d: v\n" % number for number in range(8_000)),
    "one key": b"a" * 65_000,
    "quotes": b"'" + b"''\n" * 20_000,
    "a folded text": b"status: >\n" + b"  x\n" * 16_000,
    "a tag that runs a program": b"status: !!python/object/apply:os.system ['true']\n",
    "directives": b"%YAML 9.9\n" * 6_000,
    "a long number": b"score: " + b"9" * 65_000,
    "sixty in sixty": b"score: " + b"1:" * 30_000 + b"1\n",
    "control characters": bytes(range(1, 32)),
    "documents": b"...\n" * 10,
}
_DEEP = {"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}
_DOUBLING = {"$defs": {**{f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(30)}, "a30": {}}, "$ref": "#/$defs/a0"}


def _numbers() -> bytes:
    return json.dumps(list(range(1_000_000))).encode()


def _keys() -> bytes:
    return json.dumps({f"k{number}": number for number in range(100_000)}).encode()


_JSON: tuple[tuple[str, Any, Callable[[], bytes]], ...] = (
    ("brackets", {}, lambda: _filled("[")),
    ("nesting", _DEEP, lambda: b"[" * 900 + b"]" * 900),
    ("references that double", _DOUBLING, lambda: b"1"),
    ("a million numbers", {"items": {"type": "integer"}, "uniqueItems": True}, _numbers),
    ("choices for numbers", {"items": {"enum": list(range(-10_000, 0))}}, _numbers),
    ("repeated values", {"anyOf": [{"type": "object"}] * 5_000}, _numbers),
    ("a value of many values", {"items": {"const": list(range(10_000))}}, lambda: json.dumps([list(range(10_000))] * 100).encode()),
    ("a pattern", {"pattern": "(x+x+)+y"}, lambda: json.dumps("x" * 8_000_000).encode()),
    ("many patterns", {"allOf": [{"pattern": f"(a|b)*c{n}$"} for n in range(3_000)]}, lambda: json.dumps("a" * 8_000_000).encode()),
    ("patterns for keys", {"patternProperties": {f"(a|b)*c{n}$": {} for n in range(2_000)}, "additionalProperties": False}, _keys),
    ("unevaluated", {"allOf": [{"anyOf": [{"properties": {f"k{n}": True}} for n in range(200)]}], "unevaluatedProperties": False}, _keys),
    ("contains", {"allOf": [{"contains": {"const": -n}} for n in range(1, 100)]}, _numbers),
    ("not JSON", {}, lambda: _filled(b"\xff")),
    ("a long key", {"propertyNames": {"maxLength": 3}}, lambda: json.dumps({"k" * 8_000_000: 1}).encode()),
    ("large numbers", {"items": {"multipleOf": 0.01}}, lambda: b"[" + b"1e308," * 100_000 + b"1]"),
)


def fixed() -> Iterator[Case]:
    """Every known one. Each is made when it is asked for, so that a test which holds one at a time can measure memory."""
    for name, made in _MARKDOWN.items():
        yield Case(name=f"headings: {name}", check=HEADINGS, content=made())
    for name, content in _YAML.items():
        yield Case(name=f"front matter: {name}", check=FRONT, content=b"---\n" + content + b"\n---\ntext\n")
    for name, schema, made in _JSON:
        yield Case(name=f"schema: {name}", check={"type": "json_schema", "target": TARGET, "schema": schema}, content=made())
    by_file = {"type": "json_schema", "target": TARGET, "schema": "s.json"}
    yield Case(name="schema: a file of brackets", check=by_file, content=b"1", files={"s.json": _filled("[")})
    for name, piece in _LINKS.items():
        yield Case(name=f"urls: {name}", check=URLS, content=_filled(piece))
    for name, piece in {"hashes": "a" * 64 + " ", "hex": "a", "lines": "audited\n"}.items():
        yield Case(name=f"fresh: {name}", check=FRESH, content=_filled(piece), files={"docs/audited": b"x"})
    for name, content in _SWEEPS.items():
        yield Case(name=f"sweep: {name}", check=SWEEP, content=b"x", files={"docs/sweep/sweep.json": content, "docs/sweep/expectation.json": content})


_LINKS = {"schemes": "http://", "parentheses": "http://a/" + ")" * 1_900 + " ", "lines": "http://a.b/c)))...\n", "opened": "http://a/((( "}
_SWEEPS = {"brackets": b"[" * 1_000_000, "an object": b"{}", "nulls": b'{"schema_version":1,"rows":null,"fleet":null}'}
_PIECES = (
    *(
        "# a",
        "## Layer 1",
        "a",
        "===",
        "---",
        "- ",
        "  ",
        "> ",
        "```",
        "~~~",
        "<!--",
        "-->",
        "<div>",
        "<a b='",
        "[a]: ",
        "1. ",
        "\n",
        "\t",
        "***",
        "|",
        "\\",
    ),
    *(
        "a: ",
        "&a ",
        "*a",
        "[",
        "]",
        "{",
        "}",
        "!!",
        "'",
        '"',
        "%",
        "? ",
        ": ",
        "<<: ",
        "\0",
        "\r",
        "\x85",
        "\u2028",
        "\ufeff",
        "\U0001f600",
        "http://",
        "(",
        ")",
    ),
)


def generated(seed: int, number: int) -> Iterator[Case]:
    """So many documents of random pieces, each piece repeated a random number of times, for the types that parse text."""
    random = Random(seed)
    schemas: tuple[Any, ...] = tuple(schema for _, schema, _ in _JSON)
    for one in range(number):
        parts = [random.choice(_PIECES) * random.choice((1, 1, 2, 5, 40, 3_000)) for _ in range(random.randrange(1, 40))]
        text = "".join(part + random.choice(("", "\n", " ")) for part in parts) * random.choice((1, 1, 1, 20))
        kind = random.choice(("headings", "front", "schema", "urls", "fresh"))
        content = text[: 2 * 1024 * 1024].encode()[: 4 * 1024 * 1024]
        match kind:
            case "front":
                yield Case(name=f"front matter {one}", check=FRONT, content=b"---\n" + content + b"\n---\n")
            case "schema":
                value = random.choice((content, json.dumps(parts).encode(), json.dumps(dict.fromkeys(parts, parts[:3])).encode()))
                yield Case(name=f"schema {one}", check={"type": "json_schema", "target": TARGET, "schema": random.choice(schemas)}, content=value)
            case "urls":
                yield Case(name=f"urls {one}", check=URLS, content=content)
            case "fresh":
                yield Case(name=f"fresh {one}", check=FRESH, content=content, files={"docs/audited": b"x"})
            case _:
                yield Case(name=f"headings {one}", check=HEADINGS, content=content)

"""Canaries: secrets to be looked for, in every encoding that the standard library can write, and decoders that are not ours.

Needs nothing but the standard library, so that a program under test can take it along.
"""

import base64
import html
import json
import random
import re
import string
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote_plus

ALPHABETS = (
    string.ascii_letters + string.digits,
    string.hexdigits,
    string.ascii_letters + string.digits + "-_.~+/=",
    string.printable[:95],
    "pä$$wörd€漢😀\"\\/ &<>'",
)


def canary(rng: random.Random) -> str:
    alphabet = rng.choice(ALPHABETS)
    return "C" + "".join(rng.choice(alphabet) for _ in range(rng.randrange(11, 60))) + "y"


def encodings(secret: str, rng: random.Random) -> Iterator[str]:
    """Every way in which a program may write a secret, by the standard library."""
    raw = secret.encode()
    joined = [b"u" * offset + raw + rng.randbytes(rng.randrange(4)) for offset in range(3)]
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield json.dumps(json.dumps(secret))[1:-1]
    yield json.dumps(secret)[1:-1].replace("/", "\\/")
    yield "".join(f"\\u{unit:04{rng.choice('xX')}}" for unit in memoryview(secret.encode("utf-16-le")).cast("H"))
    yield quote(secret)
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield re.sub("%..", lambda match: match[0].lower(), quote(secret, safe=""))
    yield "".join(f"%{byte:02x}" for byte in raw)
    yield html.escape(secret)
    yield html.escape(secret, quote=False)
    yield "".join(f"&#{ord(character)};" if rng.random() < 0.5 else f"&#x{ord(character):x};" for character in secret)
    yield raw.hex()
    yield raw.hex().upper()
    for whole in joined:
        yield base64.b64encode(whole).decode()
        yield base64.urlsafe_b64encode(whole).decode()
        yield base64.urlsafe_b64encode(whole).decode().rstrip("=")


def decoded(text: str) -> Iterator[str]:
    """What a reader could get out of the text: each decoder applied to the whole, and to every run that could be base64 or hex."""
    yield text
    yield html.unescape(text)
    yield unquote_plus(text)
    yield re.sub(r"\\u([0-9A-Fa-f]{4})", lambda match: chr(int(match[1], 16)), text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    yield re.sub(r"\\+([\"/\\])", r"\1", text)
    for run in re.findall(r"(?:[0-9a-fA-F]{2}){4,}", text):
        yield bytes.fromhex(run).decode("utf-8", "replace")
    for run in re.findall(r"[A-Za-z0-9+/_-]{8,}", text):
        for start in range(4):
            part = run[start:].replace("-", "+").replace("_", "/")
            yield base64.b64decode(part[: len(part) // 4 * 4]).decode("utf-8", "replace")

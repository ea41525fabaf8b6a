"""The redactor finds a secret in every form it knows, leaves the rest alone, and what it returns holds no secret."""

import base64
import html
import json
import string
import timeit
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.infra.redaction import Redactor

SECRET = "S3cr/t+\"Tok en\\é&'<=>"
FORMS = {
    "raw": SECRET,
    "json": json.dumps(SECRET)[1:-1],
    "json, not ascii": json.dumps(SECRET, ensure_ascii=False)[1:-1],
    "json, slash escaped": json.dumps(SECRET)[1:-1].replace("/", "\\/"),
    "json, all escaped": "".join(f"\\u{ord(character):04x}" for character in SECRET),
    "json, all escaped, upper": "".join(f"\\u{ord(character):04X}" for character in SECRET),
    "json, as Go writes it": json.dumps(SECRET)[1:-1].replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"),
    "json in json": json.dumps(json.dumps(SECRET)[1:-1])[1:-1],
    "json in json in json": json.dumps(json.dumps(json.dumps(SECRET)[1:-1])[1:-1])[1:-1],
    "url": quote(SECRET),
    "url, nothing safe": quote(SECRET, safe=""),
    "url, plus": quote_plus(SECRET),
    "url, lower": quote(SECRET, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
    "url, all": "".join(f"%{byte:02x}" for byte in SECRET.encode()),
    "url, twice": quote(quote(SECRET, safe=""), safe=""),
    "html": html.escape(SECRET),
    "html, apos": html.escape(SECRET).replace("&#x27;", "&apos;"),
    "html, decimal": "".join(f"&#{ord(character)};" for character in SECRET),
    "html, hexadecimal": "".join(f"&#X{ord(character):04X};" for character in SECRET),
    "html, twice": html.escape(html.escape(SECRET)),
    "html, named": SECRET.replace("&", "&amp;").replace("é", "&eacute;"),
    "\\x": "".join(f"\\x{byte:02X}" for byte in SECRET.encode()),
    "hex": SECRET.encode().hex(),
    "hex, upper": SECRET.encode().hex().upper(),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64url": base64.urlsafe_b64encode(SECRET.encode()).decode(),
    "mixed": SECRET[:4] + "".join(f"\\u{ord(character):04x}" for character in SECRET[4:9]) + quote(SECRET[9:], safe=""),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_found_as(form):
    said = f'{{"error": "before {FORMS[form]} after"}}'
    redacted = Redactor([SECRET]).text(said)
    assert FORMS[form].strip("=") not in redacted
    assert redacted.startswith('{"error": "before [redacted]')
    assert redacted.endswith(' after"}')


@pytest.mark.parametrize("offset", range(6))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("secret", ["twelve bytes", "correct horse battery staple?>~"])
def test_a_secret_is_found_inside_the_base64_of_something_longer(offset, encode, secret):
    whole = encode(b"u" * offset + secret.encode() + b":tail?>").decode()
    for carried in (whole, whole.replace("/", "\\/"), quote(whole, safe=""), quote(whole, safe="").replace("%2B", "%2b")):
        redacted = Redactor([secret]).text(carried)
        assert "[redacted]" in redacted
        assert len(redacted) - len("[redacted]") < len(carried) - len(secret)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_secret_is_found_in_utf_16(encoding):
    redacted = Redactor(["passw0rd"]).bytes("a passw0rd z".encode(encoding))
    assert redacted.replace(b"\0", b"") == b"a [redacted] z"


def test_the_rest_is_left_alone():
    body = b'{"ok": true, "text": "50% of \\"tokens\\" &amp; \\u00e9"}\xff\x00'
    assert Redactor(["not in there"]).bytes(body) is body


def test_without_secrets_nothing_changes():
    assert Redactor([]).text('any "text" \\u0041 %41') == 'any "text" \\u0041 %41'


@pytest.mark.parametrize("short", ["", "a", "abc"])
def test_a_short_secret_is_refused_without_being_told(short):
    with pytest.raises(ValueError, match=f"a secret of {len(short)} characters"):
        Redactor(["long enough", short])


@pytest.mark.parametrize("part", ["redacted", "[red", "d][r", "acte"])
def test_a_secret_that_the_mark_holds_is_refused(part):
    with pytest.raises(ValueError, match="can't be hidden behind it"):
        Redactor([part])


def test_the_longer_of_two_overlapping_secrets_wins():
    assert Redactor(["token", "token-with-more"]).text("a token-with-more b token c") == "a [redacted] b [redacted] c"


def test_two_secrets_that_share_their_ends_leave_no_rest():
    assert Redactor(["abcdef12", "ef12WXYZ"]).text("<abcdef12WXYZ>") == "<[redacted]>"


def test_secrets_that_touch_become_one_mark():
    assert Redactor(["abcdef12", "34567890"]).text("<abcdef1234567890>") == "<[redacted]>"


def test_every_place_of_a_secret_is_found_and_what_stands_between_is_kept():
    assert Redactor(["hunter22"]).text("x hunter22 y " * 30) == "x [redacted] y " * 30


def test_a_secret_that_overlaps_itself_leaves_no_rest():
    assert Redactor(["abab"]).text("<ababab>") == "<[redacted]>"


@pytest.mark.parametrize(
    ("secret", "form"), [("pass<word", "pass&lt;word"), ("pass word", "pass+word"), ("pass/word", "pass\\/word"), ("pass\\word", "pass\\\\word")]
)
def test_one_escaped_character_is_enough_to_look_for_it(secret, form):
    assert Redactor([secret]).text(f"a {form} b") == "a [redacted] b"


def test_a_mark_that_completes_another_secret_is_covered_too():
    redacted = Redactor(["SECRET", "ed]foo"]).text("a SECRETfoo b")
    assert "SECRET" not in redacted
    assert "ed]foo" not in redacted


@given(
    st.lists(st.text("[redact]ab", min_size=4, max_size=9), min_size=1, max_size=4),
    st.lists(st.sampled_from(["[redacted]", "[red", "acted]", "a", "b", "[", "]", "\\u0061", "%61", "&#97;"]), max_size=30),
)
def test_what_comes_out_holds_no_secret_and_stays_the_same(secrets, pieces):
    secrets = [secret for secret in secrets if secret not in "[redacted]" * 3]
    redactor = Redactor(secrets)
    content = "".join(pieces) + "".join(secrets)
    redacted = redactor.text(content)
    assert not any(secret in redacted for secret in secrets)
    assert redactor.text(redacted) == redacted


def test_it_does_not_show_its_secrets():
    assert "hunter22" not in repr(Redactor(["hunter22"]))


@pytest.mark.parametrize("bait", ["\\", "%25", "&amp;", "&#0", "\\u00", "aaaa", "A" * 63 + "B"])
def test_hostile_text_costs_linear_time(bait):
    redactor = Redactor(["A" * 63 + "C", "\\\\server\\share\\password", "aaaaaaaab"])
    content = (bait * 200_000)[:200_000].encode()
    assert timeit.timeit(lambda: redactor.bytes(content), number=1) < 1.0


def test_an_ordinary_body_costs_little():
    redactor = Redactor([string.ascii_letters[at : at + 32] for at in range(4)])
    body = json.dumps({"status": "ok", "outputs": {"text": 'He said "12 of 30". ' * 90}}).encode()[:2048]
    best = min(timeit.repeat(lambda: redactor.bytes(body), number=200, repeat=5)) / 200
    assert best < 100e-6  # 13 µs when the machine is idle

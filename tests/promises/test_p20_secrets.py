"""P-20: secrets never leave. The redactor's part: canaries in every encoding, found by decoders that are not ours.

The budget counts canaries (see `budget.py`).
"""

import json
import random
from urllib.parse import quote

from tests.promises import budget
from tests.promises.canaries import canary, decoded, encodings
from windlass.infra.redaction import Redactor

BUDGET = budget.of(small=1000, full=10_000)
SEED = budget.seed(20)


def test_no_canary_survives_in_any_encoding():
    rng = random.Random(SEED)
    for _ in range(-(-BUDGET // 4)):
        secrets = [canary(rng) for _ in range(4)]
        redactor = Redactor(secrets)
        forms = [(secret, form) for secret in secrets for form in encodings(secret, rng)]
        rng.shuffle(forms)
        carried = "".join(f"{rng.choice(('', 'x-token: ', ' ', ',', 'Bearer '))}{form}{rng.choice((' ', ';', chr(10), '|'))}" for _, form in forms)
        redacted = redactor.text(carried)
        assert redacted.count("[redacted]") <= len(forms)
        for found in decoded(redacted):
            assert not [secret for secret in secrets if secret in found]
        assert not [form for _, form in forms if form in redacted]
        assert redactor.text(redacted) == redacted
        assert redactor.bytes(carried.encode()) == redacted.encode()
    budget.tell("P-20", SEED, f"{BUDGET:,} canaries in every encoding")


def test_a_body_without_canaries_is_not_touched():
    rng = random.Random(SEED)
    redactor = Redactor([canary(rng) for _ in range(8)])
    for _ in range(BUDGET):
        body = rng.choice((rng.randbytes(600), json.dumps({"text": canary(rng) * 4}).encode(), quote(canary(rng) * 4).encode()))
        assert redactor.bytes(body) is body

"""P-20: secrets never leave. The redactor's part, and the orchestrator's: canaries in every encoding, found by decoders that are not ours.

The budget counts canaries (see `budget.py`).
"""

import json
import random
from urllib.parse import quote

from tests.promises import budget
from tests.promises.canaries import canary, decoded, encodings
from windlass.infra.http import Answer
from windlass.infra.redaction import Redactor
from windlass.orchestrator.execution import Run, judged
from windlass.orchestrator.routing import Routed

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


def test_an_agent_that_answers_with_its_own_token_is_passed_on_without_it():
    rng = random.Random(SEED)
    routed = Routed(agent_name="agent-a", agent_url="http://127.0.0.1:9", task_type="A_TASK")
    for _ in range(-(-BUDGET // 20)):
        token = canary(rng)
        run = Run(routed=routed, body=b"{}", timeout_s=1, headers={}, token=token)
        forms = list(encodings(token, rng))
        said = {
            "status": "ok",
            "outputs": {"forms": forms, f"key {rng.choice(forms)}": {"deep": [rng.choice(forms), 1, None]}, "words": "as they were"},
        }
        passed_on = judged(Answer(status=200, elapsed_ms=1, body=json.dumps(said).encode()), run)
        assert isinstance(passed_on, bytes)
        answer = json.loads(passed_on)
        assert (answer["status"], answer["outputs"]["words"], len(answer["outputs"]["forms"])) == ("ok", "as they were", len(forms))
        texts = [*answer["outputs"]["forms"], *answer["outputs"], passed_on.decode()]
        assert not [text for text in texts for found in decoded(text) if token in found]
        plain = b'{"status": "ok",  "outputs": {"words": "of somebody else"}}'
        assert judged(Answer(status=200, elapsed_ms=1, body=plain), run) == plain, "an answer without a token is passed on byte by byte"

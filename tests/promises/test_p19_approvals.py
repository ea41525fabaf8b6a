"""P-19: an approval can't be forged, replayed, reused, self-given or moved.

The budget counts attack traces (see `budget.py`). A trace is a world of its own: a run, an attempt, people with keys, a contract's rule, and
approvals that reach its quorum. They must count as they are; then one of them is attacked, and the quorum must not be reached any more.
Every kind of attack comes equally often. Some traces are recorded for real and held against `windlass verify`'s check of approvals.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from tests.promises import budget
from tests.unit.records import worlds
from tests.unit.records.approvals import people
from tests.unit.records.approvals.people import NOW, Person
from windlass.errors import Refused
from windlass.records import bound
from windlass.records.approvals import check, content, ed25519, envelope, keys, tally
from windlass.records.approvals.content import Content
from windlass.records.approvals.keys import Keys
from windlass.records.artifacts import Artifact
from windlass.records.contracts.contract import ApprovalRule
from windlass.records.events import Contract

BUDGET = budget.of(small=1000, full=10_000)
SEED = budget.seed(19)
RECORDED = max(1, BUDGET // 40)
"""Traces that are recorded as well, each with some twenty fsyncs."""

NAMES = "Ada Lovelace|Grace Hopper|Mary Somerville|Émilie du Châtelet|李清照|Ольга Ладыженская|Sofia K.|j-r. o'neil".split("|")
ROLES = ("approver", "witness", "release-owner")


@dataclass(kw_only=True)
class World:
    """One attempt and everything that is needed to approve it; lives as long as its trace."""

    random: Random
    people: list[Person]
    """Those whose approvals make the quorum."""
    others: list[Person]
    """Those who have a key and have not approved."""
    rule: ApprovalRule
    artifacts: list[Artifact]
    content: Content
    now: datetime = NOW
    keys: Keys = field(init=False)
    approvals: list[dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.keys = people.keys_of(*self.people, *self.others)
        self.approvals = [self.approval(one) for one in self.people]

    def approval(self, one: Person, **changed: Any) -> dict[str, Any]:
        issued = self.now - timedelta(seconds=self.random.uniform(0, self.rule.expires_in_s - 1))
        fields = {"nonce": self.random.randbytes(16).hex(), "issued_at": issued, "expires_at": issued + timedelta(seconds=self.rule.expires_in_s)}
        return people.approval(one, self.content, **{**fields, **changed})

    def missing(self) -> int:
        return tally.count(self.approvals, self.rule, self.content, self.keys, self.now).missing

    @property
    def victim(self) -> int:
        return self.random.randrange(len(self.approvals))

    def replaced(self, **changed: Any) -> None:
        """One approval is signed honestly, but says something else."""
        place = self.victim
        self.approvals[place] = self.approval(self.people[place], **changed)

    def edited(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """The signed payload of one approval is another, and the signature is made anew: its owner plays along."""
        place = self.victim
        payload = json.loads(b64decode(self.approvals[place]["payload"]))
        self.approvals[place] = people.signed_bytes(
            self.people[place], json.dumps(change(payload), separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
        )

    def reapproved(self) -> None:
        """Everybody approves again, after something about the world was changed."""
        self.approvals = [self.approval(one) for one in self.people]


def _hex(random: Random, length: int = 32) -> str:
    return random.randbytes(length).hex()


def _artifact(random: Random, path: str) -> Artifact:
    return Artifact(path=path, resolved_path=path, sha256=_hex(random), size=random.randrange(1, 10**6), exists=True)


def world(random: Random) -> World:
    quorum = random.choice((1, 1, 2, 3))
    roles = tuple(random.sample(ROLES, random.randint(1, len(ROLES))))
    names = random.sample(NAMES, quorum + 2)
    folk = [people.person(name, random.choice(roles), seed=random.randrange(10**9)) for name in names]
    artifacts = [_artifact(random, f"out/{number}-{_hex(random, 3)}.md") for number in range(random.randint(1, 6))]
    return World(
        random=random,
        people=folk[:quorum],
        others=folk[quorum:],
        rule=ApprovalRule(quorum=quorum, roles=roles, expires_in_s=random.choice((60, 3600, 86_400))),
        artifacts=artifacts,
        content=replace(
            people.CONTENT,
            run_id=f"run_20260119T143012000Z_essay-{random.randrange(10**6)}_{_hex(random, 7)[:13]}",
            gate=f"G{random.randint(1, 9)}",
            attempt=random.randint(1, 9),
            journal_head_at_start=_hex(random),
            contract_sha256=_hex(random),
            prompt_sha256=random.choice((None, _hex(random))),
            artifacts_sha256=content.digest(artifacts),
            agent=random.choice(("research-orchestrator", "claude", "Somebody Else")),
        ),
    )


# --- forged -----------------------------------------------------------------------------------------------------------------


def flipped_bit(it: World) -> None:
    sealed = dict(it.approvals[place := it.victim])
    signature = dict(sealed["signatures"][0])
    part = it.random.choice(("payload", "sig"))
    raw = bytearray(b64decode(sealed["payload"] if part == "payload" else signature["sig"]))
    raw[it.random.randrange(len(raw))] ^= 1 << it.random.randrange(8)
    text = b64encode(raw).decode()
    it.approvals[place] = {**sealed, "payload": text} if part == "payload" else {**sealed, "signatures": [{**signature, "sig": text}]}


def flipped_bit_of_the_text(it: World) -> None:
    """Of the envelope as it is written: whatever can still be read must not count, or be the very same approval."""
    place = it.victim
    before = it.approvals[place]
    raw = bytearray(json.dumps(before).encode())
    while True:
        at, bit = it.random.randrange(len(raw)), 1 << it.random.randrange(8)
        raw[at] ^= bit
        try:
            after = json.loads(raw)
        except ValueError:
            after = None
        if after != before:
            it.approvals[place] = after
            return
        raw[at] ^= bit


def signed_by_another_key(it: World) -> None:
    place = it.victim
    it.approvals[place] = it.approval(replace(it.others[0], key=it.people[place].key))


def signed_by_a_stranger(it: World) -> None:
    place = it.victim
    it.approvals[place] = it.approval(people.person(it.people[place].key.who, *it.people[place].key.roles, seed=-1))


def signed_by_the_agents_own_new_key(it: World) -> None:
    place = it.victim
    stranger = people.person("Somebody New", it.rule.roles[0], seed=it.random.randrange(10**9))
    it.approvals[place] = it.approval(stranger)


def signature_of_another_approval(it: World) -> None:
    place = it.victim
    other = it.approval(it.people[place])
    it.approvals[place] = {**it.approvals[place], "signatures": other["signatures"]}


def random_signature(it: World) -> None:
    place = it.victim
    signature = b64encode(it.random.choice((bytes(64), it.random.randbytes(64), b"\x01" + bytes(63)))).decode()
    it.approvals[place] = {**it.approvals[place], "signatures": [{"keyid": it.people[place].key.key_id, "sig": signature}]}


def malleable_signature(it: World) -> None:
    """S + L instead of S: the same equation, another signature; and the first half with another's second."""
    order = 2**252 + 27742317777372353535851937790883648493
    sealed = it.approvals[place := it.victim]
    raw = b64decode(sealed["signatures"][0]["sig"])
    other = (int.from_bytes(raw[32:], "little") + order).to_bytes(32, "little")
    it.approvals[place] = {**sealed, "signatures": [{**sealed["signatures"][0], "sig": b64encode(raw[:32] + other).decode()}]}


def small_order_key(it: World) -> None:
    """Nobody gets such a key into a keys file; were it there, its signatures would hold."""
    point = it.random.choice(sorted(ed25519._LOW_ORDER))
    entry = {"key_id": ed25519.key_id(point), "public_key": b64encode(point).decode(), "who": "Nobody", "roles": list(it.rule.roles)}
    try:
        it.keys = keys.read(json.dumps({"schema_version": 1, "keys": [entry]}).encode(), people.PATH)
    except Refused:
        it.keys = people.keys_of(*it.others)


def other_payload_type(it: World) -> None:
    place = it.victim
    kind = it.random.choice(("application/vnd.in-toto+json", "application/json", envelope.PAYLOAD_TYPE.upper(), envelope.PAYLOAD_TYPE + " ", ""))
    it.approvals[place] = people.signed_bytes(it.people[place], b64decode(it.approvals[place]["payload"]), kind)


def type_changed_after_signing(it: World) -> None:
    place = it.victim
    other = people.signed_bytes(it.people[place], b64decode(it.approvals[place]["payload"]), "application/vnd.in-toto+json")
    it.approvals[place] = {**other, "payloadType": envelope.PAYLOAD_TYPE}


def extra_signatures(it: World) -> None:
    sealed = it.approvals[place := it.victim]
    good, bad = sealed["signatures"][0], {"keyid": it.others[0].key.key_id, "sig": b64encode(it.random.randbytes(64)).decode()}
    it.approvals[place] = {**sealed, "signatures": it.random.choice(([good, bad], [bad, good], [good, good], [], [bad]))}


def algorithm_named(it: World) -> None:
    """Nothing in an envelope may say how it is to be verified."""
    sealed = it.approvals[place := it.victim]
    word = it.random.choice(("alg", "keytype", "scheme", "cert", "public_key", "jwk"))
    value = it.random.choice(("none", "HS256", it.others[0].key.public_key.hex()))
    signature = {**sealed["signatures"][0], word: value}
    it.approvals[place] = it.random.choice(({**sealed, "signatures": [signature]}, {**sealed, word: value}))


def key_id_spelt_otherwise(it: World) -> None:
    sealed = it.approvals[place := it.victim]
    name = sealed["signatures"][0]["keyid"]
    spelt = it.random.choice((name.upper() if name.upper() != name else f"{name} ", f" {name}", name[:63], f"{name}0", f"sha256:{name}"))
    it.approvals[place] = {**sealed, "signatures": [{**sealed["signatures"][0], "keyid": spelt}]}


def unsigned(it: World) -> None:
    place = it.victim
    payload = it.approvals[place]["payload"]
    others: list[Any] = [json.loads(b64decode(payload)), {}, [], None, "approved", True, {"payload": payload}]
    it.approvals[place] = it.random.choice(others)


# --- the payload ------------------------------------------------------------------------------------------------------------


def key_given_twice(it: World) -> None:
    place = it.victim
    raw = b64decode(it.approvals[place]["payload"])
    name = it.random.choice(sorted(json.loads(raw)))
    value = it.random.choice(("null", "1", '"x"', json.dumps(json.loads(raw)[name])))
    text = it.random.choice((b'{"%b":%b,' % (name.encode(), value.encode()) + raw[1:], raw[:-1] + b',"%b":%b}' % (name.encode(), value.encode())))
    it.approvals[place] = people.signed_bytes(it.people[place], text)


def unknown_key(it: World) -> None:
    it.edited(lambda payload: {**payload, it.random.choice(("quorum", "override", "z", "Who", "artifacts")): it.random.choice((1, "x", None, []))})


def key_left_out(it: World) -> None:
    place = it.random.random()
    it.edited(lambda payload: {name: payload[name] for name in sorted(payload) if name != sorted(payload)[int(place * len(payload))]})


def value_of_another_type(it: World) -> None:
    name = it.random.choice(("attempt", "gate", "who", "nonce", "run_id", "expires_at", "artifacts_sha256", "schema_version"))
    it.edited(lambda payload: {**payload, name: it.random.choice(([payload[name]], {"is": payload[name]}, True, 1.5, -1, "", None))})


def another_purpose(it: World) -> None:
    it.edited(lambda payload: {**payload, "purpose": it.random.choice(("windlass.window.intent", "windlass.gate.approval ", "", "approval"))})


def not_canonical(it: World) -> None:
    place = it.victim
    payload = json.loads(b64decode(it.approvals[place]["payload"]))
    text = it.random.choice((json.dumps(payload), json.dumps(payload, indent=1), json.dumps(payload, separators=(",", ":")) + " "))
    it.approvals[place] = people.signed_bytes(it.people[place], text.encode())


def base64_with_more_in_it(it: World) -> None:
    sealed = it.approvals[place := it.victim]
    text = sealed["payload"]
    at = it.random.randrange(len(text))
    it.approvals[place] = {**sealed, "payload": text[:at] + it.random.choice("\n -_=\u00e9") + text[at:]}


# --- replayed, moved --------------------------------------------------------------------------------------------------------


def replayed_on_another_run(it: World) -> None:
    it.content = replace(it.content, run_id=it.content.run_id[:-1] + ("a" if it.content.run_id[-1] != "a" else "b"))


def replayed_on_another_gate(it: World) -> None:
    it.content = replace(it.content, gate=f"{it.content.gate}.1")


def replayed_on_another_attempt(it: World) -> None:
    it.content = replace(it.content, attempt=it.content.attempt + it.random.choice((1, 2)))


def replayed_on_a_copy_of_the_run(it: World) -> None:
    """The same run id, gate and attempt, with another history."""
    it.content = replace(it.content, journal_head_at_start=_hex(it.random))


def contract_changed(it: World) -> None:
    it.content = replace(it.content, contract_sha256=it.random.choice((None, _hex(it.random))))


def packet_changed(it: World) -> None:
    it.content = replace(it.content, prompt_sha256=_hex(it.random))


def output_changed(it: World) -> None:
    """After everybody had approved, an output is another, is gone, is new, is elsewhere, or two have changed places."""
    one = it.random.randrange(len(it.artifacts))
    changed = list(it.artifacts)
    match it.random.randrange(5):
        case 0:
            changed[one] = replace(changed[one], sha256=_hex(it.random))
        case 1:
            changed[one] = replace(changed[one], sha256=None, size=None, exists=False)
        case 2:
            changed.append(_artifact(it.random, "out/added.md"))
        case 3:
            changed[one] = replace(changed[one], resolved_path=changed[one].resolved_path + "x")
        case _ if len(changed) > 1:
            other = (one + 1) % len(changed)
            changed[one] = replace(changed[one], sha256=changed[other].sha256)
            changed[other] = replace(changed[other], sha256=it.artifacts[one].sha256)
        case _:
            changed.clear()
    it.content = replace(it.content, artifacts_sha256=content.digest(changed))


# --- reused, too few --------------------------------------------------------------------------------------------------------


def used_twice(it: World) -> None:
    """One person's approval in the place of everybody's."""
    it.rule = replace(it.rule, quorum=len(it.people) + 1)
    it.approvals.append(it.random.choice(it.approvals))


def same_key_twice(it: World) -> None:
    it.rule = replace(it.rule, quorum=len(it.people) + 1)
    it.approvals.append(it.approval(it.people[it.victim]))


def two_keys_of_one_person(it: World) -> None:
    one = it.people[it.victim]
    who = it.random.choice((one.key.who, *_spellings(it.random, one.key.who)))
    other = people.person(who, *one.key.roles, seed=it.random.randrange(10**9))
    it.keys = people.keys_of(*it.people, *it.others, other)
    it.rule = replace(it.rule, quorum=len(it.people) + 1)
    it.approvals.append(it.approval(other))
    it.random.shuffle(it.approvals)


def same_nonce(it: World) -> None:
    """Another person's approval with a nonce that was used before."""
    nonce = json.loads(b64decode(it.approvals[it.victim]["payload"]))["nonce"]
    it.rule = replace(it.rule, quorum=len(it.people) + 1)
    it.approvals.append(it.approval(it.others[0], nonce=nonce))


def one_left_out(it: World) -> None:
    del it.approvals[it.victim]


# --- self-given -------------------------------------------------------------------------------------------------------------


def _spellings(random: Random, name: str) -> list[str]:
    """The name as somebody writes it who wants to be taken for another; each is a name that a keys file takes."""
    wide = "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in name)
    lookalike = name.translate(str.maketrans("aeopcxyAEOPCTM", "аеорсхуАЕОРСТМ"))
    accented = "".join(letter + ("\u0301" if letter in "aeiou" else "") for letter in name)
    spaced = "  ".join(name.split())
    joined = random.choice("-_.").join(name.split())
    return [name.upper(), name.lower(), name.swapcase(), wide, lookalike, accented, spaced, joined, f"{name}."]


def approved_by_the_agent(it: World) -> None:
    name = it.people[it.victim].key.who
    it.content = replace(it.content, agent=name)
    it.reapproved()


def approved_by_the_agent_under_another_spelling(it: World) -> None:
    name = it.people[it.victim].key.who
    unseen = [f" {name}", f"{name}\u200b", f"\u202e{name}", name.replace(" ", "\u00a0"), name.replace(" ", "\t")]
    it.content = replace(it.content, agent=it.random.choice([*_spellings(it.random, name), *unseen]))
    it.reapproved()


def approved_by_a_producer(it: World) -> None:
    place = it.victim
    old = it.people[place].key
    roles = it.random.choice((("producer",), (*old.roles, "producer"), ("producer", *old.roles)))
    it.people[place] = replace(it.people[place], key=replace(old, roles=roles))
    it.keys = people.keys_of(*it.people, *it.others)
    it.approvals[place] = it.approval(it.people[place], role=it.random.choice(roles))


def approved_in_a_role_that_the_key_has_not(it: World) -> None:
    place = it.victim
    old = it.people[place].key
    it.people[place] = replace(it.people[place], key=replace(old, roles=("bystander",)))
    it.keys = people.keys_of(*it.people, *it.others)
    it.approvals[place] = it.approval(it.people[place], role=it.random.choice(it.rule.roles))


def approved_in_a_role_that_the_contract_has_not(it: World) -> None:
    place = it.victim
    old = it.people[place].key
    it.people[place] = replace(it.people[place], key=replace(old, roles=(*old.roles, "bystander")))
    it.keys = people.keys_of(*it.people, *it.others)
    it.approvals[place] = it.approval(it.people[place], role="bystander")


def approved_as_somebody_else(it: World) -> None:
    it.replaced(who=it.others[0].key.who)


# --- out of time, other keys ------------------------------------------------------------------------------------------------


def expired(it: World) -> None:
    """By a millisecond, or by a year."""
    first = min(envelope.opened(one).payload.expires_at for one in it.approvals)
    it.now = first + timedelta(milliseconds=it.random.choice((0, 1, 1000, 10**6, 3 * 10**10)))


def dated_ahead(it: World) -> None:
    ahead = it.now + tally.CLOCK_TOLERANCE + timedelta(milliseconds=it.random.choice((1, 1000, 10**8)))
    it.replaced(issued_at=ahead, expires_at=ahead + timedelta(seconds=30))


def longer_than_allowed(it: World) -> None:
    issued = it.now - timedelta(milliseconds=it.random.randrange(0, 1000))
    longer = timedelta(seconds=it.rule.expires_in_s, milliseconds=it.random.choice((1, 10**7)))
    it.replaced(issued_at=issued, expires_at=issued + longer)


def ends_before_it_begins(it: World) -> None:
    it.replaced(issued_at=it.now + timedelta(seconds=40), expires_at=it.now + timedelta(seconds=it.random.randint(1, 40)))


def key_out_of_date(it: World) -> None:
    place = it.victim
    before = it.now - timedelta(milliseconds=it.random.choice((1, 10**9)))
    it.people[place] = replace(it.people[place], key=replace(it.people[place].key, not_after=before))
    it.keys = people.keys_of(*it.people, *it.others)
    it.approvals[place] = it.approval(it.people[place])


def keys_swapped(it: World) -> None:
    """The same names and roles, and other keys behind them."""
    it.keys = people.keys_of(*(people.person(one.key.who, *one.key.roles, seed=-2) for one in (*it.people, *it.others)))


def keys_of_two_swapped(it: World) -> None:
    place = it.victim
    one, other = it.people[place].key, it.others[0].key
    rest = [person for person in (*it.people, *it.others) if person.key not in (one, other)]
    entries = [replace(one, who=other.who, roles=other.roles), replace(other, who=one.who, roles=one.roles)]
    it.keys = keys.read(keys.write([*entries, *(person.key for person in rest)]), people.PATH)


def key_taken_out(it: World) -> None:
    it.keys = people.keys_of(*(person for place, person in enumerate(it.people) if place), *it.others)


ATTACKS: tuple[Callable[[World], None], ...] = (
    flipped_bit,
    flipped_bit_of_the_text,
    signed_by_another_key,
    signed_by_a_stranger,
    signed_by_the_agents_own_new_key,
    signature_of_another_approval,
    random_signature,
    malleable_signature,
    small_order_key,
    other_payload_type,
    type_changed_after_signing,
    extra_signatures,
    algorithm_named,
    key_id_spelt_otherwise,
    unsigned,
    key_given_twice,
    unknown_key,
    key_left_out,
    value_of_another_type,
    another_purpose,
    not_canonical,
    base64_with_more_in_it,
    replayed_on_another_run,
    replayed_on_another_gate,
    replayed_on_another_attempt,
    replayed_on_a_copy_of_the_run,
    contract_changed,
    packet_changed,
    output_changed,
    used_twice,
    same_key_twice,
    two_keys_of_one_person,
    same_nonce,
    one_left_out,
    approved_by_the_agent,
    approved_by_the_agent_under_another_spelling,
    approved_by_a_producer,
    approved_in_a_role_that_the_key_has_not,
    approved_in_a_role_that_the_contract_has_not,
    approved_as_somebody_else,
    expired,
    dated_ahead,
    longer_than_allowed,
    ends_before_it_begins,
    key_out_of_date,
    keys_swapped,
    keys_of_two_swapped,
    key_taken_out,
)


def test_every_honest_quorum_counts_and_no_attacked_one_does():
    rejected: Counter[str] = Counter()
    for number in range(BUDGET):
        it = world(Random(f"{SEED}/{number}"))
        attack = ATTACKS[number % len(ATTACKS)]
        assert it.missing() == 0, f"trace {number}: an honest quorum does not count"
        attack(it)
        assert it.missing() > 0, f"trace {number}: {attack.__name__} got through"
        rejected[attack.__name__] += 1
    assert len(rejected) == min(BUDGET, len(ATTACKS))
    budget.tell("P-19", SEED, f"{BUDGET:,} attacks of {len(rejected)} kinds rejected, {BUDGET:,} honest quorums counted")


def test_an_attacked_approval_takes_nothing_from_the_honest_ones():
    """Whatever is thrown in before them, those who approved honestly still have."""
    spoilt = 0
    for number in range(BUDGET // 10):
        it = world(Random(f"{SEED}/spoilt/{number}"))
        honest = list(it.approvals)
        ATTACKS[number % 22](it)  # those that change approvals and nothing else
        if it.keys == people.keys_of(*it.people, *it.others):
            it.approvals = [*it.approvals, *honest]
            assert it.missing() == 0, f"trace {number}: {ATTACKS[number % 22].__name__} made an honest approval worthless"
            spoilt += 1
    assert spoilt or BUDGET < 10


# --- the same, recorded and verified ----------------------------------------------------------------------------------------


def _recorded(place: Path, random: Random, attack: Callable[[dict[str, Any], Person, Person], dict[str, Any]] | None) -> list[str]:
    """What verification says of a run whose one gate was passed with two approvals, one of them attacked."""
    place.mkdir()
    one, two, other = (people.person(name, seed=random.randrange(10**9)) for name in random.sample(NAMES, 3))
    rule = {"schema_version": 1, "gate": "G1", "name": "G1", "validations": [{"type": "file_exists", "target": "a.md"}], "approvals": {"quorum": 2}}
    (place / "a.md").write_text(f"{random.random()}\n")
    with worlds.new(place, gates="G1", seed=random.randrange(10**9)) as record:
        bound_contract = Contract(sha256=record.bind(json.dumps(rule).encode()), version="1")
        record.gate_started("G1", "robot", contract=bound_contract)
        made = [record.artifact("a.md")]
        what = content.of(record.run, "G1", 1, made)
        file = keys.write([one.key, two.key, other.key])
        for number, person in enumerate((one, two)):
            payload = people.payload(person, what, issued_at=worlds.STARTED, expires_at=worlds.STARTED + timedelta(hours=1), nonce=_hex(random, 16))
            sealed = people.signed(person, payload)
            if attack and number:
                sealed = attack(sealed, person, other)
            told = {"who": person.key.who, "key_id": person.key.key_id, "nonce": payload.nonce, "expires_at": "2026-01-19T15:30:12.000Z"}
            record.gate_approved("G1", 1, sealed, keys=file, **told)
        record.gate_finished("G1", "PASS", validations=[{"type": "file_exists", "path": "a.md", "pass": True}], artifacts=made)
        read = record.record_directory
        return [finding.reason for finding in check.check(record.run, lambda sha256: bound.read(read, sha256), keys.read(file, people.PATH))]


def _resigned(sealed: dict[str, Any], by: Person, **changed: Any) -> dict[str, Any]:
    payload = envelope.opened(sealed).payload
    return people.signed(by, replace(payload, **changed))


def test_a_record_with_an_attacked_approval_does_not_verify(tmp_path: Path):
    attacks: tuple[Callable[[dict[str, Any], Person, Person], dict[str, Any]], ...] = (
        lambda sealed, one, other: _resigned(sealed, replace(other, key=one.key)),
        lambda sealed, one, other: _resigned(sealed, other),
        lambda sealed, one, other: _resigned(sealed, one, gate="G2"),
        lambda sealed, one, other: _resigned(sealed, one, attempt=2),
        lambda sealed, one, other: _resigned(sealed, one, journal_head_at_start="ab" * 32),
        lambda sealed, one, other: _resigned(sealed, one, artifacts_sha256="ab" * 32),
        lambda sealed, one, other: _resigned(
            sealed, one, expires_at=worlds.STARTED - timedelta(hours=2), issued_at=worlds.STARTED - timedelta(hours=3)
        ),
        lambda sealed, one, other: _resigned(sealed, one, role="witness"),
        lambda sealed, one, other: _resigned(sealed, one, nonce="00" * 16),
        lambda sealed, one, other: {**sealed, "signatures": sealed["signatures"] * 2},
        lambda sealed, one, other: {**sealed, "payloadType": "application/json"},
        lambda sealed, one, other: {"approved": True},
    )
    for number in range(RECORDED):
        honest = _recorded(tmp_path / f"{number}-honest", Random(f"{SEED}/recorded/{number}"), None)
        assert honest == [], f"trace {number}"
        said = _recorded(tmp_path / f"{number}-attacked", Random(f"{SEED}/recorded/{number}"), attacks[number % len(attacks)])
        assert said, f"trace {number}: attack {number % len(attacks)} verified"
    budget.tell("P-19", SEED, f"{RECORDED:,} recorded attacks found by verification, {RECORDED:,} honest records without a finding")

"""Which approvals count. Each test changes one thing of an approval that counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.records.approvals import people
from tests.unit.records.approvals.people import ADA, CONTENT, GRACE, MARY, NOW, RULE, approval, keys_of, person
from windlass.records.approvals import tally
from windlass.records.approvals.tally import Tally

TWO = replace(RULE, quorum=2)


def _rejected(counted: Tally, reason: str) -> None:
    assert counted.valid == ()
    assert counted.missing == 1
    assert reason in people.reasons(counted.rejected)


def test_an_honest_approval_counts():
    counted = tally.count([approval(ADA)], RULE, CONTENT, keys_of(ADA, GRACE), NOW)
    assert [one.key.who for one in counted.valid] == ["Ada Lovelace"]
    assert (counted.rejected, counted.missing) == ((), 0)
    assert str(counted) == "1 of 1 approvals (Ada Lovelace)"


def test_no_approval_is_no_quorum():
    assert tally.count([], RULE, CONTENT, keys_of(ADA), NOW).missing == 1


def test_two_persons_are_a_quorum_of_two():
    counted = tally.count([approval(ADA), approval(GRACE)], TWO, CONTENT, keys_of(ADA, GRACE), NOW)
    assert (len(counted.valid), counted.missing) == (2, 0)


def test_one_person_with_two_keys_counts_once():
    other = person("ada  LOVELACE", seed=2)
    counted = tally.count([approval(ADA), approval(other)], TWO, CONTENT, keys_of(ADA, other), NOW)
    assert counted.missing == 1
    assert "a person counts once" in people.reasons(counted.rejected)


def test_one_key_counts_once_however_often_it_signs():
    counted = tally.count([approval(ADA), approval(ADA, nonce="0" * 32)], TWO, CONTENT, keys_of(ADA, GRACE), NOW)
    assert counted.missing == 1
    assert "counts once" in people.reasons(counted.rejected)


def test_an_approval_is_used_once():
    counted = tally.count([approval(ADA), approval(ADA)], TWO, CONTENT, keys_of(ADA), NOW)
    assert "used once" in people.reasons(counted.rejected)


def test_a_rejected_approval_takes_nothing_from_a_good_one():
    """Else anybody could spend another's nonce, or his turn."""
    broken = approval(ADA)
    broken["signatures"] = [{**broken["signatures"][0], "sig": approval(GRACE)["signatures"][0]["sig"]}]
    assert tally.count([broken, approval(ADA)], RULE, CONTENT, keys_of(ADA), NOW).missing == 0


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"run_id": "run_20260119T143012000Z_the-word-robot_abcdefghijkln"}, "it is for run run_"),
        ({"gate": "G3"}, "it is for gate G3, not G2"),
        ({"attempt": 1}, "it is for attempt 1, not 2"),
        ({"journal_head_at_start": "ff" * 32}, "began with entry"),
        ({"contract_sha256": "ff" * 32}, "under contract"),
        ({"contract_sha256": None}, "under contract none"),
        ({"prompt_sha256": "ff" * 32}, "with packet"),
        ({"artifacts_sha256": "ff" * 32}, "the outputs are not those that were approved"),
    ],
)
def test_an_approval_can_not_be_moved(changed: dict[str, Any], reason: str):
    _rejected(tally.count([approval(ADA, **changed)], RULE, CONTENT, keys_of(ADA), NOW), reason)


def test_an_approval_ends_when_it_says():
    over = approval(ADA, expires_at=NOW)
    _rejected(tally.count([over], RULE, CONTENT, keys_of(ADA), NOW), "it expired at")
    assert tally.count([over], RULE, CONTENT, keys_of(ADA), NOW - timedelta(milliseconds=1)).missing == 0


def test_a_clock_that_is_a_minute_ahead_is_borne_and_no_more():
    ahead = approval(ADA, issued_at=NOW + tally.CLOCK_TOLERANCE)
    assert tally.count([ahead], RULE, CONTENT, keys_of(ADA), NOW).missing == 0
    _rejected(tally.count([ahead], RULE, CONTENT, keys_of(ADA), NOW - timedelta(milliseconds=1)), "yet to come")


def test_an_approval_holds_no_longer_than_the_contract_lets_it():
    long = approval(ADA, issued_at=NOW, expires_at=NOW + timedelta(seconds=3600, milliseconds=1))
    _rejected(tally.count([long], RULE, CONTENT, keys_of(ADA), NOW), "longer than the 3600 s")


def test_an_approval_that_ends_before_it_begins_is_none():
    _rejected(
        tally.count([approval(ADA, issued_at=NOW + timedelta(seconds=30), expires_at=NOW + timedelta(seconds=20))], RULE, CONTENT, keys_of(ADA), NOW),
        "before",
    )


def test_a_key_that_is_out_of_date_signs_nothing():
    old = person("Ada Lovelace", not_after=NOW - timedelta(seconds=1))
    _rejected(tally.count([approval(old)], RULE, CONTENT, keys_of(old), NOW), "was to be used until")


def test_a_producer_never_approves():
    both = person("Ada Lovelace", "approver", "producer")
    _rejected(tally.count([approval(both)], RULE, CONTENT, keys_of(both), NOW), "no producer approves")


def test_the_role_is_in_the_key():
    witness = person("Ada Lovelace", "witness")
    _rejected(tally.count([approval(witness)], RULE, CONTENT, keys_of(witness), NOW), "the contract asks for approver")
    _rejected(tally.count([approval(witness, role="approver")], RULE, CONTENT, keys_of(witness), NOW), "has the roles witness")
    assert tally.count([approval(witness)], replace(RULE, roles=("witness",)), CONTENT, keys_of(witness), NOW).missing == 0


@pytest.mark.parametrize(
    "agent",
    [
        "Ada Lovelace",
        "ada lovelace",
        " ADA\u00a0LOVELACE ",
        "Ada-Lovelace",
        "Ａｄａ Ｌｏｖｅｌａｃｅ",
        "Adа Lovelace",
        "A\u200bda Lovelace",
        "Adá Lovelace",
    ],
)
def test_nobody_approves_what_was_done_in_their_name(agent: str):
    _rejected(tally.count([approval(ADA)], RULE, replace(CONTENT, agent=agent), keys_of(ADA), NOW), "nobody approves their own work")


def test_a_key_that_is_not_in_the_file_says_nothing():
    _rejected(tally.count([approval(MARY)], RULE, CONTENT, keys_of(ADA, GRACE), NOW), f"its key is not in {people.PATH}")


def test_a_signature_by_another_key_does_not_hold():
    forged = approval(ADA)
    forged["signatures"][0]["sig"] = people.signed(replace(GRACE, key=ADA.key), people.payload(ADA))["signatures"][0]["sig"]
    _rejected(tally.count([forged], RULE, CONTENT, keys_of(ADA, GRACE), NOW), "the signature does not hold")


def test_who_signs_is_who_the_key_belongs_to():
    _rejected(tally.count([approval(ADA, who="Grace Hopper")], RULE, CONTENT, keys_of(ADA, GRACE), NOW), "the key is Ada Lovelace's")


def test_a_key_counts_once_whatever_it_is_called_in_which_file():
    """A record may hold approvals against two keys files, one of them with the key under another name."""
    alias = ADA.renamed("Grace Hopper")
    given = [(approval(ADA), keys_of(ADA)), (approval(alias, nonce="0" * 32), keys_of(alias))]
    counted = tally.count_each(given, TWO, CONTENT, NOW)
    assert counted.missing == 1
    assert "key has approved already" in people.reasons(counted.rejected)


def test_what_was_counted_just_before_it_was_recorded_still_counts():
    over = [(approval(ADA, expires_at=NOW), keys_of(ADA))]
    assert tally.count_each(over, RULE, CONTENT, NOW + timedelta(seconds=2)).missing == 1
    assert tally.count_each(over, RULE, CONTENT, NOW + timedelta(seconds=2), grace=tally.CLOCK_TOLERANCE).missing == 0

"""What a sentence of a paper does: states the background, names a gap, sets an aim, describes a method, reports, interprets, limits.

A sentence is read by its cues alone: phrases that authors use for one move and hardly for another. The move whose cues have the most
words wins; a sentence without cues has no move. What a cue can't tell (irony, a quotation of somebody else's aim) is not told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from windlass.agents import numerals
from windlass.agents.phrases import Phrases

Section = Literal["introduction", "methods", "results", "discussion"]


@dataclass(frozen=True, kw_only=True)
class Move:
    """One thing that a sentence can do in one section. Lives as long as the process."""

    name: str
    section: Section
    labels: str
    """Words of a heading or an outline point that ask for this move, between slashes."""
    cues: str
    """Phrases between slashes, in the notation of `phrases.Phrases`."""
    rank: int
    """Which of two moves with as many words wins: the lower one."""
    needs_number: bool = False


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The move of a sentence and the cues that show it, as they stand in `MOVES`. Lives as long as the run."""

    move: Move
    cues: tuple[str, ...]


MOVES: tuple[Move, ...] = (
    Move(
        name="background",
        section="introduction",
        labels="background/context/rationale/burden/epidemiology/introduction",
        cues="is a common/are common/is common/prevalence/burden/leading cause/major cause/major public health/worldwide/affects/is associated with"
        "/are associated with/has been associated/have been associated/is known to/are known to/is a risk factor/previous studies have/accounts for"
        "/has been shown/have been shown/is recommended/are recommended/guidelines recommend/standard treatment/first line/widely used/each year"
        "/every year/millions of/is increasing/globally/is defined as/is characteri*",
        rank=17,
    ),
    Move(
        name="gap",
        section="introduction",
        labels="gap/gaps/knowledge gap/unmet need/problem/uncertainty",
        cues="remains unclear/remain unclear/is unclear/unclear whether/remains unknown/remain unknown/is unknown/unknown whether/little is known"
        "/not known/not well understood/poorly understood/few studies/few trials/no study has/no studies have/no trial has/no trials have"
        "/has not been/have not been/lack of evidence/lack of data/limited evidence/evidence is limited/evidence is lacking/is lacking/are lacking"
        "/scarce/conflicting/inconsistent/controversial/uncertain*/gap in/yet to be/understudied/remains to be",
        rank=2,
    ),
    Move(
        name="aim",
        section="introduction",
        labels="aim/aims/objective/objectives/hypothesis/purpose/research question",
        cues="we aimed/aimed to/aim of this/the aim/our aim/aims of/objective of/the objective/our objective/objectives were/purpose of this"
        "/the purpose/we sought/sought to/we hypothesi*/hypothesis was/hypothesis that/we investigated whether/we tested whether/we set out"
        "/to determine whether/to assess whether/to test whether/was designed to/were designed to/was undertaken to",
        rank=1,
    ),
    Move(
        name="design",
        section="methods",
        labels="design/study design/trial design/methods/randomisation/randomization/allocation/blinding",
        cues="randomi* controlled trial/randomi* trial/double blind*/single blind*/open label/parallel group/crossover/cohort study"
        "/case control study/cross sectional study/prospective*/retrospective*/we conducted/we carried out/factorial/multicentre/multicenter"
        "/pragmatic/non inferiority/placebo controlled/randomly assigned/randomly allocated/allocation/concealed/block randomi*/stratified by"
        "/study design/computer generated",
        rank=14,
    ),
    Move(
        name="participants",
        section="methods",
        labels="participants/patients/population/eligibility/recruitment/setting/subjects",
        cues="eligible/eligibility/inclusion criteria/exclusion criteria/were included if/were excluded if/were recruited/was recruited/we recruited"
        "/were enrolled/we enrolled/patients aged/adults aged/participants aged/were invited/recruitment/aged ## to",
        rank=13,
    ),
    Move(
        name="interventions",
        section="methods",
        labels="intervention/interventions/treatment/treatments/procedures/comparator/exposure",
        cues="received/were given/was given/administered/mg/once daily/twice daily/placebo/usual care/intervention consisted/sessions/dose",
        rank=15,
    ),
    Move(
        name="measures",
        section="methods",
        labels="measure/measures/outcomes/outcome/endpoints/endpoint/data collection/assessment",
        cues="primary outcome*/secondary outcome*/primary endpoint*/primary end point*/was measured/were measured/was assessed/were assessed"
        "/questionnaire*/measured using/measured with/assessed using/assessed with/defined as/were collected/blood samples/rating scale",
        rank=12,
    ),
    Move(
        name="statistics",
        section="methods",
        labels="statistics/statistical/analysis/analyses/sample size/statistical analysis",
        cues="statistical analys*/analysed using/analyzed using/analysed with/analyzed with/analysed by/analyzed by/t test*/chi square*/chi squared"
        "/fisher*/regression/anova/ancova/mann whitney/wilcoxon/kaplan meier/log rank/cox/proportional hazards/mixed model*/intention to treat"
        "/sample size/power of/power to detect/significance level/considered significant/considered statistically significant/significance was set"
        "/missing data/multiple imputation/two sided/were compared using/was compared using",
        rank=8,
    ),
    Move(
        name="ethics",
        section="methods",
        labels="ethics/consent/registration/approval",
        cues="ethic* committee/institutional review board/approved by/informed consent/written consent/was registered/is registered"
        "/declaration of helsinki",
        rank=16,
    ),
    Move(
        name="flow",
        section="results",
        labels="flow/participant flow/recruitment/follow-up/baseline",
        cues="completed the/completed follow up/lost to follow up/withdrew/underwent randomi*/were assigned to/were analysed for/were screened"
        "/were included in the analysis/discontinued/at baseline/mean age/median age",
        rank=10,
        needs_number=True,
    ),
    Move(
        name="finding",
        section="results",
        labels="results/findings/outcomes/primary outcome/secondary outcomes/effect/effects/efficacy",
        cues="reduced/increased/decreased/improved/was higher/was lower/were higher/were lower/higher in/lower in/greater in/fewer/did not differ"
        "/no difference/no significant difference/significantly/occurred in/hazard ratio/odds ratio/relative risk/risk ratio/risk difference"
        "/mean difference/confidence interval/95 ci/p/median/mean/compared with/versus/vs/respectively/died/rate of/survival/rose/fell"
        "/rose by/fell by/changed by/was observed in",
        rank=11,
        needs_number=True,
    ),
    Move(
        name="harm",
        section="results",
        labels="harm/harms/safety/adverse events",
        cues="adverse event*/serious adverse event*/side effect*/adverse reaction*/toxicity",
        rank=9,
        needs_number=True,
    ),
    Move(
        name="principal",
        section="discussion",
        labels="principal findings/main findings/key findings/summary",
        cues="we found that/this study shows/this trial shows/this study showed/this trial showed/our findings show/our results show/main finding*"
        "/principal finding*/key finding*/this study found/this trial found/we have shown/in summary",
        rank=6,
    ),
    Move(
        name="interpretation",
        section="discussion",
        labels="interpretation/mechanism/mechanisms/explanation/meaning/discussion",
        cues="suggest*/may be explained/might be explained/could be explained/may reflect/might reflect/could reflect/explanation*/likely because"
        "/may be due to/might be due to/could be due to/indicates that/indicate that/these findings/our findings/our results/these results/mechanism*"
        "/plausib*/implies that/interpret*/one reason",
        rank=7,
    ),
    Move(
        name="comparison",
        section="discussion",
        labels="comparison/other studies/previous studies/literature/prior work",
        cues="consistent with/in line with/in agreement with/agrees with/agree with/in contrast to/contrary to/contrasts with/differs from"
        "/differ from/similar to those/previous trials/earlier trials/other trials/other studies/than previously reported"
        "/previously reported/in keeping with/corroborate*",
        rank=5,
    ),
    Move(
        name="limitation",
        section="discussion",
        labels="limitation/limitations/strengths/weaknesses/bias",
        cues="limitation*/limited by/small sample/generali*/cannot exclude/could not exclude/cannot rule out/residual confounding/selection bias"
        "/risk of bias/recall bias/short follow up/single centre/single center/underpowered/interpreted with caution/with caution"
        "/weakness*/strength*",
        rank=3,
    ),
    Move(
        name="implication",
        section="discussion",
        labels="implication/implications/conclusion/conclusions/future research/practice/recommendations",
        cues="future research/further research/future studies/further studies/future trials/further trials/larger trials/clinical practice"
        "/clinicians should/implication*/should be considered/in conclusion/we conclude/policy makers/policymakers",
        rank=4,
    ),
)


def read(sentence: str) -> Reading | None:
    """The sentence's move and its cues; None where no cue stands in it, or only such that need a number and there is none."""
    phrases, owners = _index()
    seen: dict[str, list[str]] = {}
    for cue in dict.fromkeys(place.phrase for place in phrases.places(sentence)):
        for move in owners[cue]:
            seen.setdefault(move.name, []).append(cue)
    if not seen:
        return None
    by_name = {move.name: move for move in MOVES if move.name in seen}
    if any(move.needs_number for move in by_name.values()) and not numerals.figures(sentence):
        by_name = {name: move for name, move in by_name.items() if not move.needs_number}
    if not by_name:
        return None
    best = min(by_name.values(), key=lambda move: (-sum(len(cue.split()) for cue in seen[move.name]), move.rank))
    return Reading(move=best, cues=tuple(seen[best.name]))


def moves(section: Section) -> tuple[Move, ...]:
    """The moves of a section in the order in which a paper makes them."""
    return tuple(move for move in MOVES if move.section == section)


def named(heading: str, section: Section) -> tuple[str, ...]:
    """The moves of a section that a heading or an outline point asks for: `Study design and participants` → design, participants."""
    phrases, owners = _labels(section)
    asked = {owners[place.phrase] for place in phrases.places(heading)}
    return tuple(move.name for move in moves(section) if move.name in asked)


@cache
def label_words() -> frozenset[str]:
    """Every word of a label, in lower case: an outline of such words alone says nothing of the subject."""
    return frozenset(word for move in MOVES for label in move.labels.split("/") for word in label.split())


@cache
def _index() -> tuple[Phrases, Mapping[str, list[Move]]]:
    owners: dict[str, list[Move]] = {}
    for move in MOVES:
        for cue in dict.fromkeys(move.cues.split("/")):
            owners.setdefault(cue, []).append(move)
    return Phrases(owners), owners


@cache
def _labels(section: Section) -> tuple[Phrases, Mapping[str, str]]:
    owners: dict[str, str] = {}
    for move in moves(section):
        for label in move.labels.split("/"):
            owners.setdefault(label, move.name)
    return Phrases(owners), owners

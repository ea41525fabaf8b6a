"""The grammar reads what has one reading, keeps its place, refuses the rest with a reason, and takes time linear in the text."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import extraction, extraction_checks
from windlass.agents.extraction_rows import Row
from windlass.agents.papers import Paper


def read(abstract: str, **fields: object) -> Row:
    return extraction.read(Paper.model_validate({"title": "On sleep", "abstract": abstract, **fields}), 0, "roe2020", lambda: None)


def shown(row: Row, part: str) -> str:
    """The one entry of a part, in the words of the table of forms."""
    (entry,) = getattr(row, part)
    if part == "effects":
        unit = entry.unit or ""
        text = f"{entry.measure} {entry.estimate:g}{unit}"
        if entry.interval is None:
            return f"{text} without interval"
        level = "level not stated" if entry.level is None else f"{entry.level:g}%"
        return f"{text} [{entry.low:g}, {entry.high:g}] {level}{' credible' if entry.interval == 'credible' else ''}"
    if part == "p_values":
        return f"{entry.relation} {entry.value:g}"
    if part == "endpoints":
        return f"{entry.role}: {entry.quote}"
    return str(entry.value if part == "sample_sizes" else entry.reason)


@pytest.mark.parametrize(("form", "part", "reading"), extraction.FORMS)
@pytest.mark.parametrize("around", ["{}", "We saw much. {} It was so.", "Overall ({})"])
def test_every_form_of_the_table_is_read_as_the_table_says(form, part, reading, around):
    row = read(around.format(form))
    assert reading in shown(row, part) if part == "unread" else shown(row, part) == reading
    assert not row.unread or part == "unread"
    assert part != "unread" or not (row.effects or row.p_values or row.sample_sizes)
    assert extraction_checks.unsupported(row, Paper(title="On sleep", abstract=around.format(form))) is None


def test_a_whole_abstract_is_read():
    row = read(
        "BACKGROUND: Sleep is short. METHODS: In this multicentre trial we randomly assigned 1,204 adults (602 patients per arm) in 2019. "
        "The primary end point was death from any cause at 28 days; falls were a secondary outcome. RESULTS: The hazard ratio for 28-day "
        "mortality was 0·75 (95% CI 0·62–0·91; P=.003). The adjusted odds ratio for falls was 1.10 (95% CI, 0.90 to 1.34; p = 0.36)."
    )
    assert (row.n, row.n_rule, row.design.kind) == (1204, "enrolled", "randomized controlled trial")
    assert [(e.measure, e.numbers, e.adjusted, e.endpoint and e.endpoint.quote) for e in row.effects] == [
        ("HR", ["0.75", "0.62", "0.91"], False, "28-day mortality"),
        ("OR", ["1.10", "0.90", "1.34"], True, "falls"),
    ]
    assert [(p.relation, p.value) for p in row.p_values] == [("=", 0.003), ("=", 0.36)]
    assert [(e.role, e.quote) for e in row.endpoints] == [("primary", "death from any cause at 28 days"), ("secondary", "falls")]
    assert row.unread == []


def test_a_heart_rate_is_no_hazard_ratio():
    row = read("Mean heart rate (HR) fell. HR 72 bpm at rest; HR was 0.75 of the maximum. The respiratory rate (RR) was 18.5.")
    assert row.effects == []


@pytest.mark.parametrize(
    "text",
    ["log OR 0.75 (95% CI 0.62 to 0.91)", "relative risk reduction 25.5% (95% CI 10 to 40%)", "a diagnostic odds ratio of 1.5", "OR 3", "or 1.5"],
)
def test_what_only_resembles_a_measure_is_none(text):
    assert all(effect.measure == "unnamed" for effect in read(text).effects)


def test_an_abbreviation_means_what_the_text_says_it_means():
    assert [effect.measure for effect in read("The rate ratio (RR) was low: RR 0.75 (95% CI 0.62 to 0.91).").effects if effect.low] == ["IRR"]


def test_a_subgroup_is_no_endpoint_and_a_difference_is_in_one():
    assert [effect.endpoint for effect in read("The OR was 1.2 (95% CI 1.0–1.5) in men.").effects] == [None]
    assert [effect.endpoint for effect in read("The hazard ratio in women was 1.2 (95% CI 1.0–1.5).").effects] == [None]
    (effect,) = read("The mean difference in weight was −2.3 kg (−3.1 to −1.5).").effects
    assert (effect.endpoint and effect.endpoint.quote, effect.low, effect.high, effect.interval) == ("weight", -3.1, -1.5, "unlabelled")


def test_a_name_and_its_abbreviation_are_one_name():
    for text in ("Adjusted HR [aHR] 1.35 [95% CI 1.10-1.66]", "adjusted hazard ratio (aHR), 1.35; 95% CI, 1.10 to 1.66"):
        (effect,) = read(text).effects
        assert (effect.measure, effect.adjusted, effect.numbers) == ("HR", True, ["1.35", "1.10", "1.66"])


def test_an_interval_of_another_quantity_does_not_inherit_the_measure():
    row = read("The HR was 0.75 (95% CI 0.62–0.91), and mean age was 62.5 (95% CI 60.1–64.9).")
    assert [effect.measure for effect in row.effects] == ["HR", "unnamed"]


@pytest.mark.parametrize(
    "text",
    ["HR 0.\u200b75 (95% CI 0.62–0.91)", "HR 0.75 (95% CI 0.\u206062–0.91)", "p = 0.\u200b03", "HR 1.\u00ad75 was seen", "n = 1\u200b204 patients"],
)
def test_an_invisible_character_breaks_a_number(text):
    row = read(text)
    assert not [effect for effect in row.effects if effect.interval]
    assert not row.p_values
    assert 1 not in [count.value for count in row.sample_sizes]
    assert all(effect.estimate not in (0, 1) for effect in row.effects)


@pytest.mark.parametrize(
    ("text", "n", "rule"),
    [
        ("1204 patients; n = 602 and n = 602 per arm.", 1204, "total"),
        ("We enrolled 880 women; 440 women had pain.", 880, "enrolled"),
        ("There were 300 patients and 500 controls, 20 patients left.", None, "several"),
        ("Type 2 patients over 65 adults in phase 3 patients.", None, "none"),
        ("5.5 million people in 24 months of patients.", None, "none"),
        ("12% of patients and 50–70 patients", None, "none"),
        ("Nothing.", None, "none"),
    ],
)
def test_n_is_stated_never_picked(text, n, rule):
    assert (read(text).n, read(text).n_rule) == (n, rule)


def test_the_design_has_its_place():
    assert read("", study_type="Randomised trial").design.place.quote == "Randomised trial"  # type: ignore[union-attr]
    assert read("This case-control study was small.").design.place.quote == "case-control study"  # type: ignore[union-attr]
    assert read("Nothing.").design.model_dump() == {"kind": "unknown", "source": "unknown", "place": None}


numbers = st.floats(0.05, 20).map(lambda value: f"{value:.2f}")


@settings(max_examples=30, deadline=None)
@given(
    values=st.tuples(numbers, numbers, numbers).map(lambda found: sorted(found, key=float)),
    measure=st.sampled_from(["HR", "hazard ratio", "aOR", "Relative risk", "IRR"]),
    dash=st.sampled_from(["-", "–", " − ", " to ", ", ", "; "]),
    point=st.sampled_from([".", "·"]),
    space=st.sampled_from([" ", "\u00a0", "\u2009", "\n"]),
)
def test_estimate_and_interval_are_read_however_they_are_set(values, measure, dash, point, space):
    low, value, high = (number.replace(".", point) for number in values)
    (effect,) = read(f"{measure}{space}{value}{space}(95%{space}CI{space}{low}{dash}{high})").effects
    assert [effect.low, effect.estimate, effect.high] == [float(number) for number in values]


pieces = st.sampled_from(
    ["HR ", "OR = ", "0.75 ", "1,204 ", "95% CI ", "(", ")", "[", "–", "0,5", " to ", "p < ", "patients ", "n = ", "randomized ", "高血压", "\u200b",
     ". ", "primary outcome was ", "×10⁻⁸", "%", "-", "was ", " for "]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(pieces, st.text(max_size=5)), max_size=40).map("".join))
def test_whatever_the_text_every_finding_is_borne_out_by_it(text):
    row = read(text)
    assert extraction_checks.unsupported(row, Paper(title="On sleep", abstract=text)) is None


@pytest.mark.parametrize(
    "unit",
    ["HR ", "95% CI ", "n=1 ", "p = 0.0 ", "HR 0.5 (95% CI 0.4-0.6) ", "HR [",
     "0.7 x x x x x ", "hazard ratio for of ", "1,", " was the primary outcome", "aaaa"],
)  # fmt: skip
def test_hostile_text_takes_time_linear_in_its_length(unit):
    started = time.process_time()
    read((unit * 60_000)[:60_000])
    assert time.process_time() - started < 2.5


def test_the_work_can_be_stopped():
    class StoppedError(Exception):
        pass

    def stop() -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        extraction.read(Paper(title="x", abstract="HR 0.5"), 0, "x", stop)

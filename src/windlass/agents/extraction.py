"""What a paper's abstract states, by grammar: design, participants, effects with intervals, p-values, endpoints; each with its place.

Only what has one reading is read; the rest is listed as unread with the reason. No pattern backtracks beyond a bounded piece of text.
"""

from __future__ import annotations

from collections.abc import Callable

from windlass.agents import effect_sizes, p_values, sample_sizes, stated_endpoints, study_designs, written_numbers
from windlass.agents.extraction_rows import Row
from windlass.agents.papers import Paper

FORMS: tuple[tuple[str, str, str], ...] = (
    ("HR 0.75 (95% CI 0.62–0.91)", "effects", "HR 0.75 [0.62, 0.91] 95%"),
    ("hazard ratio [HR], 0.75; 95% CI, 0.62 to 0.91; P=.03", "effects", "HR 0.75 [0.62, 0.91] 95%"),
    ("adjusted OR 1.8 (95% confidence interval [CI]: 1.1, 2.9)", "effects", "OR 1.8 [1.1, 2.9] 95%"),
    ("OR = 1.8 [1.1, 2.9]", "effects", "OR 1.8 [1.1, 2.9] level not stated"),
    ("relative risk was 0·64 (99% CI 0·51 − 0·81)", "effects", "RR 0.64 [0.51, 0.81] 99%"),
    ("mean difference −3.2 mm Hg (95% CI −5.1 to −1.3)", "effects", "MD -3.2 [-5.1, -1.3] 95%"),
    ("risk difference, −2.1% (95% CI, −3.5% to −0.7%)", "effects", "RD -2.1% [-3.5, -0.7] 95%"),
    ("SMD 0.40 (95% CrI 0.10; 0.70)", "effects", "SMD 0.4 [0.1, 0.7] 95% credible"),
    ("aHR: 1.25", "effects", "HR 1.25 without interval"),
    ("prevalence was 12% (95% CI 10–14%)", "effects", "unnamed 12% [10, 14] 95%"),
    ("HR 0,75 (95% CI 0,62–0,91)", "unread", "a comma may be a decimal sign"),
    ("MD 1.0 (95% CI −5.1 −1.3)", "unread", "a dash may be a minus sign"),
    ("HR 0.75 (95% CI 0.91 to 0.62)", "unread", "out of order"),
    ("HR 1.75 (95% CI 0.62 to 0.91)", "unread", "outside its interval"),
    ("p < 0.001", "p_values", "< 0.001"),
    ("P=.03", "p_values", "= 0.03"),
    ("P for trend ≤ 0·02", "p_values", "<= 0.02"),
    ("p-value of 3 × 10⁻⁸", "p_values", "= 3e-08"),
    ("p = 0,03", "unread", "a comma may be a decimal sign"),
    ("p = 12", "unread", "a probability is at most 1"),
    ("n = 1,204", "sample_sizes", "1204"),
    ("1204 patients", "sample_sizes", "1204"),
    ("1\u202f204 older adults", "sample_sizes", "1204"),
    ("1952 answered", "sample_sizes", "1952"),
    ("1.204 patients", "unread", "a point may group thousands"),
    ("In 2019 patients", "unread", "may be a year"),
    ("The primary outcome was all-cause death.", "endpoints", "primary: all-cause death"),
    ("Stroke was a secondary outcome.", "endpoints", "secondary: Stroke"),
)
"""The forms that the grammar knows: an example, the part of the row that it ends up in, and its reading."""


def read(paper: Paper, position: int, key: str, check: Callable[[], None]) -> Row:
    """The row of one paper, under its citation key; `check` may raise to stop the work."""
    text = paper.abstract or ""
    flat = written_numbers.flat(text)
    effects = effect_sizes.read(text, flat, "abstract", check)
    values, odd_values = p_values.read(text, flat, "abstract", check)
    counts, odd_counts = sample_sizes.read(text, flat, "abstract", check)
    n, rule = sample_sizes.total(counts)
    return Row(
        citation_key=key,
        position=position,
        has_text=bool(text.strip()),
        design=study_designs.read(paper),
        n=n,
        n_rule=rule,
        sample_sizes=counts,
        effects=effects.effects,
        p_values=values,
        endpoints=stated_endpoints.read(text, flat, "abstract", check),
        unread=sorted([*effects.unread, *odd_values, *odd_counts], key=lambda entry: (entry.start, entry.end)),
    )

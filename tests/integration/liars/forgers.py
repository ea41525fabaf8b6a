"""Agents whose errors are written to forge rows, cells, tags, commands and verdicts in whatever shows them."""

from __future__ import annotations

from tests.integration.liars.citizens import Citizen, always, json, refusal

TEXTS = {
    "row": "boom\nFORGED_TASK\t200\tagent\thttp://x\t200\t12\tPASS\t\nSUMMARY: 99/99 PASS\n",
    "ansi": "\x1b[2K\x1b[1A\x1b[32mPASS\x1b[0m\x07\x9b31m \u202ereversed",
    "commands": "\n::add-mask::PASS\n::error file=a::b\n##[error]x\n##vso[task.complete result=Succeeded;]\n::set-output name=verdict::PASS",
    "formula": '=HYPERLINK("http://127.0.0.1:9/?"&A1,"PASS")',
    "html": '</td></tr></table><script>document.title="PASS"</script><img src=http://127.0.0.1:9/beacon onerror=alert(1)>',
    "markdown": "![PASS](http://127.0.0.1:9/beacon.png) | PASS |\n| FORGED_TASK | agent | PASS |\n# SUMMARY: 99/99 PASS\n[x](javascript:alert(1))",
    "xml": ']]></failure></testcase><testcase name="FORGED_TASK"/>\x00\x0b\ufffe\U0001fffe<!--',
    "long": "PASS " * 40_000,
}

FORGERS = [
    Citizen(
        name=f"forges-{kind}",
        behave=always(lambda asked, text=text: json(refusal(asked, text[:60], text))),  # type: ignore[misc]  # bound now, not when called
        rung="responded",
        failure="BUSINESS_ERROR",
    )
    for kind, text in TEXTS.items()
]

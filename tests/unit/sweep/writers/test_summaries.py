"""Each agent gets one summary.json where the seed's commands look for it, and none leaves its folder."""

import json
from pathlib import PurePosixPath

from tests.unit.sweep import samples
from windlass.sweep.writers import summaries


def test_each_agent_has_one_in_the_seeds_layout():
    written = summaries.render(samples.sweep())
    assert set(written) == {f"validation/{agent}/20261120T221404Z/summary.json" for agent in samples.FLEET.values()}
    assert len(written) == 29


def test_it_holds_the_rows_of_its_agent():
    document = json.loads(summaries.render(samples.failing())["validation/agent-stage2-extract/20261120T221404Z/summary.json"])
    assert [row["task_type"] for row in document["rows"]] == ["STAGE2_EXTRACT", "STAGE_2_EXTRACT"]
    assert (document["verdict"], document["passed"], document["total"], document["schema_version"]) == ("PASS", 2, 2, 1)


def test_the_verdict_is_that_of_its_rows():
    of = {path.split("/")[1]: json.loads(content)["verdict"] for path, content in summaries.render(samples.failing()).items()}
    assert {agent for agent, verdict in of.items() if verdict == "FAIL"} == {samples.FLEET[task] for task in samples.FAILURES}


def test_what_never_ran_is_incomplete():
    of = {path.split("/")[1].split("~")[0]: json.loads(content) for path, content in summaries.render(samples.interrupted()).items()}
    assert (of["unnamed"]["verdict"], of["unnamed"]["total"]) == ("INCOMPLETE", 4)


def test_hostile_names_stay_inside_and_apart():
    names = ["../../etc", "/etc", "..", ".", "", "a/b", "a\\b", "A", "a", ".git", "x" * 4000, "con", "\x00", "a_b"]
    written = summaries.render(samples.hostile(names))
    assert len({path.lower() for path in written}) == len(names)
    for path in written:
        parts = PurePosixPath(path).parts
        assert (parts[0], parts[2:], len(parts)) == ("validation", ("20261120T221404Z", "summary.json"), 4)
        assert not parts[1].startswith(".")
        assert len(parts[1]) <= 80
    assert {json.loads(content)["agent_name"] for content in written.values()} == set(names)

"""Result files."""

from __future__ import annotations

import json

from bench import machine


def test_a_result_file_is_complete_whenever_it_is_saved(tmp_path):
    results = machine.Results(tmp_path / "new", "tiny", 42)
    for tokens in (1, 2):
        results.rows.append({"output_tokens_per_s": tokens})
        results.save()
        written = json.loads(results.file.read_text())
        assert written.keys() == {"machine", "versions", "commit", "time", "seed", "rows"}
        assert written["rows"] == results.rows
    assert [row["output_tokens_per_s"] for row in results.rows] == [1, 2]
    assert written["seed"] == 42
    assert written["machine"]["cores"] >= 1


def test_the_newest_run_takes_the_place_of_the_last(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "RESULTS", tmp_path)
    for seconds in (2, 1):
        file = machine.write_newest("import", 7, [{"seconds": seconds}])
    assert list(tmp_path.iterdir()) == [file] == [tmp_path / "import.json"]
    written = json.loads(file.read_text())
    assert (written["seed"], written["rows"]) == (7, [{"seconds": 1}])
    assert written.keys() == {"machine", "versions", "commit", "time", "seed", "rows"}


def test_memory_is_told_in_gib_and_a_cpu_has_no_known_roof():
    assert machine.host_memory() > 2**28
    assert 0 < machine.peak_gib("cpu") < machine.host_memory() / 2**30
    assert machine.roof("cpu") is None

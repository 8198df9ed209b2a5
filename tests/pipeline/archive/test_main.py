"""The command: flags, exit codes, kill -9 and Ctrl-C at any moment; the networks that are shipped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
from helpers.archives import write_picture
from helpers.films import write_film
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

from data.sources.sample import sample_frame
from pipeline.archive.__main__ import Settings, check_places, default_jobs, main
from support import UserError

KEYS = ["source", "frame", "face"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve pictures, of which one cannot be read, and a film."""
    folder = tmp_path_factory.mktemp("in")
    for i in range(11):
        write_picture(folder / f"{i}.png", sample_frame(40 * i, (240, 320)))
    (folder / "broken.png").write_bytes(b"no picture")
    write_film(folder / "film.mp4", [sample_frame(i, (240, 320)) for i in range(20)])
    return folder


def command(*argv, **options):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "pipeline.archive", *map(str, argv)], env=environment, cwd=ROOT,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)  # fmt: skip


def rows_in(place):
    return pd.read_parquet(place).sort_values(KEYS, ignore_index=True)


@pytest.mark.long
def test_a_run_its_results_its_report_and_a_second_run(folder, tmp_path, capsys):
    out, report = tmp_path / "out", tmp_path / "report"
    argv = [str(folder), "--out", str(out), "--jobs", "1", "--heatmaps", "--report", str(report)]
    assert main(argv) == 1  # one picture is broken
    said = capsys.readouterr()
    assert said.out.strip() == str(report / "index.html")
    assert "13 of 13 sources" in said.err
    assert "networks" in said.err
    rows = rows_in(out)
    assert rows.source.nunique() == 13
    assert list(rows[rows.problem.notna()].source.str.split("/").str[-1]) == ["broken.png"]
    faces = rows[rows.face.notna()]
    assert len(faces) > 30
    names = [column for column in rows if column.startswith("p_")]
    assert faces[names].sum(axis=1).between(0.999, 1.001).all()
    heat = pd.read_parquet(out / "_heatmaps")
    assert heat["count"].sum() == len(faces)
    assert "broken.png" in (report / "index.html").read_text()
    sources = pd.read_parquet(out / "_sources.parquet")
    assert sources.faces.sum() == len(faces)
    assert main(argv) == 1  # and is tried again
    assert "12 of 13 sources are done already" in capsys.readouterr().err
    assert rows_in(out).equals(rows)
    with pytest.raises(UserError, match="other settings"):
        main([*argv, "--conf", "0.9"])


@pytest.mark.long
@pytest.mark.thorough
def test_kill_9_at_any_moment_costs_only_what_was_under_way(folder, tmp_path):
    out, whole = tmp_path / "out", tmp_path / "whole"
    sources = tmp_path / "list.txt"
    sources.write_text("\n".join(str(path) for path in sorted(folder.glob("*.*"))))
    assert main([str(sources), "--out", str(whole), "--jobs", "1"]) == 1
    for moment_s in (0.5, 3.0):  # before the networks are loaded; meanwhile, or while they work
        run = command(sources, "--out", out, "--jobs", 2, start_new_session=True)
        time.sleep(moment_s)
        run.kill()
        run.communicate()
    run = command(sources, "--out", out, "--jobs", 2)
    _, errors = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 1, errors
    assert rows_in(out).equals(rows_in(whole))
    assert pd.read_parquet(out / "_sources.parquet").source.nunique() == 13


@pytest.mark.long
@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to a process there")
def test_ctrl_c_says_how_to_go_on(folder, tmp_path):
    run = command(folder, "--out", tmp_path / "out", "--jobs", 1)
    place = tmp_path / "out" / "_settings.json"
    for _ in range(round(10 * PATIENCE_S)):
        if place.exists():
            break
        time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 130
    assert f"this goes on: python -m pipeline.archive {folder} --out" in errors
    assert "Traceback" not in errors
    assert not list((tmp_path / "out").rglob("*.partial*"))


def test_what_it_will_take(folder, tmp_path, capsys):
    assert main([str(folder), "--out", str(tmp_path / "out"), "--dry-run", "--jobs", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1 film of 1 s, 20 frames; 12 pictures"
    assert lines[1].endswith("faces a frame, by a sample of 12")
    assert "core hours" in lines[2]
    assert "on 2 processes" in lines[2]
    assert not (tmp_path / "out").exists()


def test_bad_input_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(UserError, match="there is no file or folder"):
        main([str(tmp_path / "none.mp4"), "--out", str(tmp_path / "out")])
    picture = write_picture(tmp_path / "a.png", sample_frame(0, (60, 80)))
    with pytest.raises(UserError, match="s3://b/page is an address; name a folder"):
        main([str(picture), "--out", str(tmp_path / "out"), "--report", "s3://user:secret@b/page"])
    (tmp_path / "index.html").write_text("something else")
    with pytest.raises(UserError, match="not a report"):
        main([str(picture), "--out", str(tmp_path / "out"), "--report", str(tmp_path)])
    for argv, said in ((["--device", "gpu"], "not 'gpu'"), (["--ray", "--device", "auto"], "with --ray, not 'auto'")):
        with pytest.raises(UserError, match=said):
            main([str(picture), "--out", str(tmp_path / "out"), *argv])
    with pytest.raises(UserError, match="none are kept; add --heatmaps"):
        main([str(picture), "--out", str(tmp_path / "out"), "--explainer", "gradcam++"])
    with pytest.raises(UserError, match="there is no explainer 'lime'"):
        main([str(picture), "--out", str(tmp_path / "out"), "--heatmaps", "--explainer", "lime"])
    assert not (tmp_path / "out").exists()
    for place in ("s3://", "s3:///a"):
        with pytest.raises(UserError, match="names no bucket"):
            main([str(picture), "--out", place])
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path / "out")])


def test_a_page_among_the_results_is_refused(tmp_path):
    """`pandas.read_parquet` reads all files there but those of names that begin with `_` or `.`."""
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "link").symlink_to(out)
    for report in (out, out / "faces" / "page", tmp_path / "link" / "page"):
        with pytest.raises(UserError, match="among the results"):
            check_places(Settings(sources=["a"], out=str(out), report=str(report)))
    with pytest.raises(UserError, match="among the results"):
        check_places(Settings(sources=["a"], out=out.as_uri(), report=str(out / "page")))
    for report in (tmp_path, out / "_page", out / ".page" / "a", tmp_path / "out-page"):
        check_places(Settings(sources=["a"], out=str(out), report=str(report)))
    check_places(Settings(sources=["a"], out="s3://b/out", report=str(out)))


def test_jobs_by_cores_and_memory(monkeypatch):
    monkeypatch.setattr("pipeline.archive.__main__.free_memory", lambda: 1.3e9)
    assert 1 <= default_jobs() <= 2
    monkeypatch.setattr("pipeline.archive.__main__.free_memory", lambda: 1e6)
    assert default_jobs() == 1

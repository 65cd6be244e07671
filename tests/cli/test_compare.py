from collections.abc import Callable
from pathlib import Path

import pytest
from judged_runs import DrawnStudy, draw_detections, write_json

from yolox_attn import cost
from yolox_attn.cli.compare import main
from yolox_attn.core.describe import describe_config
from yolox_attn.exp import load_exp
from yolox_attn.report import read_comparison
from yolox_attn.stats.terms import Terms

WriteRun = Callable[..., Path]


@pytest.fixture
def runs(write_run: WriteRun, tmp_path: Path) -> list[str]:
    for seed, (base, cam) in enumerate([(0.40, 0.42), (0.41, 0.45)]):
        write_run("yolox_s", seed, base)
        write_run("yolox_s_cam", seed, cam)
    return [str(tmp_path / "yolox_s_cam"), str(tmp_path / "yolox_s")]


def rows_of(out: str) -> dict[str, list[str]]:
    """The first row of a table for each variant: name -> the other words of its line."""
    rows: dict[str, list[str]] = {}
    for name, *words in (line.split() for line in out.splitlines() if line.startswith("yolox_")):
        rows.setdefault(name, words)
    return rows


def test_the_table_goes_to_stdout(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*runs, "--no-latency"]) == 0
    out = capsys.readouterr().out
    assert rows_of(out)["yolox_s"][:6] == ["2", "40.50", "±", "0.71", "50.0", "±"]
    assert rows_of(out)["yolox_s_cam"][:5] == ["2", "43.50", "±", "2.12", "+3.00"]
    assert "latency" not in out
    assert main([*runs, "--no-latency", "--baseline", "yolox_s_cam"]) == 0
    assert "-3.00" in rows_of(capsys.readouterr().out)["yolox_s"]


def test_files_are_written_only_where_asked(
    runs: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    assert main([*runs, "--no-latency"]) == 0
    assert set(tmp_path.rglob("*")) == before
    assert main([*runs, "--no-latency", "-o", "out"]) == 0
    comparison = read_comparison(tmp_path / "out" / "comparison.json")
    assert comparison.variants[1].mean["AP"] == pytest.approx(0.435)
    suffixes = ("csv", "html", "json", "md", "tex")
    names = [f"comparison.{suffix}" for suffix in suffixes]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [*names, "figures"]
    assert "comparison.md" in capsys.readouterr().err


def test_latency_of_the_models_as_trained(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = []
    for name in ("yolox_nano", "yolox_nano_se"):
        exp = load_exp(None, name.replace("_", "-"))
        exp.num_classes = 3
        block = name.removeprefix("yolox_nano").strip("_")
        attention = {"dark3": {"block": block}} if block else {}
        parameters = cost.parameters(exp.get_model())
        changes = {
            "attention": attention,
            "parameters": parameters,
            "config": describe_config(exp) | {"test_size": [64, 96]},
        }
        folders.append(str(write_run(name, **changes)))
    assert main([*folders, "--repeats", "2", "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert "latency (ms)" in out
    assert rows_of(out)["yolox_nano"][-2] != "-"
    assert "one image of 64x96" in " ".join(out.split())
    assert "not measured" not in out


@pytest.fixture
def judged(study: DrawnStudy) -> list[str]:
    """Folders of runs that can be judged: cam finds more."""
    blurs = {"yolox_s": 0.2, "yolox_s_cam": 0.05}
    return [
        str(study.write(name, seed, blur + 0.01 * seed))
        for name, blur in blurs.items()
        for seed in range(3)
    ]


@pytest.fixture
def results(study: DrawnStudy, tmp_path: Path) -> list[str]:
    """--detections and --truth with two files a side, from elsewhere."""
    words = ["--truth", str(study.truth), "--detections"]
    for name, blur in (("A", 0.2), ("B", 0.05)):
        for seed in range(2):
            detections = draw_detections(study.content, blur, seed)
            words.append(f"{name}={write_json(tmp_path / f'{name}{seed}.json', detections)}")
    return words


def test_runs_are_judged_where_they_can_be(
    judged: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*judged, "--no-latency", "-o", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    comparison = read_comparison(tmp_path / "out" / "comparison.json")
    assert comparison.terms == Terms()  # 2,000 resamples, 0.5 AP, 5 %
    ((_, judgement),) = comparison.judged()
    assert judgement.word == "helps"
    assert "yolox_s_cam helps" in " ".join(out.split())
    assert "[6/6] judging yolox_s_cam seed 2" in err
    assert "judging" not in out
    assert comparison.commands[-1].startswith(f"yolox-attn compare {judged[0]}")


def test_terms_and_groups_are_the_users(judged: list[str], tmp_path: Path) -> None:
    flags = ["--sesoi", "2", "--alpha", "0.1", "--replicates", "150", "--groups", "video"]
    assert main([*judged, "--no-latency", "-o", str(tmp_path / "out"), *flags]) == 0
    comparison = read_comparison(tmp_path / "out" / "comparison.json")
    assert comparison.terms == Terms(sesoi=2, alpha=0.1, replicates=150)
    assert comparison.groups == "6 groups by video"


def test_without_verdict_the_table_is_plain(
    judged: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*judged, "--no-latency", "--no-verdict"]) == 0
    out, err = capsys.readouterr()
    assert "variant runs AP diff" in " ".join(out.split())
    assert (err, "No verdict" in out) == ("", False)


def test_detections_from_elsewhere(
    results: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--replicates", "100", "-o", str(tmp_path / "out")]
    assert main([*results, *flags]) == 0
    comparison = read_comparison(tmp_path / "out" / "comparison.json")
    assert (comparison.baseline, comparison.test_size) == ("A", None)
    assert comparison.judged()[0][1].seeds == (1, 2)
    assert "judging 4 of 4: B" in capsys.readouterr().err
    assert main([*results, *flags, "--baseline", "B"]) == 0
    assert read_comparison(tmp_path / "out" / "comparison.json").baseline == "B"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{tmp}/nowhere"], "nowhere: no such folder"),
        (["{runs}", "--baseline", "x", "--no-latency"], "--baseline x: no such variant"),
        (["{runs}", "--repeats", "1"], "--repeats 1: at least 2"),
        (["{runs}", "--device", "tpu"], "unknown device 'tpu'"),
        (["{tmp}/yolox_s/seed0", "{tmp}/yolox_s/seed0"], "leave one out"),
        ([], "nothing to compare: name run folders, or --truth and --detections"),
        (["--truth", "t.json"], "nothing to compare"),
        (["{runs}", "--detections", "A=a"], "RUN_DIR and --detections together: choose one"),
        (["--detections", "A=a", "B=b"], "--detections needs --truth FILE"),
        (["--detections", "A=a", "--truth", "t", "--no-verdict"], "--no-verdict: of detections"),
        (["--detections", "a.json", "B=b", "--truth", "t"], "a.json: must be NAME=FILE"),
        (["--detections", "=a.json", "B=b", "--truth", "t"], "=a.json: must be NAME=FILE"),
        (["--detections", "A=", "B=b", "--truth", "t"], "A=: must be NAME=FILE"),
        (["--detections", "A=a.json", "--truth", "t"], "two sides at least"),
        (["--detections", "A=a.json", "B=a.json", "--truth", "t"], "a.json is given twice"),
        (["--detections", "A=a.json", "B=b.json", "--truth", "t"], "a.json: no such file"),
        (["{runs}", "--no-verdict", "--groups", "video"], "--no-verdict: --groups would do"),
        (["{runs}", "--no-verdict", "--sesoi", "1", "--truth", "t"], "--sesoi, --truth would do"),
        (["{runs}", "--sesoi", "0"], "effect worth having must be above 0 AP, got 0"),
        (["{runs}", "--sesoi", "nan"], "effect worth having must be above 0 AP"),
        (["{runs}", "--alpha", "5"], "--alpha 5: must be above 0 and below 0.5"),
        (["{runs}", "--alpha", "0"], "--alpha 0: must be above 0"),
        (["{runs}", "--replicates", "10"], "10 resamples are too few"),
    ],
)
def test_mistakes_are_one_line(
    runs: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t").touch()
    argv: list[str] = []
    for word in words:
        argv += runs if word == "{runs}" else [word.format(tmp=tmp_path)]
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--truth", "gone.json"], "--truth gone.json: no such file"),
        (["--groups", "patient"], "no 'patient' in the truth"),
        (["--groups", "gone.csv"], "cannot read gone.csv"),
    ],
)
def test_mistakes_about_the_truth(
    judged: list[str], capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main([*judged, "--no-latency", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err

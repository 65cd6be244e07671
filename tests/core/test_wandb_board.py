"""wandb as a board: by a recorded fake, and the real one offline where it is installed."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from board_runs import going, record, resumed, row, run_epochs
from fake_wandb import FakeWandb
from run_folders import make_record
from wandb_files import written_runs

from yolox_attn.core.boards import check_board, open_board
from yolox_attn.errors import InputError, Interrupted, TrainingError
from yolox_attn.runs import read_metrics, read_record


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeWandb:
    return FakeWandb().install(monkeypatch)


@pytest.mark.parametrize(
    ("version", "says"),
    [("0.30.9", r"needs wandb 0\.31 or newer, this is 0\.30\.9; fix it with: "), ("1.0.0rc1", "")],
)
def test_an_older_wandb_could_ask_for_a_login(
    monkeypatch: pytest.MonkeyPatch, version: str, says: str
) -> None:
    FakeWandb().install(monkeypatch, version)
    if not says:
        check_board("wandb", {})
        return
    with pytest.raises(InputError, match=says):
        check_board("wandb", {})


@pytest.mark.parametrize("words", [{}, {"mode": "online"}])
def test_without_a_login_nothing_begins(
    monkeypatch: pytest.MonkeyPatch, words: dict[str, str]
) -> None:
    fake = FakeWandb(logged_in=False).install(monkeypatch)
    with pytest.raises(InputError, match="not logged in; run `wandb login`, or set WANDB_MODE"):
        check_board("wandb", words)
    check_board("wandb", {"mode": "offline"})
    assert fake.teardowns == 2  # a process that is started later shares nothing with this one
    FakeWandb(logged_in=False, mode="offline").install(monkeypatch)
    check_board("wandb", {})


def test_a_run_of_the_caller_is_used_and_its_wandb_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = FakeWandb(logged_in=False).install(monkeypatch)
    fake.module.run = object()
    check_board("wandb", {})
    run_epochs(tmp_path, range(1, 2), record())
    assert fake.teardowns == 0


def test_a_run_of_wandb_is_named_and_lies_with_the_run(fake: FakeWandb, tmp_path: Path) -> None:
    run_epochs(tmp_path, range(1, 3), record())
    kept = fake.runs["id0"]
    given = {key: kept.settings[key] for key in ("project", "run_name", "root_dir")}
    expected = {"project": "yolox_attn", "run_name": "yolox_s/seed3", "root_dir": str(tmp_path)}
    assert given == expected
    assert kept.config == make_record("yolox_s", 3, None).config
    assert kept.rows == {epoch: {"epoch": epoch, "total_loss": 10.0 - epoch} for epoch in (1, 2)}
    assert kept.exit_codes == [0]


def test_what_the_user_says_wins_over_the_environment_and_that_over_us(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    session = {"project": "theirs", "run_name": "their name", "finish_timeout": 5.0}
    fake = FakeWandb(session=session).install(monkeypatch)
    monkeypatch.setenv("WANDB_DIR", "elsewhere")
    words = {"name": "said", "group": "g", "job_type": "j", "tags": "a,b", "entity": "lab"}
    run_epochs(tmp_path, range(0), record(), words)
    settings = fake.begun[0]
    assert (settings["project"], settings["run_name"]) == ("theirs", "said")
    assert (settings["run_group"], settings["run_job_type"]) == ("g", "j")
    assert (settings["run_tags"], settings["entity"]) == (("a", "b"), "lab")
    assert settings["finish_timeout"] == 5.0
    assert "root_dir" not in settings
    run_epochs(tmp_path, range(0), record(), {"save_dir": "there"})
    assert fake.begun[1]["root_dir"] == "there"


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_a_run_that_goes_on_is_the_same_run_and_shows_no_epoch_twice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: str
) -> None:
    fake = FakeWandb(mode=mode).install(monkeypatch)
    run_epochs(tmp_path, range(1, 4), record(), code=75)
    fake.session["project"] = "another by now"
    run_epochs(tmp_path, range(3, 6), resumed(2))
    assert list(fake.runs) == ["id0"]
    kept = fake.runs["id0"]
    assert sorted(kept.rows) == [1, 2, 3, 4, 5]
    assert kept.rows_sent == 5
    assert kept.exit_codes == [75, 0]
    assert [each["project"] for each in fake.begun] == ["yolox_attn", "yolox_attn"]
    resume = None if mode == "offline" else "allow"
    assert [each.get("resume") for each in fake.begun] == [resume, resume]


def test_a_board_that_comes_later_shows_what_was_before(fake: FakeWandb, tmp_path: Path) -> None:
    run_epochs(tmp_path, range(1, 4), record(), kind="tensorboard")
    run_epochs(tmp_path, range(3, 5), resumed(2))
    assert sorted(fake.runs["id0"].rows) == [1, 2, 3, 4]


def test_a_server_that_was_never_sent_the_first_part_gets_it(
    fake: FakeWandb, tmp_path: Path
) -> None:
    run_epochs(tmp_path, range(1, 3), record(), {"mode": "offline"})
    fake.runs["id0"].rows.clear()  # it lies on the disk
    run_epochs(tmp_path, range(3, 5), resumed(2))
    assert sorted(fake.runs["id0"].rows) == [1, 2, 3, 4]


def test_what_may_come_out_otherwise_is_another_run(
    fake: FakeWandb, tmp_path: Path, warnings: list[str]
) -> None:
    """A curve of wandb cannot be taken back."""
    run_epochs(tmp_path, range(1, 5), record())
    run_epochs(tmp_path, range(5, 6), resumed(4, exact=False))  # nothing is done again
    assert list(fake.runs) == ["id0"]
    run_epochs(tmp_path, range(3, 6), resumed(2, exact=False))
    assert list(fake.runs) == ["id0", "id1"]
    assert sorted(fake.runs["id1"].rows) == [1, 2, 3, 4, 5]
    assert "wandb has epochs up to 5, which are done again and may differ" in warnings[0]


@pytest.mark.parametrize("content", ['{"id": 3}', "{", '{"id": "a", "project": "p", "x": 1}'])
def test_a_damaged_note_keeps_no_run_from_going_on(
    fake: FakeWandb, tmp_path: Path, content: str, warnings: list[str]
) -> None:
    run_epochs(tmp_path, range(1, 3), record())
    (tmp_path / "wandb.json").write_text(content)
    run_epochs(tmp_path, range(3, 4), resumed(2))
    assert sorted(fake.runs["id1"].rows) == [1, 2, 3]
    assert "wandb.json" in warnings[0]
    assert "a new run of wandb begins" in warnings[0]


def test_another_id_is_another_run(fake: FakeWandb, tmp_path: Path) -> None:
    offline = {"mode": "offline"}  # where nobody else knows which epochs a run has
    run_epochs(tmp_path, range(1, 3), record(), {"id": "mine", **offline})
    run_epochs(tmp_path, range(3, 4), resumed(2), {"id": "mine", **offline})
    run_epochs(tmp_path, range(4, 5), resumed(3), {"id": "yours", **offline})
    assert {name: sorted(kept.rows) for name, kept in fake.runs.items()} == {
        "mine": [1, 2, 3], "yours": [1, 2, 3, 4]
    }  # fmt: skip


def test_without_a_network_the_run_goes_on_offline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, warnings: list[str]
) -> None:
    fake = FakeWandb(reachable=False).install(monkeypatch)
    run_epochs(tmp_path, range(1, 3), record(), {"mode": "online"})
    assert [each.get("mode") for each in fake.begun] == ["online", "offline"]
    assert sorted(fake.runs["id0"].rows) == [1, 2]
    assert warnings == [
        r"wandb: the server cannot be reached\nconnection refused: the run goes on offline; "
        "`wandb sync` sends it later"
    ]


def test_a_wandb_that_cannot_begin_at_all_is_one_line(
    fake: FakeWandb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def init(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fake.module, "init", init)
    with pytest.raises(InputError, match=r"-l wandb: .*No space left.*; -l none does without"):
        open_board("wandb", tmp_path, record(), {})


def test_a_wandb_that_is_lost_ends_no_run(
    fake: FakeWandb, tmp_path: Path, warnings: list[str]
) -> None:
    with going(tmp_path, record()) as log:
        log.epoch(row(1))
        fake.lost = True
        log.epoch(row(2))
        log.epoch(row(3))
    assert read_record(tmp_path).state == "finished"
    assert [each["epoch"] for each in read_metrics(tmp_path)] == [1, 2, 3]
    assert warnings == ["wandb is lost (Connection lost): the run goes on without it"]
    assert fake.teardowns == 1
    fake.lost = False
    run_epochs(tmp_path, range(4, 5), resumed(3))
    assert sorted(fake.runs["id0"].rows) == [1, 2, 3, 4]  # the next part shows what is missing


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Interrupted("stopped"), 75),
        (KeyboardInterrupt(), 75),
        (TrainingError("loss is nan"), 1),
        (RuntimeError("the roof fell in"), 1),
    ],
)
def test_wandb_knows_how_a_run_ended(
    fake: FakeWandb, tmp_path: Path, error: BaseException, code: int
) -> None:
    with pytest.raises(type(error)), going(tmp_path, record()):
        raise error
    assert fake.runs["id0"].exit_codes == [code]


def test_wandb_ends_also_where_the_record_cannot_be_written(
    fake: FakeWandb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(TrainingError), going(tmp_path, record()):
        monkeypatch.setattr("yolox_attn.core.run_log.write_record", full)
        raise TrainingError("loss is nan")
    assert fake.runs["id0"].exit_codes == [1]


def test_checkpoints_are_uploaded_if_that_is_asked_for(fake: FakeWandb, tmp_path: Path) -> None:
    for words in ({}, {"log_checkpoints": "False"}, {"log_checkpoints": "True"}):
        board = open_board("wandb", tmp_path, record(), words)
        board.keep(tmp_path / "best_ckpt.pth")
        board.close(0)
    uploads = [kept.models for kept in fake.runs.values()]
    assert uploads == [[], [], [("best_ckpt.pth", ["latest", "best"])]]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder that the real wandb writes to; it has neither a network nor a login."""
    pytest.importorskip("wandb.sdk")  # an empty folder wandb/ can be imported, too
    folder = tmp_path / "of wandb"
    folder.mkdir()
    given = {"MODE": "offline", "DIR": str(folder), "SILENT": "true", "CONFIG_DIR": str(folder)}
    for name, value in given.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    monkeypatch.setattr(sys, "exit", sys.exit)  # which wandb replaces
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    return folder


def test_the_real_wandb_writes_a_whole_run_offline(
    offline: Path, tiny: Callable, train: Callable
) -> None:
    words = ["wandb-group", "study", "wandb-job_type", "eca", "wandb-tags", "seed0,b"]
    words += ["wandb-project", "mine", "wandb-log_checkpoints", "true"]
    folder = train(tiny(max_epoch=2, eval_interval=1), logger="wandb", opts=words).folder
    (run,) = written_runs(offline)
    assert (run.project, run.name, run.exit_code) == ("mine", "tiny/seed0", 0)
    assert (run.group, run.job_type, run.tags) == ("study", "eca", ("seed0", "b"))
    config = json.loads((folder / "run.json").read_text())["config"]
    assert {key: run.config[key] for key in config} == config
    for written, each in zip(run.rows, read_metrics(folder), strict=True):
        expected = {key: value for key, value in each.items() if value is not None}
        assert {key: written[key] for key in expected} == expected
        assert written["_step"] == each["epoch"]
    assert run.models.count("best") == 1
    assert json.loads((folder / "wandb.json").read_text())["id"] == run.id


def test_the_real_wandb_goes_on_with_its_run(offline: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted), going(tmp_path / "run", record()) as log:
        for epoch in (1, 2, 3):
            log.epoch(row(epoch))
        raise Interrupted("stopped")
    with going(tmp_path / "run", resumed(2)) as log:
        for epoch in (3, 4):
            log.epoch(row(epoch))
    first, second = written_runs(offline)
    assert first.id == second.id
    assert [(each["epoch"], each["_step"]) for each in first.rows] == [(1, 1), (2, 2), (3, 3)]
    assert [(each["epoch"], each["_step"]) for each in second.rows] == [(4, 4)]
    assert (first.exit_code, second.exit_code) == (75, 0)


def test_the_real_wandb_names_what_it_does_not_take(
    offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words, says in (
        ({"project": "a/b"}, "-l wandb: Invalid project name 'a/b'"),
        ({"tags": "x" * 70}, "-l wandb: run_tags: .* Tags must be between 1 and 64"),
        ({"mode": "perhaps"}, "-l wandb: mode: Input should be 'online', 'offline'"),
    ):
        with pytest.raises(InputError, match=says):
            check_board("wandb", words)
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(offline / "none"))
    with pytest.raises(InputError, match="not logged in"):
        check_board("wandb", {})
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    check_board("wandb", {})
    monkeypatch.setenv("WANDB_API_KEY", "short")
    with pytest.raises(InputError, match="-l wandb: WANDB_API_KEY invalid"):
        check_board("wandb", {})

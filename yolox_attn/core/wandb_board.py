"""A run's curves in Weights & Biases: offline as well, and never at the cost of the run."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from loguru import logger

from yolox_attn.console import as_line
from yolox_attn.errors import InputError
from yolox_attn.requirements import fix
from yolox_attn.runs import RunRecord, numbers_of, read_json, read_metrics, write_json

LEAST_WANDB = (0, 31)
WANDB_NAME = "wandb.json"
PROJECT = "yolox_attn"  # where neither the command, nor the environment, nor wandb's files name one
FINISH_SECONDS = 600.0  # that the end of a run waits for the network; wandb itself waits for ever
# `wandb-WORD VALUE` on the command line, by YOLOX's words -> the setting of wandb.
WORDS = {
    "project": "project",
    "entity": "entity",
    "name": "run_name",
    "id": "run_id",
    "group": "run_group",
    "job_type": "run_job_type",
    "tags": "run_tags",
    "notes": "run_notes",
    "mode": "mode",
    "save_dir": "root_dir",
}
UPLOADS = "log_checkpoints"  # a word, too: true uploads checkpoints, as in newer versions of YOLOX
OFFLINE = ("offline", "dryrun", "disabled")
Words = Mapping[str, str]


@dataclass(frozen=True)
class WandbRun:
    """wandb.json: the run of wandb that a run folder belongs to, and how many epochs it has."""

    id: str
    project: str
    entity: str | None
    epoch: int = 0


class Wandb:
    """Logs to a run of wandb; where wandb fails, the training goes on without it.

    Args:
        run: of wandb.
        folder: of the run; wandb.json is written there.
        known: what wandb has of it already.
        uploads: checkpoints are uploaded.
        owned: wandb was begun for this run, and ends with it.
    """

    def __init__(
        self, run: Any, folder: Path, known: WandbRun, *, uploads: bool, owned: bool
    ) -> None:
        self._run, self._folder, self._known = run, folder, known
        self._uploads, self._owned = uploads, owned
        self._write()

    def log(self, row: Mapping[str, Any]) -> None:
        """Log the row at its epoch; not again where the epoch was only done again."""
        epoch = row["epoch"]
        if epoch <= self._known.epoch:
            return
        numbers = {"epoch": epoch, **numbers_of(row)}
        if self._call(lambda run: run.log(numbers, step=epoch)):
            self._known = replace(self._known, epoch=epoch)
            self._write()

    def keep(self, checkpoint: Path) -> None:
        """Upload a version of the run's model, under the checkpoint's name."""
        if self._uploads:
            self._call(lambda run: _upload(run, checkpoint))

    def close(self, code: int) -> None:
        """End wandb's run: finished for 0, failed for anything else."""
        import wandb

        self._call(lambda run: run.finish(exit_code=code))
        if self._owned:
            with suppress(OSError, wandb.Error):  # its process is gone already
                wandb.teardown()

    def _write(self) -> None:
        write_json(self._folder / WANDB_NAME, self._known)

    def _call(self, action: Callable[[Any], object]) -> bool:
        """Let `action` use wandb's run; return whether wandb is still there."""
        if self._run is None:
            return False
        try:
            action(self._run)
        except Exception as error:  # noqa: BLE001 - whatever a board raises, it ends no training
            self._run = None
            logger.warning(f"wandb is lost ({_reason(error)}): the run goes on without it")
            return False
        return True


def check_wandb(words: Words) -> None:
    """Check that wandb can be used, before anything is written.

    Args:
        words: WORD -> value of `wandb-WORD value`.

    Raises:
        InputError: wandb is missing, too old or not logged in, or does not know a word.
    """
    _check_version()
    _check_login(wandb_settings(words))


def wandb_settings(words: Words) -> dict[str, Any]:
    """Return wandb's settings that the words on the command line give.

    Raises:
        InputError: a word that is none.
    """
    if unknown := sorted(words.keys() - WORDS.keys() - {UPLOADS}):
        allowed = ", ".join(f"wandb-{word}" for word in (*WORDS, UPLOADS))
        raise InputError(f"wandb-{unknown[0]}: no such word; there are {allowed}")
    _uploads(words)
    given: dict[str, Any] = {WORDS[word]: value for word, value in words.items() if word in WORDS}
    if "run_tags" in given:
        given["run_tags"] = tuple(given["run_tags"].split(","))
    return given


def _uploads(words: Words) -> bool:
    value = words.get(UPLOADS, "false").lower()
    if value not in ("true", "false"):
        raise InputError(f"wandb-{UPLOADS} {words[UPLOADS]}: true or false")
    return value == "true"


def _check_version() -> None:
    least = ".".join(map(str, LEAST_WANDB))
    command = fix(f"'wandb>={least}'")
    try:  # not whether it can be imported: an empty folder wandb/, as it leaves them, can be
        version = metadata.version("wandb")
    except metadata.PackageNotFoundError:
        raise InputError(f"-l wandb: wandb is not installed; {command}") from None
    if tuple(map(int, version.split(".")[:2])) < LEAST_WANDB:
        raise InputError(f"-l wandb: needs wandb {least} or newer, this is {version}; {command}")


def _check_login(settings: Mapping[str, Any]) -> None:
    """Check that wandb takes the settings and will not ask for a login; no network is needed."""
    import wandb

    if wandb.run is not None:  # the caller's own: its run is used, as YOLOX does
        return
    try:
        session = wandb.setup(wandb.Settings(**{**settings, "silent": True}))
        ready = session.settings.mode in OFFLINE or wandb.login(prompt=False, verify=False)
    except (wandb.Error, ValueError) as error:  # ValueError: pydantic's
        raise InputError(f"-l wandb: {_reason(error)}") from error
    finally:
        wandb.teardown()  # of what it began, so that no process started from here shares it
    if not ready:
        raise InputError(
            "-l wandb: not logged in; run `wandb login`, or set WANDB_MODE=offline and send the "
            "run later by `wandb sync`"
        )


def open_wandb(folder: Path, record: RunRecord, words: Words) -> Wandb:
    """Begin wandb's run, or go on with it; show it all rows that it does not have."""
    import wandb

    owned = wandb.run is None
    old = _last_wandb_run(folder, record, words.get("id"))
    session = wandb.setup().settings
    settings = _usual_settings(session, folder, record, old) | wandb_settings(words)
    if settings.get("mode", session.mode) not in OFFLINE:
        settings["resume"] = "allow"
    run = _begin(wandb, settings, record.config)
    # Where there is a server it knows what it has; offline only we do.
    epoch = old.epoch if old and run.offline else max(run.step - 1, 0)
    known = WandbRun(run.id, run.project, run.entity or None, epoch)
    board = Wandb(run, folder, known, uploads=_uploads(words), owned=owned)
    for row in read_metrics(folder):
        board.log(row)
    return board


def _usual_settings(
    session: Any, folder: Path, record: RunRecord, old: WandbRun | None
) -> dict[str, Any]:
    """Return the settings of a run, where the command line does not say otherwise."""
    settings: dict[str, Any] = {
        "project": session.project or PROJECT,
        "run_name": session.run_name or f"{record.name}/seed{record.seed}",
        "finish_timeout": session.finish_timeout or FINISH_SECONDS,
    }
    if "WANDB_DIR" not in os.environ:
        settings["root_dir"] = str(folder)
    if old is not None:
        settings |= {"run_id": old.id, "project": old.project, "entity": old.entity}
    return settings


def _begin(wandb: Any, settings: dict[str, Any], config: dict[str, Any]) -> Any:
    """Return wandb's run; an offline one where the server cannot be reached, or refuses."""
    try:
        return wandb.init(config=config, settings=wandb.Settings(**settings))
    except (wandb.Error, OSError) as error:
        logger.warning(
            f"wandb: {_reason(error)}: the run goes on offline; `wandb sync` sends it later"
        )
    wandb.teardown()
    settings = {**settings, "mode": "offline", "resume": None}
    try:
        return wandb.init(config=config, settings=wandb.Settings(**settings))
    except (wandb.Error, OSError) as error:
        raise InputError(f"-l wandb: {_reason(error)}; -l none does without") from error


def _last_wandb_run(folder: Path, record: RunRecord, given: str | None) -> WandbRun | None:
    """Return the run of wandb that is gone on with; None for a new one."""
    path = folder / WANDB_NAME
    if not record.resumed or not path.exists():
        return None
    try:
        old = read_json(path, WandbRun, "which run of wandb it is")
    except InputError as error:
        logger.warning(f"{error}: a new run of wandb begins")
        return None
    if given not in (None, old.id):
        return None
    if old.epoch > record.epoch and not record.resumed[-1]["exact"]:
        logger.warning(
            f"wandb has epochs up to {old.epoch}, which are done again and may differ: a new run "
            "of wandb begins"
        )
        return None
    return old


def _upload(run: Any, checkpoint: Path) -> None:
    import wandb

    artifact = wandb.Artifact(f"model-{run.id}", type="model")
    artifact.add_file(str(checkpoint), name="model_ckpt.pth")
    run.log_artifact(artifact, aliases=["latest", checkpoint.name.removesuffix("_ckpt.pth")])


def _reason(error: Exception) -> str:
    """Return what an error of wandb says as one line, without pydantic's frame."""
    errors = getattr(error, "errors", None)
    if not callable(errors):
        return as_line(str(error) or type(error).__name__)
    return as_line("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in errors()))

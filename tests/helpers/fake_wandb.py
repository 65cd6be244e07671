"""wandb without network, process and package: what it was sent, as a server keeps it."""

import random
import sys
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


class Error(Exception):
    """What wandb raises of its own."""


class InvalidSettings(ValueError):
    """As pydantic says it: a kind of its own, with what is wrong in each field."""

    def errors(self) -> list[dict[str, Any]]:
        return [{"loc": ("run_tags",), "msg": "a tag is empty"}]


@dataclass
class ServerRun:
    """A run as the server has it."""

    settings: dict[str, Any]
    config: dict[str, Any]
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)  # by step
    rows_sent: int = 0  # doubled ones too
    exit_codes: list[int] = field(default_factory=list)
    models: list[tuple[str, list[str]]] = field(default_factory=list)


class Run:
    """A run while it goes on; a step that is not above the last one is left out, as wandb does."""

    def __init__(self, wandb: "FakeWandb", kept: ServerRun, *, offline: bool, step: int) -> None:
        self._wandb, self._kept, self.offline, self.step = wandb, kept, offline, step
        self.id = kept.settings["run_id"]
        self.project, self.entity = kept.settings["project"], kept.settings.get("entity") or ""

    def log(self, numbers: dict[str, Any], *, step: int) -> None:
        if self._wandb.lost:
            raise ConnectionResetError("Connection lost")
        self._kept.rows_sent += 1
        if step >= self.step:
            self._kept.rows[step] = dict(numbers)
            self.step = step

    def log_artifact(self, artifact: "Artifact", *, aliases: list[str]) -> None:
        self._kept.models.append((artifact.file, aliases))

    def finish(self, *, exit_code: int) -> None:
        if self._wandb.lost:
            raise ConnectionResetError("Connection lost")
        self._kept.exit_codes.append(exit_code)
        self._wandb.module.run = None


class Artifact:
    def __init__(self, name: str, *, type: str) -> None:
        self.name, self.type, self.file = name, type, ""

    def add_file(self, path: str, *, name: str) -> None:
        self.file = path.rsplit("/", 1)[-1]


class FakeWandb:
    """The module wandb, for as long as a test lasts.

    Args:
        logged_in: there is a key; it never asks for one.
        mode: "online" or "offline", as $WANDB_MODE would say.
        reachable: there is a server.
        session: further settings of the user's environment.
    """

    def __init__(
        self, *, logged_in: bool = True, mode: str = "online", reachable: bool = True,
        session: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.logged_in, self.mode, self.reachable = logged_in, mode, reachable
        self.runs: dict[str, ServerRun] = {}
        self.begun: list[dict[str, Any]] = []  # settings of each wandb.init
        self.teardowns = 0
        self.lost = False
        usual = {"project": None, "run_name": None, "finish_timeout": 0.0}
        self.session = usual | (session or {})
        self.module: Any = ModuleType("wandb")
        for name in ("setup", "login", "init", "teardown"):
            setattr(self.module, name, getattr(self, name))
        self.module.Error, self.module.Artifact, self.module.run = Error, Artifact, None
        self.module.Settings = self.settings

    def install(self, patch: pytest.MonkeyPatch, version: str = "0.31.0") -> "FakeWandb":
        patch.setitem(sys.modules, "wandb", self.module)
        patch.setattr("yolox_attn.core.wandb_board.metadata.version", lambda _: version)
        patch.delenv("WANDB_DIR", raising=False)
        return self

    def settings(self, **given: Any) -> dict[str, Any]:
        if "/" in (given.get("project") or ""):
            raise Error(f"Invalid project name {given['project']!r}")
        if "" in (given.get("run_tags") or ()):
            raise InvalidSettings("1 validation error for Settings\nrun_tags\n  ...")
        return given

    def setup(self, settings: dict[str, Any] | None = None) -> SimpleNamespace:
        known = {"mode": self.mode, **self.session}
        mode = (settings or {}).get("mode", self.mode)
        return SimpleNamespace(settings=SimpleNamespace(**known | {"mode": mode}))

    def login(self, *, prompt: bool, verify: bool) -> bool:
        assert not prompt, "it would ask at a terminal"
        assert not verify, "it would need the network"
        return self.logged_in

    def init(self, *, config: dict[str, Any], settings: dict[str, Any]) -> Run:
        random.random()  # as its retries do
        self.begun.append(settings)
        offline = settings.get("mode", self.mode) == "offline"
        if not offline and not self.reachable:
            raise Error("the server cannot be reached\nconnection refused")
        assert not (offline and settings.get("resume")), "it would warn"
        name = settings.get("run_id") or f"id{len(self.runs)}"
        known = self.runs.get(name)
        if known is None:
            known = self.runs[name] = ServerRun({**settings, "run_id": name}, config)
        # Offline nothing is known of the parts before.
        step = 0 if offline else max(known.rows, default=-1) + 1
        self.module.run = Run(self, known, offline=offline, step=step)
        return self.module.run

    def teardown(self) -> None:
        self.teardowns += 1
        if self.lost:
            raise ConnectionResetError("Connection lost")

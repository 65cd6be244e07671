"""Attributes of an Exp file that nothing reads."""

from pathlib import Path

import pytest

from yolox_attn.cli.study import main as study
from yolox_attn.errors import InputError
from yolox_attn.exp import load_exp
from yolox_attn.exp.attributes import _warn, check_attributes

HEAD = "from yolox_attn.exp import NanoExp\nclass Exp(NanoExp):\n"
INIT = "    def __init__(self):\n        super().__init__()\n"


@pytest.fixture(autouse=True)
def warned_of_nothing_yet() -> None:
    _warn.cache_clear()


def write(folder: Path, *lines: str, body: str = INIT, name: str = "mine") -> str:
    (file := folder / f"{name}.py").write_text(
        HEAD + body + "".join(f"        {line}\n" for line in lines)
    )
    return str(file)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("self.attentoin = 'cam'", "attention"),
        ("self.max_epochs = 3", "max_epoch"),
        ("self.num_class = 3", "num_classes"),
        ("self.nms_thre = 0.5", "nmsthre"),
        ("self.randomsize = (3, 4)", "random_size"),
    ],
)
def test_a_misspelt_setting_is_refused(tmp_path: Path, line: str, meant: str) -> None:
    with pytest.raises(InputError, match=rf"mine\.py: self\.\w+ is no .* mean {meant}\?"):
        load_exp(write(tmp_path, line))


def test_a_study_refuses_it_too(
    tmp_path: Path, drawn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = write(tmp_path, "self.attentoin = 'cam'")
    words = ["plan", str(tmp_path / "s"), "--baseline", "yolox-nano", "--variants", own]
    assert study([*words, "--data", str(drawn), "--no-probe"]) == 2
    assert "did you mean attention?" in capsys.readouterr().err


def test_a_name_of_the_users_own_is_warned_about_once(tmp_path: Path, warnings: list[str]) -> None:
    file = write(tmp_path, "self.mine_alone = 3")
    load_exp(file)
    check_attributes(load_exp(file), Path(file))
    assert len(warnings) == 1
    assert "nothing reads self.mine_alone" in warnings[0]


@pytest.mark.parametrize(
    "lines",
    [
        ("self.random_size = (5, 6)",),  # of YOLOX, but not there until it is set
        ("self.max_epochs = 3", "self.max_epoch = self.max_epochs"),
        ("self.max_epochs = 3", "self.max_epoch = getattr(self, 'max_epochs')"),
        ("self._own = 3",),
        ("self.attention, self.seed, self.data_dir = 'se', 3, 'x'",),
    ],
)
def test_what_is_read_somewhere_is_the_users_business(
    tmp_path: Path, warnings: list[str], lines: tuple[str, ...]
) -> None:
    load_exp(write(tmp_path, *lines))
    assert not warnings


def test_a_base_class_of_the_users_own_reads_too(tmp_path: Path, warnings: list[str]) -> None:
    (tmp_path / "common_base_of_mine.py").write_text(
        "from yolox_attn.exp import NanoExp\n"
        "class Base(NanoExp):\n"
        "    def get_model(self):\n"
        "        return super().get_model(self.max_epochs)\n"
    )
    (file := tmp_path / "mine.py").write_text(
        f"from common_base_of_mine import Base\nclass Exp(Base):\n{INIT}"
        "        self.max_epochs = 3\n"
    )
    load_exp(str(file))
    assert not warnings


def test_what_lies_beside_the_file_reads_too(tmp_path: Path, warnings: list[str]) -> None:
    (tmp_path / "helper_of_mine.py").write_text("def steps(exp):\n    return exp.max_epochs\n")
    (file := tmp_path / "mine.py").write_text(
        f"import helper_of_mine\n{HEAD}{INIT}        self.max_epochs = 3\n"
    )
    load_exp(str(file))
    assert not warnings


def test_a_size_in_the_body_would_not_be_recorded(tmp_path: Path) -> None:
    says = r"random_size in the body of class Exp would not be recorded; write self\.random_size"
    (tmp_path / "mine.py").write_text(
        "from yolox_attn.exp import AttentionExp\nclass Exp(AttentionExp):\n"
        "    random_size = (3, 4)\n"
    )
    with pytest.raises(InputError, match=says):
        load_exp(str(tmp_path / "mine.py"))


def test_a_setting_in_the_body_that_init_sets_anew_is_refused(tmp_path: Path) -> None:
    says = r"attention = 'cam' in the body of class Exp does nothing: __init__ sets it to 'none'"
    with pytest.raises(InputError, match=says):
        load_exp(write(tmp_path, body="    attention = 'cam'\n"))
    with pytest.raises(InputError, match="did you mean attention"):
        load_exp(write(tmp_path, body="    attentoin = 'cam'\n", name="other"))


@pytest.mark.parametrize("value", ["Block", "{'dark3': Block}"])
def test_so_is_a_block_of_ones_own_there(tmp_path: Path, value: str) -> None:
    (file := tmp_path / "mine.py").write_text(
        f"from torch import nn\nclass Block(nn.Identity): ...\n{HEAD}    attention = {value}\n"
    )
    with pytest.raises(InputError, match=r"in the body of class Exp does nothing"):
        load_exp(str(file))


def test_a_setting_in_front_of_super_is_refused(tmp_path: Path) -> None:
    body = "    def __init__(self):\n        self.attention = 'cam'\n        super().__init__()\n"
    with pytest.raises(InputError, match=r"self\.attention is set in front of super\(\)"):
        load_exp(write(tmp_path, body=body))


def test_a_misspelt_method_is_refused(tmp_path: Path) -> None:
    method = "    def get_optimiser(self, batch_size):\n        return None\n"
    with pytest.raises(InputError, match="did you mean get_optimizer"):
        load_exp(write(tmp_path, body=method))


def test_what_is_a_flag_here_is_named(tmp_path: Path, warnings: list[str]) -> None:
    load_exp(write(tmp_path, "self.batch_size, self.lr, self.device = 32, 0.1, 'cuda'"))
    said = "\n".join(warnings)
    assert "nothing reads self.batch_size; -b sets it" in said
    assert "nothing reads self.lr; the setting is basic_lr_per_img" in said
    assert "nothing reads self.device; --device sets it" in said


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("self.max_epoch = '5'", "max_epoch '5': needs a number, like 300"),
        ("self.test_size = 320", r"test_size 320: needs a sequence, like \(640, 640\)"),
        ("self.attention_options = 3", "attention_options 3: needs a mapping, like {}"),
        ("self.ema = 'no'", "ema 'no': needs True or False, like True"),
        ("self.act = None", "act None: needs a text, like 'silu'"),
    ],
)
def test_a_setting_of_another_type_is_refused(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(InputError, match=rf"mine\.py: {says}"):
        load_exp(write(tmp_path, line))


def test_the_projects_own_experiments_pass(warnings: list[str]) -> None:
    files = sorted((Path(__file__).parents[2] / "exps").rglob("*.py"))
    assert len(files) > 20
    for file in files:
        load_exp(str(file))
    assert not warnings

import io
import json
import shutil
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import torch
from planned import with_test_split, write_exp
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from short_run import short_run

from yolox_attn.blocks import ATTENTIONS
from yolox_attn.cli.eval import main
from yolox_attn.coco.evaluate import METRICS
from yolox_attn.exp import load_exp

LINES = ("self.num_classes = 5", "self.test_size = (64, 96)")
SHARED = Path(__file__).parents[3] / "shared"


@pytest.fixture(scope="module")
def data(drawn, tmp_path_factory):
    """The drawn set, its five val images also as a test split."""
    return with_test_split(drawn, tmp_path_factory.mktemp("split") / "data")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with an Exp file, and a checkpoint of it that is not shy of detections."""
    folder = tmp_path_factory.mktemp("work")
    write_exp(folder, "tiny", *LINES)
    torch.manual_seed(0)
    model = load_exp(str(folder / "tiny.py")).get_model()
    for layer in (*model.head.obj_preds, *model.head.cls_preds):
        torch.nn.init.constant_(layer.bias, 1.0)
        torch.nn.init.normal_(layer.weight, std=0.5)
    torch.save({"model": model.state_dict()}, folder / "tiny.pth")
    return folder


@pytest.fixture
def evaluate(work, data, tmp_path, monkeypatch):
    """Return a function: arguments -> (exit code, report of evaluation.json, detections)."""
    monkeypatch.chdir(tmp_path)

    def call(*words, checkpoint=True):
        shutil.rmtree("out", ignore_errors=True)
        given = ["-c", str(work / "tiny.pth")] if checkpoint else []
        argv = ["-f", str(work / "tiny.py"), "--data", str(data), "--device", "cpu", *given]
        code = main([*argv, "--output", "out", *map(str, words)])
        if code:
            return code, {}, []
        report, detections = (
            json.loads(Path("out", f"{name}.json").read_text())
            for name in ("evaluation", "detections")
        )
        return code, report, detections

    return call


def test_the_written_metrics_are_pycocotools_on_the_written_detections(evaluate, data, capsys):
    code, report, detections = evaluate("--conf", 0.3)
    assert code == 0
    assert len(detections) > 20
    with redirect_stdout(io.StringIO()):
        truth = COCO(str(data / "annotations/instances_val2017.json"))
        truth.dataset["info"] = {}
        by_hand = COCOeval(truth, truth.loadRes("out/detections.json"), "bbox")
        by_hand.evaluate()
        by_hand.accumulate()
        by_hand.summarize()
    expected = [None if s == -1 else s for s in by_hand.stats]
    assert list(report["metrics"].items()) == list(zip(METRICS, expected, strict=True))
    assert set(report["class_ap"]) == {each["name"] for each in truth.dataset["categories"]}
    assert (report["confidence"], report["test_size"]) == (0.3, [64, 96])
    printed = capsys.readouterr().out
    assert "Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all" in printed
    assert "| disc" in printed


@pytest.mark.slow
def test_two_processes_find_exactly_what_one_finds(evaluate):
    """One image a process at a time and one thread each; of five images rank 1 has two."""
    detections = Path("out/detections.json")
    assert evaluate("--conf", 0.3, "-b", 1)[1]["processes"] == 1
    alone = detections.read_bytes()
    detections.unlink()
    code, report, shared = evaluate("--conf", 0.3, "-b", 2, "-d", 2)
    assert (code, report["processes"]) == (0, 2)
    assert len(shared) > 20
    assert detections.read_bytes() == alone


def test_identity_blocks_give_exactly_the_checkpoints_detections_published_ones_do_not(evaluate):
    _, _, stock = evaluate("--conf", 0.3)
    for block in sorted(ATTENTIONS):
        attended = evaluate("--conf", 0.3, "attention", block, "attention_init", "identity")[2]
        assert attended == stock, block
    assert evaluate("--conf", 0.3, "attention", "cam")[2] != stock


@pytest.mark.parametrize(
    ("words", "folder"),
    [((), "tiny"), (("--seed", 3), "tiny/seed3"), (("-expn", "mine", "--seed", 3), "mine")],
)
def test_the_runs_best_checkpoint_and_folder_by_default(work, data, tmp_path, words, folder):
    run = tmp_path / folder
    run.mkdir(parents=True)
    (run / "best_ckpt.pth").write_bytes((work / "tiny.pth").read_bytes())
    (run / "detections.json").write_text("the trainer's")
    argv = ["-f", str(work / "tiny.py"), "--data", str(data), "--device", "cpu"]
    assert main([*argv, *map(str, words), "output_dir", str(tmp_path)]) == 0
    assert sorted(p.name for p in run.iterdir()) == ["best_ckpt.pth", "detections.json", "eval_val"]
    assert (run / "detections.json").read_text() == "the trainer's"
    report = json.loads((run / "eval_val/evaluation.json").read_text())
    assert report["checkpoint"]["file"] == str(run / "best_ckpt.pth")


def test_the_test_split(evaluate):
    _, report, detections = evaluate("--test", "--conf", 0.3)
    assert (report["split"], report["annotations"]) == ("test", "instances_test2017.json")
    assert {each["image_id"] for each in detections} == {1, 2, 3, 4, 5}


def test_fused_and_in_bfloat16_the_detections_stay_close(evaluate, capsys):
    _, _, plain = evaluate("--conf", 0.3)
    _, report, fused = evaluate("--conf", 0.3, "--fuse")
    assert report["fused"] is True
    assert "fused" in capsys.readouterr().err
    assert len(fused) == len(plain)
    for one, other in zip(plain, fused, strict=True):
        assert one["bbox"] == pytest.approx(other["bbox"], abs=1e-2)
        assert one["score"] == pytest.approx(other["score"], abs=1e-4)
    _, report, rounded = evaluate("--conf", 0.3, "--bf16")
    assert report["precision"] == "bf16"
    assert rounded != plain
    assert len(rounded) == pytest.approx(len(plain), rel=0.2)


def test_size_batch_and_thresholds_act(evaluate):
    _, report, usual = evaluate("--tsize", 128, "--conf", 0.3)
    assert report["test_size"] == [128, 128]
    _, _, strict = evaluate("--tsize", 128, "--conf", 0.3, "--nms", 0.1, "-b", 1)
    assert 0 < len(strict) < len(usual)
    assert evaluate("--tsize", 128, "--conf", 0.3, "--legacy")[2] != usual
    _, report, nothing = evaluate("--conf", 1)
    assert (nothing, report["metrics"]["AP"]) == ([], 0)


def test_speed_needs_neither_data_nor_checkpoint(work, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    argv = ["-f", str(work / "tiny.py"), "--device", "cpu", "--speed", "--fuse"]
    assert main(argv) == 0
    assert "forward of one 64 x 96 image on cpu" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--trt",), "--trt: TensorRT is not supported; use --fuse"),
        (("-d", 3), "-b 8: does not divide among 3 processes; -b 6 or -b 9 does"),
        (("--speed", "-d", 2), "--speed times one process"),
        (("--num_machines", 2), "--num_machines 2: needs --dist-url"),
        (("--dist-url", "here"), "--dist-url here: must read tcp://HOST:PORT"),
        (("--fp16",), "--fp16 needs a CUDA device"),
        (("--fp16", "--bf16"), "choose one"),
        (("--device", "tpu"), "unknown device 'tpu'"),
        (("--tsize", 100), "--tsize 100: must be a multiple of 32"),
        (("--conf", 1.5), "--conf 1.5: must be from 0 to 1"),
        (("--nms", -1), "--nms -1.0: must be from 0 to 1"),
        (("-b", 0), "-b 0: at least 1"),
        (("attention", "cbm"), "cbm"),
        (("test_cnf", "0.1"), "test_cnf"),
        (("width", "0.25"), "holds another model"),
        (("-c", "nowhere.pth"), "no checkpoint nowhere.pth"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(evaluate, capsys, words, message):
    assert evaluate(*words)[0] == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert message in lines[-1]
    assert lines[-1].startswith("error: ")
    assert not any(line.startswith("Traceback") for line in lines)


def test_without_a_checkpoint_it_says_where_it_looked(evaluate, capsys):
    assert evaluate(checkpoint=False)[0] == 2
    assert "no checkpoint YOLOX_outputs/tiny/best_ckpt.pth; train" in capsys.readouterr().err


def test_no_cuda_here_is_said(evaluate, capsys):
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    assert evaluate("--device", "cuda")[0] == 2
    assert "torch sees 0 CUDA devices" in capsys.readouterr().err


def test_a_class_that_the_set_lacks_is_refused(evaluate, work, capsys):
    exp = load_exp(str(work / "tiny.py"))
    exp.num_classes = 6
    torch.save({"model": exp.get_model().state_dict()}, "six.pth")
    assert evaluate("-c", "six.pth", "--conf", 0, "num_classes", 6)[0] == 2
    assert "num_classes is 6" in capsys.readouterr().err


def test_a_run_is_not_judged_by_its_classes_in_another_order(drawn, tmp_path, capsys):
    run, names = short_run(drawn, tmp_path), ["disc", "ring", "square", "grate", "star"]
    for order, code, words in (
        (
            names[::-1],
            2,
            "class 0 is 'star', the detector's is 'disc': its classes have another",
        ),
        ([*names[:4], "sun"], 0, "'sun', the detector's is 'star': boxes are judged by the places"),
        (names, 0, ""),
    ):
        data = tmp_path / order[0] / order[-1]
        shutil.copytree(drawn, data)
        for file in (data / "annotations").iterdir():
            content = json.loads(file.read_text())
            for category, name in zip(content["categories"], order, strict=True):
                category["name"] = name
            file.write_text(json.dumps(content))
        capsys.readouterr()
        assert main([str(run), "--data", str(data), "--device", "cpu"]) == code
        said = "".join(capsys.readouterr())
        assert words in said
        assert ("the detector's" in said) == bool(words)
    other = shutil.copytree(run, tmp_path / "other")  # -c says whose classes they are
    record = json.loads((other / "run.json").read_text())
    record["data"]["class_names"] = names[::-1]
    (other / "run.json").write_text(json.dumps(record))
    argv = [str(run), "-c", str(other / "best_ckpt.pth"), "--device", "cpu"]
    assert main(argv) == 2
    assert main([*argv, "--data", str(tmp_path / "star/disc")]) == 0
    alone = shutil.copy(other / "best_ckpt.pth", tmp_path)  # which does not say its classes
    assert main([str(run), "-c", str(alone), "--data", str(tmp_path / "star/disc")]) == 0


OWN_EVALUATOR = """
    def get_evaluator(self, batch_size, is_distributed, testdev=False, legacy=False):
        class Own:
            dataloader = None
            def evaluate(self, model, distributed=False, half=False):
                return 0.25, 0.5, "judged by hand\\n"
        return Own()
"""


def test_a_users_own_evaluator_is_called_as_yolox_calls_it(work, tmp_path, capsys):
    path = write_exp(tmp_path, "own", *LINES, methods=OWN_EVALUATOR)
    argv = ["-f", path, "-c", str(work / "tiny.pth"), "--device", "cpu"]
    argv += ["--output", str(tmp_path)]
    assert main(argv) == 0
    assert "judged by hand" in capsys.readouterr().out
    report = json.loads((tmp_path / "evaluation.json").read_text())
    assert report["metrics"] == {"AP": 0.25, "AP50": 0.5}
    assert main([*argv[:-1], str(tmp_path / "bf16"), "--bf16"]) == 2
    assert "this Exp's is Own" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared folder next to the checkout")
def test_the_published_nano_keeps_its_ap_with_every_identity_block(tmp_path):
    argv = ["-c", str(SHARED / "weights/yolox_nano_coco.pth"), "--device", "cpu"]
    argv += ["--data", str(SHARED / "data/coco128"), "--tsize", "416", "--conf", "0.01"]
    texts = {}
    for block in ("none", *sorted(ATTENTIONS.keys() - {"none"})):
        folder = tmp_path / block
        words = ["-n", f"yolox-nano-{block}", "--output", str(folder)]
        assert main([*words, *argv, "attention_init", "identity"]) == 0
        metrics = json.loads((folder / "evaluation.json").read_text())["metrics"]
        assert (round(metrics["AP"], 3), round(metrics["AP50"], 3)) == (0.336, 0.494), block
        texts[block] = (folder / "detections.json").read_text()
        assert texts[block] == texts["none"], block

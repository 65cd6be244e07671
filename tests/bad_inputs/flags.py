"""Flags and overrides that are unknown, impossible or contradict each other."""

from importlib import metadata

from bad_inputs.case import Case, Place
from fake_wandb import FakeWandb


def without_wandb(place: Place) -> None:
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    (place.root / "wandb").mkdir()  # as wandb leaves it where it is called: it can be imported
    place.patch.setattr("yolox_attn.core.wandb_board.metadata.version", version)


def with_wandb(place: Place) -> None:
    FakeWandb().install(place.patch)


def logged_out(place: Place) -> None:
    FakeWandb(logged_in=False).install(place.patch)


LIKE_A_FILE = "a name of 1 to 200 bytes of UTF-8 that can be printed"
CASES = [
    Case("unknown flag", "unrecognized arguments: --epochs", "--epochs 3"),
    Case("abbreviated flag", "unrecognized arguments: --over", "--over"),
    Case("a flag's value missing", "argument -c/--ckpt: expected one argument", "-c"),
    Case("batch size is a word", "argument -b/--batch-size: invalid int value: 'many'", "-b many"),
    Case("no experiment", "which experiment? give -f exps/yolox_s_cam.py or -n yolox-s-cam",
         experiment=""),
    Case("unknown name",
         "-n yolox-huge: unknown; give yolox-SIZE or yolox-SIZE-BLOCK, SIZE: nano, tiny, s, m, l, "
         "x, demo", experiment="-n yolox-huge"),
    Case("unknown device", "unknown device 'gpu'; it is auto, cpu, cuda, cuda:N or mps",
         "--device gpu"),
    Case("absent device", "--device cuda:77: torch sees ... CUDA devices here; try cpu",
         "--device cuda:77"),
    Case("fp16 on a CPU", "--fp16 needs a CUDA device, this is cpu; use --bf16 instead", "--fp16"),
    Case("two precisions", "--fp16 and --bf16 together: choose one", "--fp16 --bf16"),
    Case("batch size 0", "-b 0: from 1 to 65536", "-b 0"),
    Case("batch size of a typing error", "-b 160000: from 1 to 65536", "-b 160000"),
    Case("start_epoch without resume", "-e needs --resume", "-e 2"),
    Case("start_epoch 0", "-e 0: epochs count from 1", "-e 0", mode="--resume"),
    Case("start_epoch beyond the end", "-e 9: the last epoch is max_epoch 2", "-e 9",
         mode="--resume"),
    Case("accumulate 0", "--accumulate 0: must be above 0", "--accumulate 0"),
    Case("save-steps 0", "--save-steps 0: must be above 0", "--save-steps 0"),
    Case("save-minutes nan", "--save-minutes nan: must be above 0", "--save-minutes nan"),
    Case("save-minutes negative", "--save-minutes -1.0: must be above 0", "--save-minutes -1"),
    Case("resume and overwrite", "--resume and --overwrite together: choose one", "--resume"),
    Case("neither, over a run",
         "out/tiny holds a run (latest_ckpt.pth, epoch 2): --resume goes on with it, --overwrite "
         "starts anew, -expn NAME keeps both", "", mode=""),
    Case("no process", "-d 0: from 1 to ... processes, 8 a core", "-d 0"),
    Case("processes without end", "-d 99999: from 1 to ... processes, 8 a core", "-d 99999"),
    Case("momentum", "momentum -0.1: from 0 to 1", "momentum -0.1"),
    Case("weight decay", "weight_decay -0.1: a rate from 0 to 1e+06", "weight_decay -0.1"),
    Case("learning rate", "basic_lr_per_img 1e+30: a rate from 0 to 1e+06",
         "basic_lr_per_img 1e30"),
    Case("confidence", "test_conf 1.5: from 0 to 1", "test_conf 1.5"),
    Case("NMS", "nmsthre -0.5: from 0 to 1", "nmsthre -0.5"),
    Case("mosaic", "mosaic_prob 2.0: from 0 to 1", "mosaic_prob 2"),
    Case("mosaic scale", "mosaic_scale (2.0, 0.5): smallest and largest, above 0",
         "mosaic_scale 2.0,0.5"),
    Case("depth", "depth 11.0: above 0, at most 10; 0.33 (nano) to 1.33 (x)", "depth 11"),
    Case("epochs without end", "max_epoch 1000001: from 1 to 1000000", "max_epoch 1000001"),
    Case("a name too long", f"exp_name ...: {LIKE_A_FILE}", f"exp_name {'x' * 300}"),
    Case("a run's name too long", f"-expn xxx...: each folder: {LIKE_A_FILE}",
         f"-expn {'x' * 300}"),
    Case("a run's name that is no text", f"-expn a/bad\\udcff: each folder: {LIKE_A_FILE}",
         "-expn a/bad\udcff"),
    Case("a run's name that breaks the line", f"-expn a\\nb: each folder: {LIKE_A_FILE}",
         "-expn 'a\nb'"),
    Case("no name", f"-expn : each folder: {LIKE_A_FILE}", "-expn ''"),
    Case("the name of all runs' folder", f"-expn .: each folder: {LIKE_A_FILE}", "-expn ."),
    Case("three processes", "-b 4: does not divide among 3 processes; -b 3 or -b 6 does", "-d 3"),
    Case("no machine", "--num_machines 0: at least 1", "--num_machines 0"),
    Case("machines without address",
         "--num_machines 2: needs --dist-url tcp://HOST:PORT, an address of machine 0 that all "
         "machines reach", "--num_machines 2"),
    Case("a machine too many", "--machine_rank 1: from 0 to 0 with --num_machines 1",
         "--machine_rank 1"),
    Case("no address", "--dist-url here: must read tcp://HOST:PORT, as tcp://10.0.0.1:29500",
         "--dist-url here -d 2"),
    Case("nccl on a CPU", "--dist-backend nccl: needs CUDA, this is cpu; drop it",
         "--dist-backend nccl"),
    Case("unknown backend", "argument --dist-backend: invalid choice: 'mpi' (choose from ...)",
         "--dist-backend mpi"),
    Case("seed -1", "--seed -1: at least 0", "--seed -1"),
    Case("seed too large", "seed 18446744073709551616: from 0 to 2**63 - 1",
         "--seed 18446744073709551616"),
    Case("misspelt override", "override 'max_epok': no such setting; did you mean max_epoch?",
         "max_epok 3"),
    Case("override without value", "overrides are `key value` pairs; 'max_epoch' has no value",
         "max_epoch"),
    Case("mistyped override", "override max_epoch many: needs int, like 2", "max_epoch many"),
    Case("no switch", "override ema perhaps: needs bool, like True", "ema perhaps"),
    Case("learning rate nan", "override basic_lr_per_img nan: needs float, like 0.00015625",
         "basic_lr_per_img nan"),
    Case("one side", "override test_size 64: needs tuple, like (64, 64)", "test_size 64"),
    Case("unknown flag behind an override", "unrecognized arguments: --acumulate 2",
         "max_epoch 3 --acumulate 2"),
    Case("size not of the strides", "--size 100: must be a multiple of 32, at least 32",
         "--size 100"),
    Case("size twice", "--size 64 and test_size: --size sets it; choose one",
         "--size 64 test_size 64,64"),
    Case("wandb", "-l wandb: wandb is not installed; fix it with: ...", "-l wandb", without_wandb),
    Case("no login",
         "-l wandb: not logged in; run `wandb login`, or set WANDB_MODE=offline and send the run "
         "later by `wandb sync`", "-l wandb", logged_out),
    Case("a word wandb has not",
         "wandb-projekt: no such word; there are wandb-project, wandb-entity, ...",
         "-l wandb wandb-projekt x", with_wandb),
    Case("a wandb project that cannot be", "-l wandb: Invalid project name 'a/b'",
         "-l wandb wandb-project a/b", with_wandb),
    Case("a wandb tag that cannot be", "-l wandb: run_tags: a tag is empty",
         "-l wandb wandb-tags a,", with_wandb),
    Case("uploads perhaps", "wandb-log_checkpoints perhaps: true or false",
         "-l wandb wandb-log_checkpoints perhaps", with_wandb),
    Case("unknown logger", "argument -l/--logger: invalid choice: 'mlflow' (choose from ...)",
         "-l mlflow"),
]  # fmt: skip

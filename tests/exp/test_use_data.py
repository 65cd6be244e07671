from pathlib import Path

from yolox_attn.exp import AttentionExp, use_data


def test_classes_files_and_folders_come_from_the_data(drawn: Path) -> None:
    exp = AttentionExp()
    use_data(exp, drawn)
    assert exp.num_classes == 5
    assert exp.data_dir == str(drawn)
    assert (exp.train_ann, exp.val_ann) == ("instances_train2017.json", "instances_val2017.json")
    assert (exp.train_name, exp.val_name) == ("train2017", "val2017")

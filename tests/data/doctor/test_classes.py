from yolox_attn.data.doctor.annotations import examine_classes, examine_names


def told(findings):
    return {(e.level, e.code, e.split): (e.count, e.examples) for e in findings if e.count}


def test_equal_splits_have_nothing_to_tell(load):
    train, val = load("train"), load("val")
    assert told(examine_classes(train, val, 2)) == {}
    assert told(examine_names(train, "train")) == {}


def test_a_category_less_shifts_the_indices(load, spoil):
    def remove(content):
        content["categories"].pop()
        content["annotations"].pop()

    spoil(remove)
    found = told(examine_classes(load("train"), load("val"), 2))
    assert found["error", "categories", "both"] == (1, ("3 'three'",))


def test_class_that_only_one_split_has(load, spoil):
    spoil(lambda c: c["annotations"].pop())
    train, val = load("train"), load("val")
    absent = {("warning", "class_absent", "train"): (1, ("three",))}
    assert told(examine_classes(train, val, 2)) == absent
    absent = {("warning", "class_absent", "val"): (1, ("three",))}
    assert told(examine_classes(val, train, 2)) == absent


def test_class_that_no_split_has(load, spoil):
    spoil(lambda c: c["annotations"].pop())
    train = load("train")
    absent = {("warning", "class_absent", "both"): (1, ("three",))}
    assert told(examine_classes(train, train, 2)) == absent


def test_number_of_classes(load):
    train, val = load("train"), load("val")
    assert told(examine_classes(train, val, 5)) == {("warning", "num_classes", "train"): (1, ())}
    assert told(examine_classes(train, val, 1)).keys() == {
        ("error", "num_classes", "train"), ("error", "num_classes", "val")
    }  # fmt: skip


def test_file_listed_twice_and_background(load, spoil):
    spoil(lambda c: [c["images"].append(c["images"][0] | {"id": n}) for n in (8, 9, 10)])
    assert told(examine_names(load("train"), "train")) == {
        ("warning", "listed_twice", "train"): (1, ("train1.png",)),
        ("warning", "background", "train"): (3, ("train1.png",) * 3),
    }

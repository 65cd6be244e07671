from judged_comparison import judged_comparison


def test_blocks_come_before_controls_and_only_what_was_judged() -> None:
    found = judged_comparison(3)
    shuffled = type(found)(**{**vars(found), "variants": found.variants[::-1]})
    names = [variant.name for variant, _ in shuffled.judged()]
    assert names[-1] == "yolox_nano_placebo"
    assert set(names) == {variant.name for variant in found.variants} - {found.baseline}

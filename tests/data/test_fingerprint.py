from pathlib import Path

from yolox_attn.data.fingerprint import fingerprint


def test_it_changes_with_a_name_a_size_or_the_order(tmp_path: Path) -> None:
    for name, content in {"a": b"12", "b": b"1", "c": b"12"}.items():
        (tmp_path / name).write_bytes(content)
    seen = {fingerprint(tmp_path, names) for names in ("ab", "ba", "cb", "a", "abc")}
    assert len(seen) == 5
    before = fingerprint(tmp_path, "ab")
    assert fingerprint(tmp_path, "ab") == before
    (tmp_path / "b").write_bytes(b"123")
    assert fingerprint(tmp_path, "ab") != before

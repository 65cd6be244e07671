"""Foreign bytes: valid documents, with values changed and then bytes, as hypothesis draws them."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

DEEP = "[" * 3000 + "]" * 3000
RAW = {"@1e999": "1e999", "@digits": "9" * 5000, "@deep": DEEP}  # what json.dumps cannot say
SCALARS: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**400, 0.5, -0.0, 1e-320, 1e308,
    float("nan"), float("inf"), -float("inf"), "", " ", "1", "nan", "x" * 5000, "\udcff", "\x00",
    "\x1b[2J", "a\nb", "../../etc", "/", "\u202e", *RAW,
]  # fmt: skip
VALUES = st.recursive(
    st.sampled_from(SCALARS) | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


def places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each place in a document as its container and its key there."""
    if isinstance(content, dict | list):
        keys = content if isinstance(content, dict) else range(len(content))
        for key in list(keys):
            yield content, key
            yield from places(content[key])


@st.composite
def mutated(draw: st.DrawFn, valid: Any, values: st.SearchStrategy[Any] = VALUES) -> Any:
    """Draw a document with one to four of its values replaced, removed, added or doubled."""
    content = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, 4))):
        found = list(places(content))
        if not found:
            break
        container, key = found[draw(st.integers(0, len(found) - 1))]
        action = draw(st.sampled_from(["replace", "replace", "remove", "add", "double"]))
        if action == "replace":
            container[key] = draw(values)
        elif action == "remove":
            del container[key]
        elif isinstance(container, dict):
            container[draw(st.sampled_from(["x", "id", str(key).upper()]))] = draw(values)
        else:
            other = draw(values) if action == "add" else copy.deepcopy(container[key])
            container.insert(key, other)
    return content


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Draw bytes that were cut off, or of which some were changed or doubled."""
    cut = draw(st.integers(0, len(content)))
    action = draw(st.sampled_from(["cut", "change", "insert", "double"]))
    if action == "cut":
        return content[:cut]
    if action == "double":
        return content[:cut] + content
    other = draw(st.binary(min_size=1, max_size=4) | st.sampled_from([b"\xff", b"\xef\xbb\xbf"]))
    return content[:cut] + other + content[cut + (len(other) if action == "change" else 0) :]


def json_bytes(valid: Any) -> st.SearchStrategy[bytes]:
    """Draw a JSON file near `valid`, or damaged bytes of it."""
    whole = json.dumps(valid).encode()
    return mutated(valid).map(written) | damaged(whole) | st.binary(max_size=20)


def jsonl_bytes(valid: list[Any]) -> st.SearchStrategy[bytes]:
    """Draw a file with a JSON value a line near `valid`, or damaged bytes of it."""
    whole = b"".join(json.dumps(each).encode() + b"\n" for each in valid)
    lines = mutated(valid).map(lambda values: b"".join(written(each) + b"\n" for each in values))
    return lines | damaged(whole)


def written(content: Any) -> bytes:
    """Return the JSON of `content`, with what json.dumps cannot say in its place."""
    text = json.dumps(content)
    for name, raw in RAW.items():
        text = text.replace(json.dumps(name), raw)
    return text.encode()

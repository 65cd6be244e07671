"""Foreign bytes: valid documents, with values changed and then bytes, as hypothesis draws them."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

RAW = {"@1e999": "1e999", "@digits": "9" * 5000}  # what json.dumps cannot say
RAW |= {f"@deep{depth}": "[" * depth + "]" * depth for depth in (150, 600, 900, 3000, 50_000)}
SCALARS: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**400, 0.5, -0.0, 1e-320, 1e308,
    float("nan"), float("inf"), -float("inf"), "", " ", "1", "nan", "x" * 5000, "\udcff", "\x00",
    "\x1b[2J", "a\nb", "../../etc", "/", "\u202e", *RAW,
]  # fmt: skip
Drawn = tuple[st.SearchStrategy[Any], list[Any]]  # any number of examples, and always the same ones
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


def swept(valid: Any, values: list[Any] = SCALARS) -> list[Any]:
    """Return a document for each place of `valid` and the next value of `values` in its place."""
    found = []
    for number in range(len(list(places(valid)))):
        content = copy.deepcopy(valid)
        container, key = list(places(content))[number]
        container[key] = copy.deepcopy(values[number % len(values)])
        found.append(content)
    return found


def cuts(content: bytes, pieces: int = 20) -> list[bytes]:
    """Return the content cut off, and with a byte changed, at as many places."""
    ends = [len(content) * piece // pieces for piece in range(pieces)]
    changed = [content[:end] + b"\xff" + content[end + 1 :] for end in ends]
    return [*(content[:end] for end in ends), *changed]


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
            container[key] = copy.deepcopy(draw(values))  # a drawn list is the same each time
        elif action == "remove":
            del container[key]
        elif isinstance(container, dict):
            container[draw(st.sampled_from(["x", "id", str(key).upper()]))] = copy.deepcopy(
                draw(values)
            )
        else:
            other = (
                copy.deepcopy(draw(values)) if action == "add" else copy.deepcopy(container[key])
            )
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


def json_bytes(valid: Any) -> Drawn:
    """JSON files near `valid`, and damaged bytes of it."""
    whole = json.dumps(valid).encode()
    drawn = mutated(valid).map(written) | damaged(whole) | st.binary(max_size=20)
    return drawn, [*map(written, swept(valid)), *cuts(whole)]


def jsonl_bytes(valid: list[Any]) -> Drawn:
    """Files with a JSON value a line near `valid`, and damaged bytes of it."""
    whole = lines_of(valid)
    return mutated(valid).map(lines_of) | damaged(whole), [
        *map(lines_of, swept(valid)),
        *cuts(whole),
    ]


def lines_of(values: Any) -> bytes:
    """Return JSON values a line each."""
    return b"".join(written(each) + b"\n" for each in values)


def written(content: Any) -> bytes:
    """Return the JSON of `content`, with what json.dumps cannot say in its place."""
    text = json.dumps(content)
    for name, raw in RAW.items():
        text = text.replace(json.dumps(name), raw)
    return text.encode()

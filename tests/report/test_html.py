import base64
import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report.comparison import Comparison, Dropped
from yolox_attn.report.html import as_html, kind_of, sort_values

VOID = {"meta", "wbr", "br", "hr", "img", "input", "link"}
ODD = "<b>&x"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
Run = Callable[..., str]


class Page(HTMLParser):
    """Tags, attributes and text of a page, and whether its tags close in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


@pytest.fixture(scope="module")
def report() -> str:
    return as_html(judged_comparison())


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_a_page_is_well_formed_and_every_verdict_stands_before_any_table(seeds: int) -> None:
    judged = judged_comparison(seeds)
    text = as_html(judged)
    page = Page(text)
    assert page.open == []
    before = Page(text[: text.index("<table")]).text
    for _, found in judged.judged():
        assert found.sentence in before
        assert found.word in before


def test_nothing_is_fetched_and_ids_are_unique(report: str) -> None:
    page = Page(report)
    links = [
        value
        for _, attributes in page.tags
        for key, value in attributes.items()
        if key.endswith(("src", "href", "srcset", "data"))
    ]
    assert links
    assert all(link is not None and link.startswith("#") for link in links)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {str(link)[1:] for link in links} <= set(ids)
    assert "@import" not in report
    assert not re.search(r"url\((?!#)", report)


def test_the_policy_allows_this_one_script_and_no_network(report: str) -> None:
    page = Page(report)
    (policy,) = [each["content"] for each in page.of("meta") if "http-equiv" in each]
    (script,) = re.findall(r"<script>(.*?)</script>", report, re.DOTALL)
    assert len(page.of("script")) == 1
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy is not None
    rules = [rule.strip() for rule in policy.split(";")]
    assert rules[0] == "default-src 'none'"
    assert f"script-src 'sha256-{digest}'" in rules
    assert not re.search(r"https?:|\*", policy)
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on")]


def test_names_are_shown_as_they_are() -> None:
    text = as_html(odd_names())
    page = Page(text)
    assert page.open == []
    assert "b" not in {tag for tag, _ in page.tags}
    assert unescape(text).count(ODD) >= 40
    assert "<b>" not in text


def odd_names() -> Comparison:
    """Every text that comes from outside holds what HTML would take for its own."""
    judged = judged_comparison()
    variants = tuple(
        replace(
            each,
            name=each.name + ODD,
            attention=ODD,
            built=tuple(replace(part, options={ODD: ODD}, block=ODD) for part in each.built),
            judgement=each.judgement
            and replace(
                each.judgement,
                sentence=each.judgement.sentence.replace(each.name, each.name + ODD),
                exploratory=tuple(replace(x, name=ODD) for x in each.judgement.exploratory),
            ),
        )
        for each in judged.variants
    )
    assert judged.plan is not None
    return replace(
        judged,
        baseline=judged.baseline + ODD,
        variants=variants,
        notes=(ODD,),
        dropped=(Dropped(ODD, 1, ODD),),
        plan=replace(judged.plan, file=ODD),
        data={ODD: ODD},
        software={ODD: ODD},
        hardware={ODD: ODD},
        commands=(ODD,),
    )


def test_missing_runs_are_told_first_and_in_full_before_the_table(report: str) -> None:
    assert report.index("1 run is missing") < report.index('class="sentence"')
    before = Page(report[: report.index("<table")]).text
    assert "yolox_nano_eca seed 7: failed: epoch 3, iteration 9: gradients not finite" in before
    whole = as_html(replace(judged_comparison(), dropped=()))
    assert "missing" not in Page(whole).text


def test_what_was_not_judged_has_its_table_its_notes_and_one_clear_line() -> None:
    judged = judged_comparison()
    plain = tuple(replace(each, judgement=None) for each in judged.variants)
    page = Page(as_html(replace(judged, variants=plain, terms=None, family=(), plan=None)))
    assert page.open == []
    assert page.text.count("there is no verdict") == 1
    assert judged.notes[0] in page.text
    assert "41.64 ± 0.45" in page.text
    for word in ("helps", "hurts", "Holm", "p value"):
        assert word not in page.text


def test_a_baseline_alone_is_no_failed_comparison() -> None:
    judged = judged_comparison()
    page = Page(as_html(replace(judged, variants=judged.variants[:1], plan=None)))
    assert page.open == []
    assert "scatters by 0.45 AP from seed to seed" in page.text
    for word in ("verdict", "No plan"):
        assert word not in page.text


def test_a_variant_that_could_not_be_judged_is_named_among_the_verdicts() -> None:
    judged = judged_comparison()
    baseline, cam, *others = judged.variants
    lone = replace(judged, variants=(baseline, replace(cam, judgement=None), *others))
    text = as_html(lone)
    before = Page(text[: text.index("<table")]).text
    assert "not judged" in before
    assert "yolox_nano_cam is not judged; the notes say why." in before


def test_it_holds_all_that_a_report_holds(report: str) -> None:
    text = Page(report).text
    for piece in (
        "3f" * 32,  # the plan's hash
        "studies/cells/plan.json",
        "standard deviation; its 95 % limits are 0.27 and 1.30",  # A/A
        "python tools/study.py run studies/cells",
        "torch 2.15.0",
        "cpu a chip",
        "The runs differ in number of threads",
        "Crossed bootstrap",
        "Sign-flip",
        "Exploratory",
        "Buy seeds",
        "in the optimiser",
        "peak memory",
    ):
        assert piece in text
    labels = {each["aria-label"] for each in Page(report).of("svg") if "aria-label" in each}
    assert len(labels) == 5


def test_equal_input_gives_an_equal_page(report: str) -> None:
    assert as_html(judged_comparison()) == report


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_in_both_schemes(report: str, scheme: int) -> None:
    """WCAG AA, 4.5 to 1."""
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", report.split(":root {")[scheme + 1]))
    pairs = [("ink", "page"), ("soft", "page"), ("link", "page"), ("ink", "wash"), ("soft", "wash")]
    pairs += [(name, "page") for name in ("helps", "hurts", "none")]
    pairs += [(name, f"{name}-wash") for name in ("helps", "hurts", "none", "alert")]
    pairs += [("ink", "alert-wash")]
    for text, ground in pairs:
        darker, lighter = sorted(luminance(colours[each]) for each in (text, ground))
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (text, ground)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["41.64 ± 0.45", "-", ""], [41.64, None, None]),
        (["-2.05", "+1.73", "0.00"], [-2.05, 1.73, 0.0]),
        (["<0.001", "0.001", "(0.413)"], [0.001 - 1e-9, 0.001, 0.413]),
        (["1,234,567", "999"], [1234567.0, 999.0]),
        (["95 s", "10.0 min", "3.0 h"], [95.0, 600.0, 10800.0]),
        (["±0.12", "unknown"], [0.12, None]),
        (["4 of 5 (.28-.99)", "10 of 10 (.69-1.00)"], [4.0, 10.0]),
        (["+0.31 to +1.20", "-0.87 to +0.43"], [0.31, -0.87]),
        (["yolox_s", "3"], [None, None]),
        ([".28"], [0.28]),
    ],
)
def test_a_column_sorts_by_its_numbers_if_all_cells_are_some(
    cells: list[str], values: list[float | None]
) -> None:
    assert sort_values(cells) == values


def test_a_cell_looks_like_its_verdict() -> None:
    assert [kind_of(cell) for cell in ("helps", "control: cannot tell", "baseline")] == [
        "helps",
        "open",
        None,
    ]


@pytest.fixture
def browse(tmp_path: Path) -> Run:
    """Open a page in headless Chromium with the flags given; what it prints."""
    if BROWSER is None:
        pytest.skip("no chromium here")

    def run(text: str, *flags: str) -> str:
        path = tmp_path / "page.html"
        path.write_text(text, encoding="utf-8")
        command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--user-data-dir={tmp_path / 'profile'}", *flags, path.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    return run


def with_script(report: str, script: str) -> str:
    """The page with a script of the test's own, which its policy would not let run."""
    free = re.sub(r"script-src '[^']+'", "script-src 'unsafe-inline'", report)
    assert free != report
    return free.replace("</body>", f"<script>{script}</script></body>")


def test_its_own_script_runs_under_its_policy_and_gives_heads_to_press(
    browse: Run, report: str
) -> None:
    page = Page(browse(report, "--dump-dom"))
    assert not Page(report).of("button")  # without the script there is nothing dead to press
    heads = [each for each in page.of("th") if each.get("scope") == "col"]
    assert heads
    assert {each.get("aria-sort") for each in heads} == {"none"}
    assert len(page.of("button")) == len(heads)


SORTING = """
const table = document.querySelector("#results table"), seen = [];
const names = () => [...table.tBodies[0].rows].map((row) => row.cells[0].textContent.trim());
for (const head of ["diff", "diff", "variant", "Holm p"]) {
  const cell = [...table.tHead.rows[0].cells].find((each) => each.textContent === head);
  cell.querySelector("button").focus();
  document.activeElement.click();
  seen.push([head, cell.getAttribute("aria-sort"), ...names()].join(" "));
}
document.title = seen.join("|");
"""


def test_tables_sort_by_number_and_by_name_and_say_so(browse: Run, report: str) -> None:
    shown = browse(with_script(report, SORTING), "--dump-dom")
    (title,) = re.findall(r"<title>([^<]*)</title>", shown)
    found = [line.replace("yolox_nano_", "").split(" ") for line in title.split("|")]
    assert found == [
        ["diff", "descending", "cam", "eca", "se", "placebo", "cbam", "yolox_nano"],
        ["diff", "ascending", "cbam", "placebo", "se", "eca", "cam", "yolox_nano"],
        ["variant", "ascending", "yolox_nano", "cam", "cbam", "eca", "placebo", "se"],
        *[["Holm", "p", "descending", "placebo", "se", "eca", "cam", "cbam", "yolox_nano"]],
    ]


FRAME = """<!doctype html><title>waiting</title><body style="margin:0">
<iframe srcdoc="{}" style="border:0;width:390px;height:2000px"></iframe>
<script>addEventListener("message", (event) => {{ document.title = event.data; }});</script>"""
WIDTHS = """
for (const each of document.querySelectorAll("details")) each.open = true;
parent.postMessage(innerWidth + " " + document.documentElement.scrollWidth, "*");
"""


def test_a_phone_scrolls_only_downwards(browse: Run) -> None:
    """In a frame, as the narrowest window is wider than a phone."""
    report = as_html(odd_names())
    inner = with_script(report, WIDTHS).replace("&", "&amp;").replace('"', "&quot;")
    shown = browse(FRAME.format(inner), "--virtual-time-budget=2000", "--dump-dom")
    (title,) = re.findall(r"<title>([^<]*)</title>", shown)
    inside, scrolled = map(int, title.split())
    assert inside == 390
    assert scrolled <= 390


@pytest.mark.parametrize("size", ["500,900", "1280,900"])
@pytest.mark.parametrize("scheme", [0, 1], ids=["dark", "light"])
def test_it_can_be_looked_at(
    browse: Run, report: str, tmp_path: Path, size: str, scheme: int
) -> None:
    picture = tmp_path / "page.png"
    flags = (f"--window-size={size}", f"--blink-settings=preferredColorScheme={scheme}")
    browse(report, *flags, f"--screenshot={picture}")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000

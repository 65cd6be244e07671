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
from contrast import contrast
from judged_comparison import judged_comparison, with_judgement

from yolox_attn.report.comparison import Comparison, Dropped, Variant
from yolox_attn.report.figures import draw
from yolox_attn.report.html import as_html, true_minus

FIVE = judged_comparison(5)
VOID = {"meta", "wbr", "br", "hr", "img", "input", "link"}
ODD = "<b>&x"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
Browse = Callable[..., str]


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


def well_formed(comparison: Comparison) -> Page:
    page = Page(as_html(comparison, {}))
    assert page.open == []
    return page


def before_tables(text: str) -> str:
    return Page(text.partition("<table")[0]).text


@pytest.fixture(scope="module")
def report() -> str:
    return as_html(FIVE, draw(FIVE))


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_a_page_is_well_formed_and_every_verdict_stands_before_any_table(seeds: int) -> None:
    judged = judged_comparison(seeds)
    text = as_html(judged, {"intervals": "<svg></svg>"})
    assert Page(text).open == []
    top = before_tables(text)
    for variant, _ in judged.judged():
        assert true_minus(f"{variant.sentence}") in top


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
    rules = [rule.strip() for rule in policy.split(";")]
    assert rules[0] == "default-src 'none'"
    assert f"script-src 'sha256-{digest}'" in rules
    assert not re.search(r"https?:|\*", policy)
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on")]


def odd(variant: Variant) -> Variant:
    variant = replace(
        variant,
        name=variant.name + ODD,
        attention=ODD,
        built=tuple(replace(part, options={ODD: ODD}, block=ODD) for part in variant.built),
    )
    if variant.judgement is None:
        return variant
    found = tuple(replace(each, name=ODD) for each in variant.judgement.exploratory)
    return with_judgement(variant, replace(variant.judgement, exploratory=found))


@pytest.fixture(scope="module")
def odd_names() -> str:
    """A page in which every text from outside holds what HTML would take for its own."""
    comparison = replace(
        FIVE,
        baseline=FIVE.baseline + ODD,
        variants=tuple(map(odd, FIVE.variants)),
        notes=(ODD,),
        dropped=(Dropped(ODD, 1, ODD),),
        plan=replace(FIVE.plan, file=ODD),
        data={ODD: ODD},
        software={ODD: ODD},
        hardware={ODD: ODD},
        commands=(ODD,),
    )
    return as_html(comparison, draw(comparison))


def test_names_are_shown_as_they_are(odd_names: str) -> None:
    page = Page(odd_names)
    assert page.open == []
    assert "b" not in {tag for tag, _ in page.tags}
    assert unescape(odd_names).count(ODD) >= 40
    assert "<b>" not in odd_names


def test_missing_runs_are_named_first_and_in_full_before_the_table(report: str) -> None:
    assert report.index("1 run is missing") < report.index('class="sentence"')
    assert '<a href="#missing">see below</a>' in report
    reason = "yolox_nano_eca seed 7: failed: epoch 3, iteration 9: gradients not finite"
    assert reason in before_tables(report)
    assert "missing" not in well_formed(replace(FIVE, dropped=())).text


def test_an_unfinished_study_says_so_in_its_headline_and_above_all_verdicts() -> None:
    page = as_html(replace(FIVE, pending=2), {})
    assert "<h1>Interim, not a result: Of 4 variants" in page
    assert page.index("INTERIM: 2 planned runs") < page.index('class="sentence"')


def test_what_was_not_judged_has_its_table_its_notes_and_one_clear_line() -> None:
    plain = tuple(replace(each, judgement=None) for each in FIVE.variants)
    page = well_formed(replace(FIVE, variants=plain, terms=None, family=(), plan=None))
    assert page.text.count("there is no verdict") == 1
    assert FIVE.notes[0] in page.text
    assert "41.64 ± 0.45" in page.text
    for word in ("helps", "hurts", "Holm", "p value"):
        assert word not in page.text


def test_a_baseline_alone_is_no_failed_comparison() -> None:
    page = well_formed(replace(FIVE, variants=FIVE.variants[:1], plan=None))
    assert "scatters by 0.45 AP from seed to seed" in page.text
    for word in ("verdict", "No plan"):
        assert word not in page.text


def test_a_variant_that_could_not_be_judged_is_named_among_the_verdicts() -> None:
    baseline, cam, *others = FIVE.variants
    lone = replace(FIVE, variants=(baseline, replace(cam, judgement=None), *others))
    top = before_tables(as_html(lone, {}))
    assert "yolox_nano_cam is not judged: the notes say why." in top


def test_it_holds_all_that_a_report_holds(report: str) -> None:
    page = Page(report)
    for piece in (
        "3f" * 32,  # the plan's hash
        "studies/cells/plan.json",
        "standard deviation; its 95 % limits are 0.27 and 1.30",  # A/A
        "python tools/study.py run studies/cells",
        "torch",
        "a chip",
        "The runs differ in number of threads",
        "Crossed bootstrap",
        "Sign-flip",
        "Exploratory",
        "more seeds narrow it",
        "in the optimiser",
        "peak memory",
    ):
        assert piece in page.text
    assert len({each["aria-label"] for each in page.of("svg") if "aria-label" in each}) == 5


def test_cells_carry_their_numbers_and_their_verdicts_look(report: str) -> None:
    results = report.partition('id="results"')[2].partition("</table>")[0]
    (cam,) = re.findall(r"<tr>\s*<th[^>]*>yolox_<wbr>nano_<wbr>cam<.*?</tr>", results, re.DOTALL)
    numbers = [float(value) for value in re.findall(r'data-value="([^"]+)"', cam)]
    variant = FIVE.variants[1]
    found = variant.judgement
    assert numbers[:4] == [5, variant.mean["AP"], found.difference, found.interval[0]]
    assert re.search(r'<td><svg class="mark helps".*</svg> helps</td>', cam)
    assert "data-value" not in re.findall(r"<td[^>]*>[^<]*<svg.*", cam)[0]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_in_both_schemes(report: str, scheme: int) -> None:
    """WCAG AA, 4.5 to 1."""
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", report.split(":root {")[scheme + 1]))
    pairs = [("ink", "page"), ("soft", "page"), ("link", "page"), ("ink", "wash"), ("soft", "wash")]
    pairs += [(name, "page") for name in ("helps", "hurts", "none")]
    pairs += [(name, f"{name}-wash") for name in ("helps", "hurts", "none", "alert")]
    pairs += [("ink", "alert-wash")]
    for text, ground in pairs:
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    """Open a page in headless Chromium with the flags given; what it prints."""
    if BROWSER is None:
        pytest.skip("no chromium here")

    def run(text: str, *flags: str) -> str:
        path = tmp_path / "page.html"
        path.write_text(text, encoding="utf-8")
        command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--user-data-dir={tmp_path / 'profile'}", *flags, path.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout

    return run


def with_script(report: str, script: str) -> str:
    """The page with a script of the test's own, which its policy would not let run."""
    free = re.sub(r"script-src '[^']+'", "script-src 'unsafe-inline'", report)
    assert free != report
    return free.replace("</body>", f"<script>{script}</script></body>")


def title_of(page: str) -> str:
    (title,) = re.findall(r"<title>([^<]*)</title>", page)
    return title


def test_its_own_script_runs_under_its_policy_and_gives_heads_to_press(
    browse: Browse, report: str
) -> None:
    page = Page(browse(report, "--dump-dom"))
    assert not Page(report).of("button")  # without the script there is nothing dead to press
    heads = [each for each in page.of("th") if each.get("scope") == "col"]
    assert heads
    assert {each.get("aria-sort") for each in heads} == {"none"}
    assert len(page.of("button")) == len(heads)


SORTING = """
const seen = [];
for (const [section, head] of [
  ["results", "diff"], ["results", "diff"], ["results", "variant"], ["noise", "seeds give"],
]) {
  const table = document.querySelector(`#${section} table`);
  const cell = [...table.tHead.rows[0].cells].find((each) => each.textContent === head);
  cell.querySelector("button").focus();
  document.activeElement.click();
  const names = [...table.tBodies[0].rows].map((row) => row.cells[0].textContent.trim());
  seen.push([head, cell.getAttribute("aria-sort"), ...names].join(" "));
}
document.title = seen.join("|");
"""


def test_tables_sort_by_number_and_by_name_and_what_is_unknown_stays_last(browse: Browse) -> None:
    one_seed = judged_comparison(1).variants[3]
    variants = (*FIVE.variants[:3], one_seed, *FIVE.variants[4:])
    page = as_html(replace(FIVE, variants=variants), {})
    shown = title_of(browse(with_script(page, SORTING), "--dump-dom"))
    assert [line.replace("yolox_nano_", "") for line in shown.split("|")] == [
        "diff descending cam se placebo eca cbam yolox_nano",
        "diff ascending cbam eca placebo se cam yolox_nano",
        "variant ascending yolox_nano cam cbam eca placebo se",
        "seeds give descending placebo cbam cam se eca",
    ]


FRAME = """<!doctype html><title>waiting</title><body style="margin:0">
<iframe srcdoc="{}" style="border:0;width:390px;height:2000px"></iframe>
<script>addEventListener("message", (event) => {{ document.title = event.data; }});</script>"""
WIDTHS = """
for (const each of document.querySelectorAll("details")) each.open = true;
parent.postMessage(innerWidth + " " + document.documentElement.scrollWidth, "*");
"""


def test_a_phone_scrolls_only_downwards(browse: Browse, odd_names: str) -> None:
    """In a frame, as the narrowest window is wider than a phone."""
    inner = with_script(odd_names, WIDTHS).replace("&", "&amp;").replace('"', "&quot;")
    shown = browse(FRAME.format(inner), "--virtual-time-budget=2000", "--dump-dom")
    inside, scrolled = map(int, title_of(shown).split())
    assert inside == 390
    assert scrolled <= 390


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-0.22 AP, -.5 to -1", "~0.22 AP, ~.5 to ~1"),
        ("5 of 5 (.48-1.00), 2026-01-02, yolox-2, -b 16, --seeds", None),
    ],
)
def test_a_minus_is_one_and_a_hyphen_stays(text: str, shown: str | None) -> None:
    assert true_minus(text) == (shown or text).replace("~", "\N{MINUS SIGN}")

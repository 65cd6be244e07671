import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report import Comparison
from yolox_attn.report.latex import as_latex, escape, number

FIVE = judged_comparison(5)
ODD = r"a_b|c%d & #1 $x$ {y} \z ~^<>"
Make = Callable[[int], Comparison]


def renamed(seeds: int) -> Comparison:
    """A comparison with names that LaTeX would take for commands."""
    comparison = judged_comparison(seeds)
    baseline, cam, *others = comparison.variants
    named = [replace(each, name=f"[{each.name}]") for each in cam.judgement.exploratory]
    judgement = replace(cam.judgement, exploratory=tuple(named))
    variants = (baseline, replace(cam, name=ODD, judgement=judgement), *others)
    return replace(comparison, variants=variants, family=(ODD, *comparison.family[1:]))


@pytest.mark.parametrize("seeds", [1, 2, 5])
@pytest.mark.parametrize("make", [judged_comparison, renamed])
def test_its_structure_is_sound(make: Make, seeds: int) -> None:
    text = re.sub(r"(?m)^%.*$", "", as_latex(make(seeds)))  # without comments
    bare = re.sub(r"\\[\\_%&#${}]", "", text)
    assert bare.count("{") == bare.count("}")
    for columns, body in re.findall(
        r"\\begin\{tabular\}\{([lr]+)\}(.*?)\\end\{tabular\}", text, re.DOTALL
    ):
        rows = [line for line in body.splitlines() if line.endswith(r" \\")]
        assert len(rows) > 3
        for row in rows:
            assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1
            assert not row.startswith(("[", "*"))
    assert not re.search(r"\bnan\b|\binf\b", text)
    assert not re.search(r"(?<!\\)[#%_]", text)


def test_every_special_character_is_escaped() -> None:
    assert escape(ODD) == (
        r"a\_b\textbar{}c\%d \& \#1 \$x\$ \{y\} \textbackslash{}z "
        r"\textasciitilde{}\textasciicircum{}\textless{}\textgreater{}"
    )


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("-0.19 to +0.41", "$-$0.19 to +0.41"),
        ("4 of 5 (.28-.99)", "4 of 5 (.28--.99)"),
        ("20.0 (19.0-23.0)", "20.0 (19.0--23.0)"),
        ("39.9 ± 0.3", r"39.9 $\pm$ 0.3"),
        ("-", "-"),
    ],
)
def test_minus_signs_and_ranges(cell: str, text: str) -> None:
    assert number(cell) == text


def test_a_name_keeps_its_hyphens() -> None:
    odd = replace(FIVE.variants[1], name="yolox-s-2-3")
    assert "\nyolox-s-2-3 & " in as_latex(replace(FIVE, variants=(FIVE.variants[0], odd)))


def test_captions_labels_rules_and_the_plans_hash() -> None:
    text = as_latex(FIVE)
    assert text.splitlines()[0] == f"% Plan: studies/cells/plan.json, SHA-256 {'3f' * 32}"
    labels = re.findall(r"\\label\{tab:comparison-(\w+)\}", text)
    assert labels == ["main", "cost", "classes"]
    for command in (r"\toprule", r"\midrule", r"\bottomrule", r"\caption{"):
        assert text.count(command) == 3
    assert r"\caption{Exploratory: differences in AP points by class" in text
    assert "+1.73* & +0.11 & " in text


def test_a_missing_plan_is_said_and_classes_and_costs_only_where_there_are_some() -> None:
    bare = [
        replace(
            each,
            judgement=each.judgement and replace(each.judgement, exploratory=()),
            parameters=None,
            gflops=None,
            gflops_training=None,
            latency=None,
        )
        for each in FIVE.variants
    ]
    text = as_latex(replace(FIVE, plan=None, variants=tuple(bare)))
    assert text.startswith("% No plan was made before these runs")
    assert "Not planned before the runs: exploratory." in text
    assert re.findall(r"tab:comparison-(\w+)", text) == ["main"]


def test_what_was_not_judged_is_still_a_table() -> None:
    plain = [replace(each, judgement=None) for each in judged_comparison(2).variants]
    text = as_latex(replace(FIVE, terms=None, plan=None, family=(), variants=tuple(plain)))
    assert text.startswith("% Nothing was judged: differences without their noise.")
    assert r"yolox\_nano\_cam & 2 & 41.35 $\pm$ 0.39 & +1.46 " in text
    for words in ("tab:comparison-classes", "exploratory", "not judged"):
        assert words not in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("make", [judged_comparison, renamed])
def test_it_compiles_with_booktabs_alone(make: Make, tmp_path: Path) -> None:
    head = "\\documentclass[twocolumn]{article}\n\\usepackage{booktabs}\n"
    head += "\\setlength{\\textwidth}{496pt}\n\\begin{document}\n"  # as conferences have it
    text = head + as_latex(make(5)) + "\\end{document}\n"
    (tmp_path / "a.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    log = ended.stdout.decode(errors="replace")
    assert ended.returncode == 0, log[-2000:]
    assert make is renamed or "Overfull" not in log

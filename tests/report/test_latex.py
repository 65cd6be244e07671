import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report.latex import as_latex, escape, number

SEEDS = (1, 2, 3, 5)
ODD = r"a_b|c%d & #1 $x$ {y} \z ~^<>"


def renamed(seeds: int):
    """A comparison with names that LaTeX would take for commands."""
    comparison = judged_comparison(seeds)
    cam = comparison.variants[1]
    named = [
        replace(each, name=f"[{each.name}]" if each.kind == "class" else each.name)
        for each in cam.judgement.exploratory
    ]
    odd = replace(cam, name=ODD, judgement=replace(cam.judgement, exploratory=tuple(named)))
    variants = (comparison.variants[0], odd, *comparison.variants[2:])
    return replace(comparison, variants=variants, family=(ODD, *comparison.family[1:]))


def bare(text: str) -> str:
    """The text without comments and escaped characters."""
    return re.sub(r"\\[\\_%&#${}]", "", re.sub(r"(?m)^%.*$", "", text))


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("make", [judged_comparison, renamed])
def test_its_structure_is_sound(make, seeds: int) -> None:
    text = as_latex(make(seeds))
    assert bare(text).count("{") == bare(text).count("}")
    for body in re.findall(r"\\begin\{tabular\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        columns = re.match(r"\{([lr]+)\}", body)[1]
        rows = [line for line in body.splitlines() if line.endswith(r" \\")]
        assert len(rows) > 3
        for row in rows:
            assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1
            assert not row.startswith(("[", "*"))
    assert not re.search(r"\bnan\b|\binf\b", text)
    assert not re.search(r"(?<!\\)[#%]", re.sub(r"(?m)^%.*$", "", text))
    assert not re.search(r"(?<!\\)_", re.sub(r"(?m)^%.*$", "", text))


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
    comparison = judged_comparison(3)
    odd = replace(comparison.variants[1], name="yolox-s-2-3")
    text = as_latex(replace(comparison, variants=(comparison.variants[0], odd)))
    assert "\nyolox-s-2-3 & " in text


def test_caption_label_rules_and_the_plans_hash() -> None:
    text = as_latex(judged_comparison(5))
    assert text.splitlines()[0] == f"% Plan: studies/cells/plan.json, SHA-256 {'3f' * 32}"
    for label in ("main", "cost", "classes"):
        assert rf"\label{{tab:comparison-{label}}}" in text
    for command in (r"\toprule", r"\midrule", r"\bottomrule", r"\caption{"):
        assert text.count(command) == 3
    assert r"\caption{Exploratory: differences in AP points by class" in text
    assert r"\yolox" not in text
    assert "+1.73* & +0.11 & " in text


def test_a_missing_plan_is_told_and_classes_only_where_there_are_some() -> None:
    comparison = judged_comparison(3)
    variants = [
        replace(each, judgement=each.judgement and replace(each.judgement, exploratory=()))
        for each in comparison.variants
    ]
    text = as_latex(replace(comparison, plan=None, variants=tuple(variants)))
    assert text.startswith("% No plan was made before these runs")
    assert "Not planned before the runs: exploratory." in text
    assert "tab:comparison-classes" not in text


def test_what_was_not_judged_is_still_a_table() -> None:
    comparison = judged_comparison(2)
    plain = [replace(each, judgement=None) for each in comparison.variants]
    bare = replace(comparison, terms=None, plan=None, family=(), variants=tuple(plain))
    text = as_latex(bare)
    assert "tab:comparison-classes" not in text
    assert r"yolox\_nano\_cam & 2 & 41.35 $\pm$ 0.39 & +1.46 " in text
    assert "exploratory" not in text
    assert text.startswith("% Nothing was judged: differences without their noise.")
    assert "not judged" not in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("make", [judged_comparison, renamed])
def test_it_compiles_with_booktabs_alone(make, tmp_path: Path) -> None:
    head = "\\documentclass[twocolumn]{article}\n\\usepackage{booktabs}\n"
    head += "\\setlength{\\textwidth}{496pt}\n\\begin{document}\n"  # as conferences have it
    text = head + as_latex(make(5)) + "\\end{document}\n"
    (tmp_path / "a.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    told = ended.stdout.decode(errors="replace")
    assert ended.returncode == 0, told[-2000:]
    assert make is renamed or "Overfull" not in told

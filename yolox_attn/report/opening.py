"""The first screen of the report's page: the headline, and each verdict in a sentence."""

from dataclasses import dataclass

from yolox_attn.report.cells import size
from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.stats.verdict import Word

KINDS = {  # word -> the name of its look
    Word.HELPS.value: "helps",
    Word.HURTS.value: "hurts",
    Word.NO_DIFFERENCE.value: "none",
    Word.CANNOT_TELL.value: "open",
}
COUNTED = {  # word -> how the headline counts variants of that verdict
    Word.HELPS.value: ("helps", "help"),
    Word.HURTS.value: ("hurts", "hurt"),
    Word.NO_DIFFERENCE.value: (
        "makes no worthwhile difference",
        "make no worthwhile difference",
    ),
    Word.CANNOT_TELL.value: ("cannot be told yet", "cannot be told yet"),
}


@dataclass(frozen=True)
class Verdict:
    """A verdict's sentence in two parts: what is said, and the numbers it rests on."""

    word: str
    kind: str
    lead: str
    rest: str
    control: bool


def verdict_lines(comparison: Comparison) -> list[Verdict]:
    """Return the verdicts, blocks first; variants that could not be judged come last."""
    if comparison.terms is None:
        return []
    lines = []
    for variant, found in comparison.judged():
        lead, rest = _split(found.sentence, variant.name)
        control = variant.role == "control"
        lines.append(Verdict(found.word, KINDS[found.word], lead, rest, control))
    for variant in _unjudged(comparison):
        sentence = f"{variant.name} is not judged; the notes say why."
        lines.append(Verdict("not judged", "open", sentence, "", variant.role == "control"))
    return lines


def headline(comparison: Comparison) -> str:
    """All verdicts in one line; of the blocks, for a control is no result."""
    if comparison.pending:
        return f"Interim, not a result: {_headline(comparison)}"
    return _headline(comparison)


def _headline(comparison: Comparison) -> str:
    if len(comparison.variants) == 1:
        return _alone(comparison)
    judged = [(each, found) for each, found in comparison.judged() if each.role != "control"]
    if comparison.terms is None or not judged:
        return f"No verdict on {_others(comparison)}"
    if len(judged) == 1:
        name, word = judged[0][0].name, judged[0][1].word
        if word == Word.CANNOT_TELL.value:
            return f"Cannot tell whether {name} helps"
        return f"{name} {COUNTED[word][0]}"
    words = [found.word for _, found in judged]
    counts = {word: words.count(word) for word in COUNTED if word in words}
    parts = [f"{number} {COUNTED[word][number > 1]}" for word, number in counts.items()]
    listed = ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]
    return f"Of {len(judged)} variants, {listed}"


def facts(comparison: Comparison) -> list[str]:
    """What the verdicts speak of, a few words each."""
    counts = {len(found.seeds) for _, found in comparison.judged()}
    least, most = min(counts, default=0), max(counts, default=0)
    several = f"{most}" if least == most else f"{least} to {most}"
    images = "" if comparison.val_images is None else f"{comparison.val_images:,} test images"
    terms = comparison.terms
    known = [
        f"against {comparison.baseline}",
        f"{several} seed{'s' if most > 1 else ''} a side" if most else "",
        comparison.groups or images,
        f"an effect worth having: {terms.sesoi:g} AP or more" if terms else "",
    ]
    return [each for each in known if each]


def _split(sentence: str, name: str) -> tuple[str, str]:
    """Cut after the colon behind the name, which may itself hold one."""
    start = sentence.find(name) + len(name)
    cut = sentence.find(": ", start)
    return (sentence, "") if cut < 0 else (sentence[:cut], sentence[cut + 2 :])


def _alone(comparison: Comparison) -> str:
    noise = comparison.seed_noise
    if noise is None:
        return f"{comparison.baseline}, compared with nothing"
    return f"{comparison.baseline} scatters by {size(noise.sd)} AP from seed to seed"


def _unjudged(comparison: Comparison) -> list[Variant]:
    return [
        each for each in comparison.variants if each.judgement is None and each.role != "baseline"
    ]


def _others(comparison: Comparison) -> str:
    names = [each.name for each in comparison.variants if each.name != comparison.baseline]
    return names[0] if len(names) == 1 else f"{len(names)} variants"

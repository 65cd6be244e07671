"""What a report says in whole sentences: verdicts, what would settle them, and the headline.

Written so that a tired reader cannot misread them; AP points (0-100).
"""

from pathlib import PurePath

from yolox_attn.console import count
from yolox_attn.report.comparison import Comparison, Sentence, Variant
from yolox_attn.report.format import confidence, signed, size, span
from yolox_attn.stats.judge import fraction
from yolox_attn.stats.power import AFFORDABLE_SEEDS, Settling
from yolox_attn.stats.stages import Why
from yolox_attn.stats.terms import Terms
from yolox_attn.stats.verdict import MIN_IMAGES, Amount, Ends, Judgement, Word

COUNTED = {  # word -> how the headline counts one variant, or several, of that verdict
    Word.HELPS: ("helps", "help"),
    Word.HURTS: ("hurts", "hurt"),
    Word.NO_DIFFERENCE: ("makes no worthwhile difference", "make no worthwhile difference"),
    Word.CANNOT_TELL: ("cannot be told yet", "cannot be told yet"),
}
UNPLANNED = "No plan was made before these runs: read the p values as exploratory."


def verdict_sentence(name: str, judgement: Judgement, terms: Terms) -> Sentence:
    """One sentence for the first screen of a report; the word comes first.

    Of one run a side it also says how the two checkpoints differ, which is all that it shows.
    """
    word = Word(judgement.word)
    if word is Word.CANNOT_TELL:
        basis = _why_open(judgement, terms)
        if len(judgement.seeds) == 1 and not judgement.identical:
            interval = _interval(judgement.checkpoints, terms.alpha)
            basis += f". Of these two checkpoints alone, on images like these: {interval} AP"
        return Sentence(f"Cannot tell whether {name} helps or hurts", basis)
    if word is Word.NO_DIFFERENCE:
        return Sentence(f"{name} makes no worthwhile difference", _why_none(judgement, terms))
    claim = f"{name} {word.value}{_how_much(judgement, terms)}"
    return Sentence(claim, _numbers(judgement, terms))


def verdict_sentences(comparison: Comparison) -> list[tuple[Variant, Sentence]]:
    """Return each variant's verdict: blocks first, then controls, then what is not judged."""
    judged = [(each, each.sentence) for each, _ in comparison.judged() if each.sentence]
    unjudged = [
        (each, Sentence(f"{each.name} is not judged", "the notes say why"))
        for each in comparison.unjudged()
    ]
    return judged + unjudged if judged else []


def settling_sentence(judgement: Judgement, terms: Terms) -> str | None:
    """Say what a new study would have to be to settle an open case; None if it is closed.

    One rough estimate, for the effect seen and for the smallest worth having.
    """
    if judgement.word != Word.CANNOT_TELL.value:
        return None
    if judgement.effective < MIN_IMAGES:
        return f"Test on at least {MIN_IMAGES} {_unit(judgement)} of about equal size."
    if judgement.settling is None:
        return "Train at least 3 seeds of both sides: what one seed is worth is not known yet."
    ways, affordable = _ways(judgement, judgement.settling, terms)
    lead = "To settle it" if affordable else "No affordable study settles it"
    basis = f"the noise of {count(len(judgement.seeds), 'seed')}"
    return f"{lead}: {', '.join(ways)}, four times in five. A rough estimate, from {basis}."


def headline(comparison: Comparison) -> str:
    """All verdicts in one line; of the blocks, for a control is no result."""
    text = _headline(comparison)
    return f"Interim, not a result: {text}" if comparison.pending else text


def facts(comparison: Comparison) -> list[str]:
    """What the verdicts are about, a few words each."""
    counts = {len(judgement.seeds) for _, judgement in comparison.judged()}
    least, most = min(counts, default=0), max(counts, default=0)
    seeds = count(most, "seed") if least == most else f"{least} to {most} seeds"
    terms = comparison.terms
    known = [
        f"against {comparison.baseline}",
        f"{seeds} a side" if most else "",
        comparison.groups or images_of(comparison),
        *_set_and_schedule(comparison),
        f"an effect worth having: {terms.sesoi:g} AP or more" if terms else "",
    ]
    return [each for each in known if each]


def _set_and_schedule(comparison: Comparison) -> list[str]:
    """Return the data set's name, and how long and at which size the runs were trained."""
    where = comparison.data.get("dir")
    size = "" if comparison.test_size is None else " at " + "x".join(map(str, comparison.test_size))
    trained = "" if comparison.epochs is None else count(comparison.epochs, "epoch")
    return [f"data set {PurePath(str(where)).name}" if where else "", f"{trained}{size}".strip()]


def images_of(comparison: Comparison) -> str:
    """Return "87 val images": how many there are, and of which split; empty where unknown."""
    if comparison.val_images is None:
        return ""
    split = comparison.data.get("split", "test")  # of external detections: whatever judges them
    return f"{comparison.val_images:,} {split} images"


def scale(comparison: Comparison) -> str:
    """What the numbers are measured in, and on."""
    images = f", on {judged_images}" if (judged_images := images_of(comparison)) else ""
    trained = any(each.parameters is not None for each in comparison.variants)
    last = ", of each run's last checkpoint" if trained else ""  # else external detections
    text = f"AP is AP50:95 in points (0-100){images}{last}."
    if comparison.groups is not None:
        text += f" Drawn again and again are not single images but {comparison.groups}."
    return text


def warnings(comparison: Comparison) -> list[str]:
    """What is said before any verdict: that the study is not finished, or was not planned."""
    lines = []
    if comparison.pending:
        lines.append(
            f"INTERIM: {_are(comparison.pending, 'planned run')} still to come. This is not the "
            "study's result: whoever looks now and stops when the word pleases is wrong more often "
            "than alpha says."
        )
    if comparison.dropped:
        missing = _are(len(comparison.dropped), "run")
        lines.append(f"{missing} missing from these numbers, see below.")
    if comparison.plan is None and comparison.judged():
        lines.append(UNPLANNED)
    return lines


def _headline(comparison: Comparison) -> str:
    if comparison.alone:
        noise = comparison.seed_noise
        if noise is None:
            return f"{comparison.baseline}, compared with nothing"
        return f"{comparison.baseline} scatters by {size(noise.sd)} AP from seed to seed"
    blocks = [pair for pair in comparison.judged() if pair[0].role != "control"]
    if not blocks:
        names = [each.name for each in comparison.variants[1:]]
        return f"No verdict on {names[0] if len(names) == 1 else f'{len(names)} variants'}"
    words = [Word(judgement.word) for _, judgement in blocks]
    if len(blocks) == 1:
        name = blocks[0][0].name
        if words[0] is Word.CANNOT_TELL:
            return f"Cannot tell whether {name} helps"
        return f"{name} {COUNTED[words[0]][0]}"
    counts = {word: words.count(word) for word in COUNTED if word in words}
    parts = [f"{number} {COUNTED[word][number > 1]}" for word, number in counts.items()]
    listed = ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]
    return f"Of {len(blocks)} variants, {listed}"


def _are(number: int, thing: str) -> str:
    return f"{count(number, thing)} {'is' if number == 1 else 'are'}"


def _ways(judgement: Judgement, settling: Settling, terms: Terms) -> tuple[list[str], bool]:
    """Return what finds the effect seen and the smallest worth having, and if anything does."""
    unit = _unit(judgement)
    effects = {f"one of {terms.sesoi:.2f} AP": settling.sesoi}
    if settling.seen is not None:
        effects = {"an effect as large as this one": settling.seen, **effects}
    ways = []
    for effect, need in effects.items():
        if need.seeds is not None:
            ways.append(f"about {_rounded(need.seeds)} seeds a side find {effect}")
        elif need.images is not None:
            ways.append(f"about {_rounded(need.images):,} {unit} find {effect}")
    affordable = bool(ways)
    if len(ways) < len(effects):
        seeds = max(AFFORDABLE_SEEDS, len(judgement.seeds))
        found = size(fraction(settling.affordable))
        ways.append(f"{seeds} seeds a side on {judgement.images} {unit} find {found} AP and more")
    return ways, affordable


def _unit(judgement: Judgement) -> str:
    return "groups of images" if judgement.grouped else "images"


def _rounded(number: int) -> int:
    """Up to two digits, of which the second is 0 or 5 from 10 on: it is a rough number."""
    if number <= 10:
        return number
    step = 5 * int(10 ** (len(str(number)) - 2))
    return -(-number // step) * step


def _how_much(judgement: Judgement, terms: Terms) -> str:
    if judgement.amount == Amount.WORTHWHILE.value:
        hurts = judgement.word == Word.HURTS.value
        amount = "an amount that matters" if hurts else "a worthwhile amount"
        return f" by {amount} (at least {terms.sesoi:.2f} AP)"
    if judgement.amount == Amount.SMALL.value:
        return f", but by less than the {terms.sesoi:.2f} AP that would matter"
    return f"; whether by the {terms.sesoi:.2f} AP that would matter is open"


def _why_none(judgement: Judgement, terms: Terms) -> str:
    if judgement.identical:
        return (
            f"both sides are identical on every image ({_size(judgement)}),"
            " as separate trainings hardly ever are"
        )
    interval = _interval(judgement.narrow, 2 * judgement.alpha)
    return (
        f"if it does anything, then less than {terms.sesoi:.2f} AP either way"
        f" ({_difference(judgement)}, {interval}, {_size(judgement)})"
    )


def _why_open(judgement: Judgement, terms: Terms) -> str:
    difference = _difference(judgement)
    if judgement.identical:
        return f"both sides are identical on every image ({_size(judgement)})"
    if len(judgement.seeds) == 1:
        return f"one run each ({difference}) cannot be told from the effect of its seed"
    if judgement.interval is None:
        return f"{difference} without any noise to compare it with: check the data"
    if len(judgement.seeds) == 2:
        interval = _interval(judgement.interval, judgement.alpha)
        return f"2 seeds give an interval ({difference}, {interval}) but are too few for a verdict"
    return f"{_why_undecided(judgement, terms)} ({_numbers(judgement, terms)})"


def _why_undecided(judgement: Judgement, terms: Terms) -> str:
    """Say why the interval of three seeds or more decides nothing."""
    if judgement.effective < MIN_IMAGES:
        worth = f"{judgement.effective:.1f} if they were equally large"
        return f"{judgement.images} {_unit(judgement)} ({worth}) are too few for a verdict"
    if judgement.why == Why.IMAGES.name:
        return "no number of seeds could decide it on these images"
    lower, upper = (100 * end for end in judgement.interval or (0.0, 0.0))
    if lower > 0 or upper < 0:
        many = "so many variants and looks" if judgement.looks else f"{judgement.family} variants"
        return (
            f"its interval alone leaves out 0, but with {many} one of them does so by chance too"
            " often"
        )
    gain, loss = upper >= terms.sesoi, lower <= -terms.sesoi
    either = "a gain or a loss" if gain and loss else "a gain" if gain else "a loss"
    return f"{either} that would matter is still possible, and so is no effect at all"


def _numbers(judgement: Judgement, terms: Terms) -> str:
    interval = _interval(judgement.interval, judgement.alpha)
    return f"{_difference(judgement)}, {interval}, {_p(judgement)}, {_size(judgement)}"


def _difference(judgement: Judgement) -> str:
    return f"{signed(judgement.difference)} AP"


def _interval(ends: Ends | None, alpha: float) -> str:
    return f"{confidence(alpha)} interval {span(ends)}"


def _p(judgement: Judgement) -> str:
    p = judgement.p_value if judgement.p_holm is None else judgement.p_holm
    number = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    return f"{number} (Holm, {judgement.family} variants)" if judgement.family > 1 else number


def _size(judgement: Judgement) -> str:
    size = f"{count(len(judgement.seeds), 'seed')}, {judgement.images} {_unit(judgement)}"
    return f"{size}, decided at look {judgement.looks[-1].number}" if judgement.looks else size

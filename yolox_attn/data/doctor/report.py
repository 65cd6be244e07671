"""What the doctor reports: findings, the worst first, as text, Markdown and json."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from yolox_attn.console import as_line, called_as, count, printable, shortlist
from yolox_attn.errors import InputError

Level = Literal["error", "warning", "repaired"]
LEVELS: tuple[Level, ...] = ("error", "warning", "repaired")  # the worst first
EXAMPLES = 5  # kept of each finding


@dataclass(frozen=True)
class Finding:
    """One kind of fault: an error stops, a warning does not, a repair is made in memory.

    `code` is its short fixed name, `split` "train", "val", "test" or "both" (train and val),
    `count` how many cases, `examples` the first few of them; `counted` is False of what is so or
    not, whose count of 1 says nothing.
    """

    level: Level
    code: str
    split: str
    message: str
    count: int
    examples: tuple[str, ...] = ()
    counted: bool = True

    @property
    def line(self) -> str:
        """The finding in one line."""
        cases = f": {self.count}" if self.counted else ""
        shown = f" ({shortlist(self.examples)})" if self.examples else ""
        return as_line(f"{self.split}: {self.message}{cases}{shown}")


def finding(level: Level, code: str, split: str, message: str, cases: Iterable[str]) -> Finding:
    """Make a finding of its cases; one without cases has count 0, which a Report leaves out."""
    found = list(cases)
    return Finding(level, code, split, message, len(found), tuple(found[:EXAMPLES]))


@dataclass(frozen=True)
class Report:
    """Findings of an examination; those that count nothing are left out."""

    findings: Sequence[Finding]
    examined: dict[str, dict[str, int]] = field(default_factory=dict)
    """split -> how many "images", "boxes", "classes", "read"."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "findings", [each for each in self.findings if each.count])

    @property
    def errors(self) -> list[Finding]:
        """What makes training on these data pointless or impossible."""
        return self._of("error")

    @property
    def warnings(self) -> list[Finding]:
        """What a person should look at; training works."""
        return self._of("warning")

    @property
    def repairs(self) -> list[Finding]:
        """What was put right in memory; the files are as they were."""
        return self._of("repaired")

    @property
    def tally(self) -> str:
        """How many kinds of each level there are."""
        return (
            f"{count(len(self.errors), 'kind')} of error, {len(self.warnings)} of warning, "
            f"{len(self.repairs)} repaired in memory"
        )

    def scope(self) -> list[str]:
        """Return what was examined, a line a split."""
        lines = []
        for split, number in self.examined.items():
            whole = number["read"] == number["images"]
            read = "every image" if whole else f"a sample of {number['read']} images"
            counts = ", ".join(f"{number[key]} {key}" for key in ("images", "boxes", "classes"))
            lines.append(f"examined {split}: {counts}; {read} read")
        return lines

    def lines(self) -> list[str]:
        """Return the report as lines of text, errors first."""
        return [f"{each.level:<8} {each.line}" for each in self._ordered()]

    def refuse(self) -> None:
        """Stop here if there are errors.

        Raises:
            InputError: names the first error, and how many more there are.
        """
        if not self.errors:
            return
        first, *others = self.errors
        more = f"; and {count(len(others), 'more kind')} of error" if others else ""
        raise InputError(
            f"the data cannot be trained on: {first.line}{more}; "
            f"{called_as('doctor')} lists all, --skip-doctor trains nonetheless"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for a json file."""
        return {
            "examined": self.examined,
            "errors": len(self.errors),
            "warnings": len(self.warnings),
            "repaired": len(self.repairs),
            "findings": [asdict(each) for each in self.findings],
        }

    def as_markdown(self) -> str:
        """Return a table of the findings, errors first."""
        rows = [
            "# Data report",
            "",
            *(f"- {line}" for line in self.scope()),
            *([""] if self.examined else []),
            "| level | split | what | count | examples |",
            "|" + "---|" * 5,
        ]
        for each in self._ordered():
            cells = (
                each.level,
                each.split,
                printable(each.message),
                str(each.count) if each.counted else "",
                shortlist(each.examples),
            )
            rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        if not self.findings:
            rows[-2:] = ["Nothing was found."]
        return "\n".join(rows) + "\n"

    def _of(self, level: Level) -> list[Finding]:
        return [each for each in self.findings if each.level == level]

    def _ordered(self) -> list[Finding]:
        return [each for level in LEVELS for each in self._of(level)]

"""What the doctor says: findings, from the worst to the mildest, as text, Markdown and json."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from yolox_attn.console import called_as, printable, shortlist
from yolox_attn.errors import InputError

Level = Literal["error", "warning", "repaired"]
EXAMPLES = 5  # kept of each finding


@dataclass(frozen=True)
class Finding:
    """One kind of fault: an error stops, a warning is told, what is repaired is repaired in memory.

    `code` is its short fixed name, `split` "train", "val", "test" or "both" (train and val),
    `count` how many cases, `examples` the first few of them; `counted` is false of what is so or
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
        shown = f" ({shortlist(self.examples)})" if self.examples else ""
        count = f": {self.count}" if self.counted else ""
        return f"{self.split}: {printable(self.message)}{count}{shown}"


def finding(level: Level, code: str, split: str, message: str, cases: Iterable[str]) -> Finding:
    """Make a finding of its cases; one without cases has count 0, which a Report leaves out."""
    held = list(cases)
    return Finding(level, code, split, message, len(held), tuple(held[:EXAMPLES]))


@dataclass(frozen=True)
class Report:
    """Findings of an examination; those that count nothing are left out."""

    findings: tuple[Finding, ...]
    examined: dict[str, dict[str, int]]  # split -> how many "images", "boxes", "classes", "read"

    def __init__(
        self, findings: Iterable[Finding], examined: dict[str, dict[str, int]] | None = None
    ) -> None:
        object.__setattr__(self, "findings", tuple(each for each in findings if each.count))
        object.__setattr__(self, "examined", examined or {})

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What makes training on these data pointless or impossible."""
        return self._of("error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What a person should look at; training works."""
        return self._of("warning")

    @property
    def repairs(self) -> tuple[Finding, ...]:
        """What was put right in memory; the files are as they were."""
        return self._of("repaired")

    @property
    def tally(self) -> str:
        """How many kinds of each level there are."""
        errors = len(self.errors)
        return (
            f"{errors} kind{'s' * (errors != 1)} of error, {len(self.warnings)} of warning, "
            f"{len(self.repairs)} repaired in memory"
        )

    def scope(self) -> list[str]:
        """Return what was examined, a line a split."""
        lines = []
        for split, held in self.examined.items():
            every = held["read"] == held["images"]
            read = "every image" if every else f"a sample of {held['read']} images"
            counts = ", ".join(f"{held[key]} {key}" for key in ("images", "boxes", "classes"))
            lines.append(f"examined {split}: {counts}; {read} read")
        return lines

    def lines(self) -> list[str]:
        """Return the report as lines of text, errors first."""
        ordered = (*self.errors, *self.warnings, *self.repairs)
        return [f"{each.level:<8} {each.line}" for each in ordered]

    def refuse(self) -> None:
        """Stop here if there are errors.

        Raises:
            InputError: names the first error, and how many more there are.
        """
        if not self.errors:
            return
        more = len(self.errors) - 1
        rest = f"; and {more} more kind{'s' * (more > 1)} of error" if more else ""
        raise InputError(
            f"the data cannot be trained on: {self.errors[0].line}{rest}; "
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
        for each in (*self.errors, *self.warnings, *self.repairs):
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

    def _of(self, level: Level) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.level == level)

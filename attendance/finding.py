"""One thing that a doctor, of the kiosk or of the server, looked at, and how it is said."""

from dataclasses import dataclass, field

from attendance.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: doctor.CODE in the catalogue, and doctor.CODE.remedy when it is wrong."""

    code: str
    wrong: bool = False
    values: dict[str, object] = field(default_factory=dict)

    def sentences(self, words: Catalogue) -> tuple[str, ...]:
        """Return what was found, and what to do when it is wrong."""
        found = words.text(f"doctor.{self.code}", **self.values)
        return (found, words.text(f"doctor.{self.code}.remedy", **self.values)) if self.wrong else (found,)

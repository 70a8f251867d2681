"""The normal form of a customer's phrase: what differs in case, space or the way to write a character is one phrase.

Look-alikes inside one script stay different (UTS 39 calls them single-script confusables).

What is done (the Unicode texts are UAX 15, Normalization Forms; chapter 3.13 of the standard, Default Case
Algorithms; UTS 39, Security Mechanisms):

1. Refused as it came: more than 256 characters; half of a surrogate pair; control characters, tabs and line breaks
   among them; format characters (zero width, direction, soft hyphen); what is private or not assigned; what fonts
   leave blank (UAX 44, Default_Ignorable_Code_Point, and the blank Braille cell).
2. Compatibility caseless form: NFD, then case folding and NFKC until nothing changes (D146, with composition).
3. Every run of space separators becomes one space; none stands at either end.
4. 3 to 64 characters are left.
5. A word does not begin with a combining mark, has no enclosing mark, has at most four marks on one character, and
   never the same one twice running (UTS 39, 5.4).
6. Letters, marks and digits of one word are of one script, or of a set that people write together: Latin and Chinese
   with Japanese kana, with Korean, or with Bopomofo (UTS 39, 5.2, "highly restrictive"). Marks and letters of no
   script go with every one.
7. The digits of a phrase are of one number system (UTS 39, 5.3).

A newer Unicode only adds characters (stability policy), so that what has a normal form today keeps it.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final, NoReturn

from portal.core.errors import FieldProblem, InvalidInput

SHORTEST, LONGEST = 3, 64  # after the normal form
LONGEST_SENT: Final = 256  # as it came: what is kept sealed
MOST_MARKS: Final = 4

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANK: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
_ROUNDS: Final = 8  # two are enough for every character there is
_TOGETHER: Final = (
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "CJK", "HANGUL"}),
    frozenset({"LATIN", "CJK", "BOPOMOFO"}),
)
# What the first word of a character's name says about its script; any other word is the script's own name. (Python
# knows no scripts. Only Tangut's ideographs have no names there.)
_NO_SCRIPT: Final = frozenset(
    {"COMBINING", "MODIFIER", "DIGIT", "KATAKANA-HIRAGANA", "VERTICAL", "VEDIC", "CARON", "MASU", "MUSICAL"}
)
_ALSO: Final = {
    "": "TANGUT",
    "ARABIC-INDIC": "ARABIC",
    "EXTENDED": "ARABIC",
    "HANGZHOU": "CJK",
    "HENTAIGANA": "HIRAGANA",
    "IDEOGRAPHIC": "CJK",
    "ROMAN": "LATIN",
    "TURNED": "LATIN",
}
_TWO_WORDS: Final = frozenset({"OLD", "NEW", "TAI", "LINEAR", "KHITAN", "NYIAKENG", "PAU", "SORA", "OL"})


def normal_form(text: str) -> str:
    """The form by which a phrase is found and compared. The normal form of a normal form is itself.

    Raises InvalidInput `phrase`, its one field `phrase` with the rule that is broken: `required`, `min-length`,
    `max-length`, `character`, `marks`, `mixed-scripts`, `mixed-digits`.
    """
    if len(text) > LONGEST_SENT:
        _refuse("max-length", f"A phrase is sent in at most {LONGEST_SENT} characters.")
    _require_seen(text)
    folded = _spaced(_folded(text))
    _require_seen(folded)
    if not folded:
        _refuse("required", "A phrase is required.")
    if len(folded) < SHORTEST:
        _refuse("min-length", f"A phrase has at least {SHORTEST} characters.")
    if len(folded) > LONGEST:
        _refuse("max-length", f"A phrase has at most {LONGEST} characters.")
    for word in folded.split(" "):
        _require_good_marks(word)
        _require_one_script(word)
    _require_one_number_system(folded)
    return folded


def _refuse(rule: str, message: str) -> NoReturn:
    raise InvalidInput(message, code="phrase", fields=(FieldProblem("phrase", rule, message),))


def _require_seen(text: str) -> None:
    if any(character in _BLANK or unicodedata.category(character) in _UNSEEN for character in text):
        _refuse("character", "A phrase has no characters that cannot be seen.")


def _folded(text: str) -> str:
    """The marks are apart when case is folded: one of them becomes a letter (U+0345), whatever it hangs on."""
    folded = text
    for _ in range(_ROUNDS):
        before = folded
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", before).casefold())
        if folded == before:
            return folded
    _refuse("character", "A phrase has no characters that change whenever they are written.")


def _spaced(text: str) -> str:
    return re.sub(" +", " ", "".join(" " if _is_space(character) else character for character in text)).strip(" ")


def _is_space(character: str) -> bool:
    return unicodedata.category(character) == "Zs"


def _require_good_marks(word: str) -> None:
    running = 0
    previous = ""
    for position, character in enumerate(unicodedata.normalize("NFD", word)):
        category = unicodedata.category(character)
        running = running + 1 if category == "Mn" else 0
        bare = category[0] == "M" and position == 0
        if bare or category == "Me" or running > MOST_MARKS or (running and character == previous):
            _refuse("marks", "A phrase has no marks that stand alone or pile up.")
        previous = character


def _require_one_script(word: str) -> None:
    scripts = frozenset(_scripts(word))
    if len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER):
        _refuse("mixed-scripts", "A word of a phrase has letters of one alphabet.")


def _scripts(word: str) -> Iterator[str]:
    for character in word:
        if unicodedata.category(character)[0] in "LM" or unicodedata.category(character) in {"Nd", "Nl"}:
            first, _, rest = unicodedata.name(character, "").partition(" ")
            if first in _TWO_WORDS:
                yield f"{first} {rest.partition(' ')[0]}"
            elif first not in _NO_SCRIPT:
                yield _ALSO.get(first, first)


def _require_one_number_system(text: str) -> None:
    zeros = {ord(digit) - unicodedata.decimal(digit) for digit in text if unicodedata.category(digit) == "Nd"}
    if len(zeros) > 1:
        _refuse("mixed-digits", "The digits of a phrase are of one kind.")

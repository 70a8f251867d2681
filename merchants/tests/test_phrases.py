"""The normal form of phrases: what counts as the same, and what is refused by which rule."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from merchants.phrases import LONGEST, LONGEST_SENT, SHORTEST, normal_form
from portal.core.errors import InvalidInput

SAME = {
    "case": (["Blue Heron", "BLUE HERON", "blue heron", "bLUE hERON"], "blue heron"),
    "outer-spaces": (["  blue heron ", "\u3000blue heron\u2003"], "blue heron"),
    "inner-spaces": (["blue \u00a0 heron", "blue\u2009heron", "blue\u1680heron", "blue\u202fheron"], "blue heron"),
    "full-width": (["Ｂｌｕｅ　Ｈｅｒｏｎ", "blue heron"], "blue heron"),
    "mathematical-letters": (["𝐁𝐥𝐮𝐞 𝕳𝖊𝖗𝖔𝖓", "blue heron"], "blue heron"),
    "ligatures": (["ﬁve ﬂoors", "five floors"], "five floors"),
    "sharp-s": (["Straße", "STRASSE", "STRAẞE", "strasse"], "strasse"),
    "composed-and-apart": (["Café au lait", "Cafe\u0301 au lait", "CAFÉ AU LAIT"], "café au lait"),
    "sigma": (["ΟΔΟΣ", "οδος", "οδοσ"], "οδοσ"),
    "iota-below": (["ᾳᾳᾳ", "\u03b1\u0345\u03b1\u0345\u03b1\u0345", "ΑΙΑΙΑΙ"], "αιαιαι"),
    "marks-in-any-order": (["a\u0323\u0301bc", "a\u0301\u0323bc"], "ạ\u0301bc"),
    "kelvin-and-angstrom": (["K\u212a\u212b", "kkå", "KKÅ"], "kkå"),
    "circled-and-raised-digits": (["①②③", "¹²³", "123"], "123"),
    "half-width-kana": (["ｶﾞﾗｽ", "ガラス"], "ガラス"),
    "cyrillic": (["Синяя Цапля", "СИНЯЯ ЦАПЛЯ"], "синяя цапля"),
    "arabic-presentation-forms": (["ﺳﻼﻡ", "سلام"], "سلام"),
}

GOOD = {
    "japanese": "青いサギ の羽",
    "japanese-with-latin": "青いサギblue",
    "korean": "푸른 왜가리",
    "korean-with-han": "青왜가리",
    "chinese-with-bopomofo": "藍ㄌㄢˊ鷺",
    "hindi": "नीला बगुला",
    "thai": "นกกระสา",
    "hebrew-with-points": "שָׁלוֹם",
    "vietnamese": "chim diệc xanh",
    "persian-digits": "حواصیل ۱۲۳",
    "hawaiian": "ʻaukuʻu",
    "symbols": "heron & co. 100%",
    "picture": "🦆 duck",
    "each-word-its-own-script": "blue цапля",
    "digits": "123",
}

REFUSED = {
    "nothing": ("", "required"),
    "spaces-only": (" \u00a0\u3000 ", "required"),
    "two": ("ab", "min-length"),
    "two-after-folding": (" ab\u3000", "min-length"),
    "sixty-five": ("a" * 65, "max-length"),
    "sixty-five-after-folding": ("ﬃ" * 22, "max-length"),
    "long-as-sent": ("abc" + " " * (LONGEST_SENT - 2), "max-length"),
    "very-long": ("a" * 1_000_000, "max-length"),
    "zero-width-space": ("blue\u200bheron", "character"),
    "zero-width-joiner": ("blue\u200dheron", "character"),
    "word-joiner": ("blue\u2060heron", "character"),
    "byte-order-mark": ("\ufeffblue heron", "character"),
    "soft-hyphen": ("blue\u00adheron", "character"),
    "grapheme-joiner": ("blue\u034fheron", "character"),
    "variation-selector": ("blue\ufe0f heron", "character"),
    "hangul-filler": ("blue\u3164heron", "character"),
    "half-width-filler": ("blue\uffa0heron", "character"),
    "braille-blank": ("blue\u2800heron", "character"),
    "right-to-left-override": ("blue\u202eheron", "character"),
    "isolate": ("\u2066blue heron\u2069", "character"),
    "tag": ("blue\U000e0041heron", "character"),
    "nul": ("blue\x00heron", "character"),
    "tab": ("blue\theron", "character"),
    "new-line": ("blue\nheron", "character"),
    "line-separator": ("blue\u2028heron", "character"),
    "paragraph-separator": ("blue\u2029heron", "character"),
    "delete": ("blue\x7fheron", "character"),
    "half-a-pair": ("blue\ud800heron", "character"),
    "private-use": ("blue\ue000heron", "character"),
    "not-a-character": ("blue\ufdd0heron", "character"),
    "not-assigned": ("blue\U000e1000heron", "character"),
    "mark-first": ("\u0301blue", "marks"),
    "mark-after-a-space": ("blue \u0301heron", "marks"),
    "mark-that-compatibility-lets-loose": ("blue\u00b4heron\u00b4", "marks"),
    "enclosing-mark": ("blue h\u20ddron", "marks"),
    "same-mark-twice": ("blue he\u0301\u0301ron", "marks"),
    "five-marks": ("h\u0300\u0301\u0302\u0303\u0304ron", "marks"),
    "cyrillic-a-in-latin": ("p\u0430ypal", "mixed-scripts"),
    "cyrillic-capital-in-latin": ("BLUE HER\u041eN", "mixed-scripts"),
    "greek-omicron-in-latin": ("her\u03bfn", "mixed-scripts"),
    "latin-in-cyrillic": ("цaпля", "mixed-scripts"),
    "armenian-in-latin": ("\u0570eron", "mixed-scripts"),
    "cherokee-in-latin": ("\u13aaron", "mixed-scripts"),
    "arabic-in-hebrew": ("שלוםسلام", "mixed-scripts"),
    "kana-with-hangul": ("サギ왜", "mixed-scripts"),
    "cyrillic-with-han": ("ц青鷺", "mixed-scripts"),
    "bengali-digit-in-latin": ("heron\u09ea", "mixed-scripts"),
    "tangut-with-latin": ("\U00017000ab", "mixed-scripts"),
    "two-kinds-of-digits": ("1\u0662\u0663", "mixed-digits"),
    "two-kinds-of-arabic-digits": ("\u0661\u0662 \u06f3", "mixed-digits"),
}


@pytest.mark.parametrize("name", SAME)
def test_what_people_take_for_the_same_is_the_same(name: str) -> None:
    spellings, normal = SAME[name]
    assert {normal_form(text) for text in spellings} == {normal}


@pytest.mark.parametrize("name", GOOD)
def test_every_language_has_phrases(name: str) -> None:
    normal = normal_form(GOOD[name])
    assert normal == unicodedata.normalize("NFKC", GOOD[name]).casefold() == normal_form(normal)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_told_apart_is_refused_by_its_rule(name: str) -> None:
    text, rule = REFUSED[name]
    with pytest.raises(InvalidInput) as refusal:
        normal_form(text)
    assert refusal.value.code == "phrase"
    assert [(one.field, one.code) for one in refusal.value.fields] == [("phrase", rule)]
    assert len(text.strip()) < 3 or text.strip() not in refusal.value.message


@pytest.mark.parametrize(
    ("one", "other"), [("blue heron", "blueheron"), ("coco", "сосо"), ("heron", "héron"), ("abc1", "abcl")]
)
def test_what_differs_stays_apart(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


def test_the_bounds_are_counted_in_the_normal_form() -> None:
    assert len(normal_form("a" * SHORTEST)) == SHORTEST
    assert len(normal_form("a" * LONGEST)) == LONGEST
    assert len(normal_form("ﬃ" * 21)) == 63
    assert normal_form("a  " * 21 + "a") == ("a " * 22).strip()
    assert normal_form("abc" + " " * (LONGEST_SENT - 3)) == "abc"


def attempt(text: str) -> str | None:
    """The normal form, or None where it is refused; no other error."""
    try:
        return normal_form(text)
    except InvalidInput as refusal:
        if (refusal.code, [one.field for one in refusal.fields]) != ("phrase", ["phrase"]):
            raise
        return None


@given(st.text(st.characters(codec=None), max_size=80))
def test_a_text_is_a_phrase_or_refused_and_nothing_else(text: str) -> None:
    normal = attempt(text)
    if normal is not None:
        assert normal_form(normal) == normal
        assert SHORTEST <= len(normal) <= LONGEST
        assert normal.split(" ") == normal.split()


@given(st.text("abc ABC äÄßéèñ ΣσςΩ цЦя 漢あア\u00a0\u0301\u0345ǅﬁ", min_size=1, max_size=30))
def test_case_and_spaces_change_nothing(text: str) -> None:
    normal = attempt(text)
    assert attempt(text.casefold()) == normal
    assert attempt(f"  {text}\u3000") == normal
    assert attempt(text.replace(" ", " \u2009 ")) == normal
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert attempt(unicodedata.normalize(form, text)) == normal


@pytest.mark.slow
def test_every_character_there_is_has_a_stable_form_or_none() -> None:
    for number in range(0x110000):
        if normal := attempt(f"{chr(number)}{chr(number)}{chr(number)}"):
            assert normal_form(normal) == normal

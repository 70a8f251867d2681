import pytest

from portal.core.texts import line_problems


@pytest.mark.parametrize(
    ("value", "required", "codes"),
    [
        ("Ada", True, []),
        ("", False, []),
        ("  ", False, []),
        ("", True, ["required"]),
        ("\n", True, ["required"]),
        ("12345", True, []),
        ("123456", True, ["max-length"]),
        ("a\nb", False, ["invalid-format"]),
        ("a\0", True, ["invalid-format"]),
        ("a\u202eb", True, ["invalid-format"]),
    ],
)
def test_a_line_has_one_problem_at_most(value: str, required: bool, codes: list[str]) -> None:
    problems = line_problems("name", value, longest=5, required=required)
    assert [(problem.field, problem.code) for problem in problems] == [("name", code) for code in codes]

"""One line of text as people type it: the same rule at every operation."""

from portal.core.errors import FieldProblem


def line_problems(field: str, value: str, *, longest: int, required: bool = False) -> list[FieldProblem]:
    """What is wrong with a line of text; outer spaces do not make it one.

    longest: in characters, outer spaces included. Codes: `required`, `max-length`, and `invalid-format` for
    characters that no person types.
    """
    if not value.strip():
        return [FieldProblem(field, "required", "This is required.")] if required else []
    if len(value) > longest:
        return [FieldProblem(field, "max-length", f"This has at most {longest} characters.")]
    if not value.isprintable():
        return [FieldProblem(field, "invalid-format", "This has characters that cannot be shown.")]
    return []

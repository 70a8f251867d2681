"""Every sealed column and every blind index of the product is known to a change of keys."""

from django.apps import apps
from django.db import models

from portal import sealed


def fields_named(ending: str) -> set[str]:
    return {
        f"{model._meta.label_lower}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.Field) and field.name.endswith(ending)
    }


def test_every_sealed_column_is_registered() -> None:
    assert {column.place for column in sealed.columns()} == fields_named("_sealed")


def test_every_blind_index_is_registered() -> None:
    assert {index.place for index in sealed.indexes()} == {
        name.removesuffix("_next") for name in fields_named("_index_next")
    }


def test_what_a_text_is_bound_to_is_a_column_of_its_row() -> None:
    for column in sealed.columns():
        names = {field.attname for field in column.model._meta.concrete_fields} | {"pk"}
        assert column.row in names, column.place


def test_each_purpose_is_one_columns() -> None:
    purposes = [column.purpose for column in sealed.columns()]
    assert len(purposes) == len(set(purposes))


def test_a_repeat_changes_nothing() -> None:
    before = sealed.columns()
    sealed.register(*before, indexes=tuple(sealed.indexes()))
    assert sealed.columns() == before

"""What makes the admin's lists stay fast when the tables are long: bounded counts, filters that ask nothing."""

from collections.abc import Iterable
from typing import Any, ClassVar, cast

from django.contrib.admin.filters import SimpleListFilter
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

COUNTED_UP_TO = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts, and turns pages, up to 10,000 rows: search or filter for what lies beyond. One bounded query."""

    @cached_property
    def count(self) -> int:
        rows = cast("QuerySet[Model]", self.object_list)
        return rows.order_by()[:COUNTED_UP_TO].count()


class ChoiceFilter(SimpleListFilter):
    """A filter over a closed list of values, made without a query. Any other value filters nothing."""

    values: ClassVar[Iterable[tuple[str, str]]]

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return list(self.values)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value()
        known = {value for value, _ in self.lookup_choices}
        return queryset.filter(**{str(self.parameter_name): wanted}) if wanted in known else queryset


def choice_filter(name: str, values: Iterable[tuple[str, str]], title: str = "") -> type[ChoiceFilter]:
    """A filter on the column `name`. values: (value, label for people)."""
    shown = title or name.replace("_", " ")
    return type("Filter", (ChoiceFilter,), {"parameter_name": name, "title": shown, "values": tuple(values)})

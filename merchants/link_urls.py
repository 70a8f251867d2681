"""The portal's pages about links, and about who was looked up."""

from django.urls import path

from merchants.views import links, sightings

app_name = "links"
urlpatterns = [
    path("links", links.link_list, name="list"),
    path("links/new", links.link_new, name="new"),
    path("links/export", links.export, name="export"),
    path("links/lookups", sightings.lookups, name="lookups"),
    path("links/lookups/export", sightings.export, name="lookups-export"),
    path("links/<uuid:link_id>", links.link_detail, name="detail"),
    path("links/<uuid:link_id>/cut", links.link_cut, name="cut"),
    path("customers/<uuid:customer_id>/merchants", sightings.customer, name="customer"),
]

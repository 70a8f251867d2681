"""Addresses of the demo's identity provider, below demo/provider/."""

from django.urls import path

from portal.demo import provider_views as views

app_name = "demo-provider"
urlpatterns = [
    path("keys", views.keys, name="keys"),
    path("id-token", views.id_token, name="id-token"),
    path("authorize", views.authorize, name="authorize"),
    path("token", views.token, name="token"),
]

"""Where customers of a bank are sent to sign in, and come back: below oauth/."""

from django.urls import path

from portal.api import authorize_views as views

urlpatterns = [
    path("authorize", views.authorize, name="oauth-authorize"),
    path("callback", views.callback, name="oauth-callback"),
    path("wait", views.wait, name="oauth-wait"),
]

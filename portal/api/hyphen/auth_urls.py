"""Hyphen's addresses below /auth/v1/. The last line catches every address that nobody has."""

from django.urls import path, re_path

from portal.api.hyphen import auth_views as views
from portal.api.hyphen.views import UnknownHyphenView

app_name = "hyphen-auth"
urlpatterns = [
    path("signin/challenge", views.ChallengeView.as_view(), name="challenge"),
    path("signin/challenge/respond", views.RespondView.as_view(), name="respond"),
    path("signin/2fa", views.NewDeviceView.as_view(), name="new-device"),
    path("signin/2fa/finish", views.FinishView.as_view(), name="finish"),
    path("refresh", views.RefreshView.as_view(), name="refresh"),
    path("signup", views.SignUpView.as_view(), name="sign-up"),
    re_path(r"[\s\S]*", UnknownHyphenView.as_view(), name="unknown"),
]

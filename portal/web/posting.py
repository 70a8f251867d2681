"""Pages with several forms."""

from portal.web.access import StaffRequest
from portal.web.forms import Data


def posted(request: StaffRequest, field: str) -> Data:
    """What was sent, for the form that alone has this field; None for the page's other forms."""
    return request.POST if request.method == "POST" and field in request.POST else None

"""Evidence for tests: packages, and the script that stands in docs, as somebody else would load it."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from portal.audit import sealing
from twofa.models import TwoFactorRequest
from twofa.operations.answering import approve_request
from twofa.operations.evidence import take_evidence, written
from twofa.tests.asking import Scene, signed

SCRIPT: Final = Path(__file__).resolve().parents[2] / "docs" / "check_evidence.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_evidence", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


script: Final = _load()


def approved(scene: Scene, **values: Any) -> TwoFactorRequest:
    request = scene.ask(**values).request
    return approve_request(actor=scene.owner, id=str(request.pk), signature=signed(request))


def package(scene: Scene, request: TwoFactorRequest) -> dict[str, Any]:
    sealing.seal_now()
    found: dict[str, Any] = json.loads(written(take_evidence(actor=scene.server, id=str(request.pk))))
    return found


def check(found: dict[str, Any], **values: str) -> Any:
    return script.check(json.dumps(found), **values)

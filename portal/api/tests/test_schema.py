"""The OpenAPI documents and the pages that show them."""

import json
import re
from typing import Any

import pytest
import yaml
from django.contrib.staticfiles import finders
from django.test import Client
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from devices.tests.factories import make_application, make_bank, make_customer, make_device, make_key, make_token
from portal.api.docs import documented
from portal.api.registry import MOUNTED
from portal.api.schema import document
from portal.api.tests.doors import ADIBA, ASSECO, HYPHEN, Caller

NAMES = ["adiba", "asseco", "hyphen", "peere", "spid"]
DOCUMENTS: dict[str, Any] = {mounted.dialect.name: document(mounted) for mounted in MOUNTED if mounted.has_schema}
each_dialect = pytest.mark.parametrize("name", NAMES)

OPERATIONS = {
    "hyphen": {
        ("get", "/device/v1/devices"),
        ("put", "/device/v1/devices/{public_key}"),
        ("get", "/device/v1/2fa"),
        ("post", "/device/v1/2fa"),
        ("get", "/device/v1/2fa/{id}"),
        ("put", "/device/v1/2fa/{id}"),
        ("delete", "/device/v1/2fa/{id}"),
        ("post", "/device/v1/2fa/{id}/approve"),
        ("get", "/device/v1/2fa/{id}/evidence"),
        ("post", "/auth/v1/signin/challenge"),
        ("post", "/auth/v1/signin/challenge/respond"),
        ("post", "/auth/v1/signin/2fa"),
        ("post", "/auth/v1/signin/2fa/finish"),
        ("post", "/auth/v1/refresh"),
        ("post", "/auth/v1/signup"),
    },
    "peere": {
        ("post", "/v1/bank/customer/device/link"),
        ("post", "/v1/bank/customer/device/unlink"),
        ("get", "/v1/bank/devices/list"),
        ("post", "/v1/customer/device/lookup"),
    },
    "spid": {("post", "/api/2/devices"), ("post", "/api/2/devices.json")},
    "adiba": {
        ("get", "/v1/device/status"),
        ("post", "/v1/device/status"),
        ("get", "/v1/device/approvals/{approval_id}"),
        ("post", "/v1/device/cert/request"),
        ("get", "/v1/device/cert/request/{csr_id}"),
        ("post", "/v1/device/cert/sign"),
        ("post", "/v1/device/cert/bundle"),
        ("post", "/v1/device/cert/rotate"),
        ("get", "/v1/device/cert/rotate/{rotation_id}"),
        ("post", "/v1/device/cert/prove"),
        ("post", "/v1/device/pin"),
        ("post", "/v1/device/pin/change"),
        ("post", "/v1/device/pin/reset"),
        ("post", "/v1/device/pin/confirm"),
        ("post", "/v1/device/ownership/transfer"),
        ("post", "/v1/device/ownership/accept"),
        ("post", "/v1/device/ownership/decline"),
        ("post", "/v1/device/ownership/cancel"),
        ("get", "/v1/device/ownership/{transfer_id}"),
    },
    "asseco": {
        ("get", "/v1/device/approval-requests/{approval_id}"),
        ("get", "/v1/device/owned-devices"),
        ("post", "/v1/device/owned-devices"),
        ("get", "/v1/device/owned-devices/{device_id}"),
        ("put", "/v1/device/owned-devices/{device_id}/nickname"),
        ("put", "/v1/device/owned-devices/{device_id}/push-notification-handle"),
        ("post", "/v1/device/owned-devices/{device_id}/block"),
        ("post", "/v1/device/owned-devices/{device_id}/unblock"),
        ("post", "/v1/device/owned-devices/{device_id}/unregister"),
        ("get", "/v1/device/devices/{device_id}"),
        ("post", "/v1/device/devices/{device_id}/unregister"),
        ("get", "/v1/device/issued-devices"),
        ("get", "/v1/device/issued-devices/{device_id}"),
        ("put", "/v1/device/issued-devices/{device_id}/nickname"),
        ("get", "/v1/device/classifications"),
        ("get", "/v1/device/classifications/{schema_id}"),
        ("post", "/v1/device/owned-devices/{device_id}/report-lost"),
        ("post", "/v1/device/issued-devices/{device_id}/report-lost"),
    },
}


def operations(name: str) -> dict[tuple[str, str], Any]:
    return {
        (method, path): operation
        for path, methods in DOCUMENTS[name]["paths"].items()
        for method, operation in methods.items()
    }


@each_dialect
def test_the_document_needs_no_sign_in_and_is_openapi_3_1(name: str) -> None:
    response = Client().get(f"/api/{name}/schema")
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert response.json()["openapi"] == "3.1.0"
    assert response.json() == json.loads(json.dumps(DOCUMENTS[name]))


@each_dialect
@pytest.mark.parametrize(("query", "accept"), [("?format=yaml", "*/*"), ("", "application/yaml")])
def test_the_document_comes_as_yaml_to_who_asks(query: str, accept: str, name: str) -> None:
    response = Client().get(f"/api/{name}/schema{query}", headers={"accept": accept})
    assert (response.status_code, response["Content-Type"]) == (200, "application/yaml")
    assert yaml.safe_load(response.content) == json.loads(json.dumps(DOCUMENTS[name]))


@each_dialect
def test_every_operation_is_there_and_nothing_else(name: str) -> None:
    assert set(operations(name)) == OPERATIONS[name]


@each_dialect
def test_every_operation_needs_a_bearer_and_tells_its_refusals(name: str) -> None:
    schemes = DOCUMENTS[name]["components"]["securitySchemes"]
    assert schemes == {"bearer": {"type": "http", "scheme": "bearer"}}
    for (_, path), operation in operations(name).items():
        signs_in = path.startswith("/auth/v1/") and not path.endswith("/finish")  # with the application's secret
        assert operation.get("security", []) == ([] if signs_in else [{"bearer": []}])
        over_the_limit = "420" if name == "spid" else "429"
        assert {"400", "401", "403", over_the_limit, "500", "503"} <= set(operation["responses"])
        kinds = {
            kind for code, answer in operation["responses"].items() if code >= "400" for kind in answer["content"]
        }
        assert kinds == {"application/json" if name in {"asseco", "peere", "spid"} else "application/problem+json"}


def test_broken_business_rules_are_answered_on_writes_only() -> None:
    for (method, path), operation in operations("asseco").items():
        assert ("440" in operation["responses"]) == (method != "get"), path


@each_dialect
def test_names_are_the_wires(name: str) -> None:
    regular = r"[a-z]+(-[a-z]+)*|CreatedRecordStatus" if name == "asseco" else r"[a-z]+([A-Z][a-z]+)*"
    schemas = DOCUMENTS[name]["components"]["schemas"]
    names = {key for schema in schemas.values() for key in schema.get("properties", {})}
    names |= {
        parameter["name"]
        for operation in operations(name).values()
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query"
    }
    oauths = {"oauth_token", "client_id", "client_secret", "redirect_uri", "error_code", "error_description"}
    irregular = {key for key in names if not re.fullmatch(regular, key)}
    subjects = {"subjectDN", "CN", "O", "OU", "C"}
    assert irregular == {"spid": oauths, "adiba": subjects}.get(name, set())
    for schema in schemas.values():
        assert set(schema.get("required", [])) <= set(schema.get("properties", {}))
        Draft202012Validator.check_schema(schema)


def test_calls_that_may_wait_for_a_second_person_say_so() -> None:
    for name, waits in {
        "adiba": {("post", ADIBA)},
        "asseco": {
            ("post", f"{ASSECO}/{{device_id}}/unblock"),
            ("post", f"{ASSECO}/{{device_id}}/unregister"),
        },
    }.items():
        found = {key: operation["responses"].get("202") for key, operation in operations(name).items()}
        for key in waits:
            assert found[key]["content"]["application/json"]["schema"]["$ref"].endswith("/WaitingBody")
            assert "Location" in found[key]["headers"]
    # This one answers 202 without a body when it is done, too.
    other = operations("asseco")["post", "/v1/device/devices/{device_id}/unregister"]["responses"]["202"]
    assert ("second person" in other["description"], "content" in other) == (True, False)


def test_an_input_knows_no_other_fields_and_says_what_it_needs() -> None:
    register = DOCUMENTS["asseco"]["components"]["schemas"]["DescribedDevice"]
    assert register["additionalProperties"] is False
    assert register["anyOf"] == [
        {"required": ["external-device-identifier"]},
        {"required": ["external-device-id"]},
    ]
    change = DOCUMENTS["adiba"]["components"]["schemas"]["StatusChange"]
    assert change["required"] == ["action", "deviceId", "reason"]


@pytest.mark.django_db
def test_answers_are_as_the_document_says() -> None:
    ada = make_customer(make_bank())
    phone = make_device(ada, push_handle="handle")
    make_key(phone)
    caller = Caller(make_token(user=ada))
    for name, method, path, template in [
        ("adiba", "get", ADIBA, ADIBA),
        ("asseco", "get", ASSECO, ASSECO),
        ("asseco", "get", f"{ASSECO}/{phone.pk}", f"{ASSECO}/{{device_id}}"),
        ("asseco", "get", f"/v1/device/devices/{phone.pk}", "/v1/device/devices/{device_id}"),
        ("asseco", "get", f"{ASSECO}/unknown", f"{ASSECO}/{{device_id}}"),
        ("adiba", "get", f"{ADIBA}?deviceId=unknown", ADIBA),
        ("hyphen", "get", HYPHEN, HYPHEN),
    ]:
        response = caller.send(method.upper(), path)
        answer = operations(name)[method, template]["responses"][str(response.status_code)]
        schema = answer["content"][response["Content-Type"]]["schema"]
        whole = {**schema, "components": json.loads(json.dumps(DOCUMENTS[name]["components"]))}
        Draft202012Validator(whole).validate(response.json())


@pytest.mark.django_db
def test_peere_s_answers_are_as_the_document_says() -> None:
    ada = make_customer(make_bank())
    phone = make_device(ada)
    server, shop = (Caller(make_token(application=make_application(ada.bank, kind))) for kind in ("bank", "merchant"))
    link = {"customerId": ada.customer_number, "phrase": "Blue heron", "deviceId": phone.external_id}
    device, nobody = {"deviceId": phone.external_id}, {"deviceId": "nobody"}
    for caller, method, path, body, status in [
        (server, "post", "/v1/bank/customer/device/link", link, 200),
        (server, "post", "/v1/bank/customer/device/link", {**link, "phrase": "Red heron"}, 409),
        (server, "get", "/v1/bank/devices/list", None, 200),
        (shop, "get", "/v1/bank/devices/list", None, 403),
        (shop, "post", "/v1/customer/device/lookup", device, 200),
        (shop, "post", "/v1/customer/device/lookup", nobody, 404),
        (server, "post", "/v1/bank/customer/device/unlink", link, 200),
        (server, "post", "/v1/bank/customer/device/unlink", {}, 400),
    ]:
        response = caller.send(method.upper(), path, body)
        answer = operations("peere")[method, path]["responses"][str(response.status_code)]
        whole = {
            **answer["content"]["application/json"]["schema"],
            "components": json.loads(json.dumps(DOCUMENTS["peere"]["components"])),
        }
        assert response.status_code == status
        Draft202012Validator(whole).validate(response.json())


# The pages.


@each_dialect
def test_the_page_takes_everything_from_here_and_has_no_inline_script_or_style(name: str) -> None:
    response = Client().get(f"/api/{name}/docs")
    page = response.content.decode()
    assert response.status_code == 200
    assert f'data-schema="/api/{name}/schema"' in page
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert [address for address in addresses if not re.match(r"/(static/|api/|docs$|$)", address)] == []
    for address in addresses:
        if address.startswith("/static/"):
            assert finders.find(address.removeprefix("/static/").partition("#")[0]), address
    assert "<style" not in page
    assert not re.search(r"<script(?![^>]*src=)|\son[a-z]+=|style=", page)


@pytest.mark.parametrize("path", ["/api/est/schema", "/api/est/docs", "/api/none/schema", "/api/asseco"])
@pytest.mark.django_db
def test_a_dialect_that_is_not_there_has_no_page(path: str) -> None:
    assert Client().get(path).status_code == 404


def test_documents_are_only_read() -> None:
    assert Client().post("/api/asseco/schema").status_code == 405


def test_the_list_for_the_portal() -> None:
    assert [(one.name, one.docs_url, one.schema_url) for one in documented()] == [
        ("Adiba Devices API", "/api/adiba/docs", "/api/adiba/schema"),
        ("Asseco Device API", "/api/asseco/docs", "/api/asseco/schema"),
        ("Hyphen Device API", "/api/hyphen/docs", "/api/hyphen/schema"),
        ("Peere Customer Devices API", "/api/peere/docs", "/api/peere/schema"),
        ("SPiD Devices API", "/api/spid/docs", "/api/spid/schema"),
    ]
    assert all(one.about for one in documented())

from portal.embedded.sample_production import environment


def test_the_caller_s_own_settings_do_not_leak_in() -> None:
    values = environment({"PATH": "/bin", "PORTAL_MODE": "demo", "PORTAL_BIND": "::", "PORTAL_VAR": "/v"})
    assert values["PATH"] == "/bin"
    assert values["PORTAL_MODE"] == "production"
    assert values["PORTAL_VAR"] == "/v"
    assert "PORTAL_BIND" not in values


def test_every_secret_is_new_each_time() -> None:
    first, second = environment({}), environment({})
    names = [name for name in first if name.endswith(("_KEY", "_KEYS", "_PEPPERS"))]
    assert len(names) == 9
    assert all(first[name] != second[name] for name in names)
    assert len({first[name] for name in names}) == 9

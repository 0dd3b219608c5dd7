"""Webhooks reach public addresses only, however an address is spelt."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import pytest

from webhooks.urls import WebhookUrlForbidden, check_url, is_allowed, may_connect

PRIVATE = [
    *("127.0.0.1", "127.8.9.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "100.127.255.254", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255", "240.0.0.1"),
    *("255.255.255.255", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "192.0.0.1"),
    *("::1", "::", "fe80::1", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1", "100::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "2002:a00:1::"),
    *("64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "2001:0:4136:e378:8000:63bf:f5ff:fffe"),
    *(
        "::127.0.0.1",
        "::8.8.8.8",
        "fd00:ec2::254",
        "fec0::1",
        "3fff::1",
        "5f00::1",
        "2001:10::1",
        "2001:20::1",
    ),
    *("2606:4700::5efe:a00:1", "2606:4700::200:5efe:808:808", "192.31.196.1", "192.175.48.6", "192.52.193.1"),
    *("2620:4f:8000::1", "2001:4:112::1"),
    *(
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "192.88.99.1",
        "64:ff9b::a9fe:a9fe",
        "2002:c0a8:1::1",
    ),
]
FORBIDDEN = [
    *(f"https://{a}/" if ":" not in a else f"https://[{a}]/hook" for a in PRIVATE),
    "http://example.com/",
    "ftp://example.com/",
    "https:///hook",
    "https://user:secret@example.com/",
    "https://user@example.com/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0300.0250.1.1/",
    "https://0xa9.0xfe.0xa9.0xfe/",
    "https://0xa9fea9fe/",
    "https://2852039166/",
    "https://025177524776/",
    "https://017700000001/",
    "https://[::ffff:7f00:1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[fe80::1%25eth0]/",
    "https://127.0.0.1./",
    "https://localhost./",
    "https://LOCALHOST/",
    "https://metadata/",
    "https://redis/",
    "https://1.0.0.127.in-addr.arpa/",
    "https://router.home/",
    "https://example.com%00.internal/",
    "https://example.com:22/",
    "https://example.com:25/",
    "https://example.com:80/",
    "https://example.com:-1/",
    "https://example.com:x/",
    "https://{host}/",
    "https://127.0.0.1#@example.com/",
    "https://example.com@127.0.0.1/",
    "gopher://example.com/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https:example.com",
    "https://",
    "https://10.1/",
    "https://0/",
    "https://localhost/",
    "https://a.localhost/",
    "https://metadata.google.internal/",
    "https://printer.local/",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://exa mple.com/",
    "https://example.com\\@127.0.0.1/",
    "https://ex\u0430mple.com/",
    "https://[::1",
    "https://example.com/\r\nx: y",
    "//example.com/",
    "example.com",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_no_private_or_special_address_is_reached(address: str) -> None:
    assert not is_allowed(ipaddress.ip_address(address), ())


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are_reached(address: str) -> None:
    assert is_allowed(ipaddress.ip_address(address), ())


@pytest.mark.parametrize("url", FORBIDDEN)
def test_a_url_that_could_never_be_delivered_to_is_refused(url: str) -> None:
    with pytest.raises(WebhookUrlForbidden):
        check_url(url, allow_http=False, allowed=())


@pytest.mark.parametrize(
    "url", ["https://example.com/", "https://example.com:8443/a?b=c", "https://8.8.8.8/"]
)
def test_ordinary_urls_are_accepted(url: str) -> None:
    check_url(url, allow_http=False, allowed=())


def test_development_may_allow_networks_and_http() -> None:
    loopback = [ipaddress.ip_network("127.0.0.0/8")]
    check_url("http://127.0.0.1:9000/hook", allow_http=True, allowed=loopback)
    with pytest.raises(WebhookUrlForbidden):
        check_url("http://10.0.0.1/", allow_http=True, allowed=loopback)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com:22/",
        "https://8.8.8.8:25/",
        "https://[2606:4700::1111]:22/",
        "http://8.8.8.8:443/",
        "https://example.com:0/",
        "https://10.2.0.1/",
    ],
)
def test_an_allowed_network_opens_no_other_address(url: str) -> None:
    allowed = [ipaddress.ip_network("10.1.0.0/16")]
    try:
        check_url(url, allow_http=True, allowed=allowed)
    except WebhookUrlForbidden:
        return
    parts = urlsplit(url)
    assert not may_connect(parts.hostname or "", parts.port or 443, "93.184.216.34", allowed)
    assert may_connect(parts.hostname or "", parts.port or 443, "10.1.2.3", allowed)


@pytest.mark.parametrize(
    ("host", "port", "address", "fine"),
    [
        ("example.com", 443, "93.184.216.34", True),
        ("example.com", 8443, "93.184.216.34", True),
        ("example.com", 22, "93.184.216.34", False),
        ("example.com", 443, "10.2.0.1", False),
        ("example.com", 22, "10.1.0.1", True),
        ("receiver", 9000, "10.1.0.1", True),
        ("receiver", 9000, "93.184.216.34", False),
        ("hooks.internal", 443, "10.1.0.1", True),
        ("hooks.internal.", 443, "93.184.216.34", False),
        ("8.8.8.8", 443, "8.8.8.8", True),
        ("fe80::1%eth0", 443, "fe80::1%1", False),
    ],
)
def test_names_and_ports_that_only_a_private_network_has_must_lead_into_an_allowed_one(
    host: str, port: int, address: str, fine: bool
) -> None:
    assert may_connect(host, port, address, [ipaddress.ip_network("10.1.0.0/16")]) == fine


def test_the_corpus_is_large() -> None:
    assert len(set(FORBIDDEN)) >= 80

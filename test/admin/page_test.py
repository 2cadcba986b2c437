#!/usr/bin/env python3
"""The admin page in a real browser on a real daemon, and the API behind it. Screenshots: TIDEGATE_SHOTS."""
import http.client
import json
import os
import subprocess
import sys
import tempfile
import unittest

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(here, "..", "support"), os.path.join(here, "..", "app"), here]
import unittest_report
from daemon_process import Daemon, wait_until
from devtools import Browser

SHOTS = os.environ.get("TIDEGATE_SHOTS") or tempfile.mkdtemp(prefix="tidegate-shots-")
HTML = "<img src=x onerror=\"window.harmed=1\"><script>window.harmed=1</script>"
CHANGE = {"X-Tidegate-Change": "1"}


def ask(daemon, method, path, headers=None, body=None):
    connection = http.client.HTTPConnection(*daemon.admin, timeout=20)
    connection.request(method, path, body=body, headers=headers or {})
    response = connection.getresponse()
    return response.status, response.read().decode(), response.headers


def api(daemon, path):
    status, text, _ = ask(daemon, "GET", "/api/v1/" + path)
    assert status == 200, (status, text)
    return json.loads(text)


def kcat(daemon, *arguments, data=None):
    return subprocess.run(["kcat", "-q", "-b", "%s:%d" % daemon.kafka, *arguments], input=data, timeout=60, check=True,
                          capture_output=True).stdout


def create(daemon, name, **more):
    status, text, _ = ask(daemon, "POST", "/api/v1/topics", CHANGE, json.dumps({"name": name, **more}))
    assert status == 201, text


def fill(daemon):
    create(daemon, "orders", partitions=3, configs={"retention.ms": "86400000"})
    create(daemon, "payments.settled", partitions=2)
    create(daemon, "hostile")
    for n in range(120):
        if n % 40 == 0:
            lines = "".join(f'customer-{i % 9}:{{"order":{i},"customer":"customer-{i % 9}","total":{i * 7 % 500}.50,"paid":{"true" if i % 3 else "false"}}}\n'
                            for i in range(n, n + 40))
            kcat(daemon, "-P", "-t", "orders", "-K:", "-H", "source=web-shop", data=lines.encode())
    kcat(daemon, "-P", "-t", "hostile", "-K\t", "-H", f"<b>bold</b>={HTML}", data=f"{HTML}\t{HTML}\n".encode())
    kcat(daemon, "-P", "-t", "hostile", data=b"\xff\xfe<script>window.harmed=1</script>\x80\n")
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"<b>" + b"y" * 900_000)
        file.flush()
        kcat(daemon, "-P", "-t", "hostile", file.name)
    kcat(daemon, "-G", "billing", "-c", "30", "-X", "auto.offset.reset=earliest", "orders")


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.makedirs(SHOTS, exist_ok=True)
        cls.daemon = Daemon("--set", "admin.allow.changes=true").__enter__()
        cls.addClassCleanup(cls.daemon.__exit__)
        fill(cls.daemon)
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)

    def open(self, path, ready):
        self.browser.events.clear()
        self.browser.call("Page.navigate", url="about:blank")
        self.browser.call("Page.navigate", url="http://%s:%d/#/%s" % (*self.daemon.admin, path))
        self.browser.until(f"document.readyState === 'complete' && document.body.innerText.includes({json.dumps(ready)})")

    def has_history(self):
        kcat(self.daemon, "-P", "-t", "payments.settled", data=b"settled\n" * 50)
        return len(api(self.daemon, "overview")["history"]["time_ms"]) >= 3

    def test_every_view_wide_and_narrow_light_and_dark(self):
        views = {"topics": "payments.settled", "topics/orders": "retention.ms",
                 "topics/orders/messages": "web-shop", "groups": "billing", "groups/billing": "Lag in seconds", "schemas": "No registry", "clients": "Nobody is connected", "overview": "Produce latency"}
        for path, ready in views.items():
            if path == "overview":
                self.assertTrue(wait_until(self.has_history, 60))
            for width, height in ((1280, 860), (360, 740)):
                for scheme in ("light", "dark"):
                    with self.subTest(path=path, width=width, scheme=scheme):
                        self.browser.size(width, height)
                        self.browser.scheme(scheme)
                        self.open(path, ready)
                        self.browser.until("document.getElementById('state').textContent.includes('ready')")
                        self.assertEqual(self.browser.js("document.documentElement.dataset.theme"), scheme)
                        self.assertLessEqual(self.browser.js("document.body.scrollWidth"), width)
                        self.assertEqual(self.browser.troubles(), [])
                        self.browser.shot(os.path.join(SHOTS, f"{path.replace('/', '-')}-{width}-{scheme}.png"))

    def test_hostile_records_are_shown_and_do_no_harm(self):
        self.browser.size(1280, 860)
        self.open("topics/hostile/messages", "first 16 kB")
        text = self.browser.js("document.body.innerText")
        self.assertIn(f"<b>bold</b> = {HTML}", text)
        self.assertIn("fffe3c736372", text)
        self.assertEqual(self.browser.js("document.querySelectorAll('main img, main script, main b').length"), 0)
        self.assertEqual(self.browser.js("typeof window.harmed"), "undefined")
        self.assertEqual(self.browser.troubles(), [])
        self.browser.shot(os.path.join(SHOTS, "hostile.png"))
        self.open("topics/" + "%3Cimg%20src%3Dx%3E", "no such topic")

    def test_keys_lead_to_the_views_and_the_filter(self):
        self.open("overview", "Produce latency")

        def press(key):
            self.browser.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
            self.browser.call("Input.dispatchKeyEvent", type="keyUp", key=key)

        press("2")
        self.browser.until("location.hash === '#/topics' && document.querySelector('[data-filter]') !== null")
        press("/")
        self.browser.until("document.activeElement.matches('[data-filter]')")
        self.browser.call("Input.insertText", text="pay")
        self.browser.until("document.querySelectorAll('tbody tr:not([hidden])').length === 1")

    def test_the_live_tail_shows_what_comes(self):
        create(self.daemon, "live")
        self.open("topics/live/messages", "Nothing there")
        self.browser.js("document.querySelector('input[type=checkbox]').click()")
        kcat(self.daemon, "-P", "-t", "live", data=b"just now\n")
        self.browser.until("document.querySelector('main').innerText.includes('just now')")

    def test_groups_tell_lag_and_can_be_reset(self):
        told = api(self.daemon, "groups/billing")
        self.assertEqual(told["lag"], sum(row["end"] - row["committed"] for row in told["offsets"]))
        self.assertGreater(told["lag"], 0)
        self.assertTrue(any(row["lag_seconds"] > 0 for row in told["offsets"]))
        kcat(self.daemon, "-G", "reset-me", "-c", "10", "-X", "auto.offset.reset=earliest", "orders")
        self.assertTrue(wait_until(lambda: api(self.daemon, "groups/reset-me")["state"] == "Empty"))
        status, text, _ = ask(self.daemon, "POST", "/api/v1/groups/reset-me/offsets", CHANGE, json.dumps({"topic": "orders", "to": "end"}))
        self.assertEqual(status, 200, text)
        self.assertEqual(api(self.daemon, "groups/reset-me")["lag"], 0)

    def test_messages_by_offset_time_and_text(self):
        path = "topics/orders/messages?partition=%d&" % next(
            row["partition"] for row in api(self.daemon, "topics/orders")["partitions"] if row["end"] > 5)
        page = api(self.daemon, path + "from=3&limit=2")
        self.assertEqual(([row["offset"] for row in page["messages"]], page["next"]), ([3, 4], 5))
        self.assertEqual(page["messages"][0]["headers"][0]["value"]["text"], "web-shop")
        self.assertEqual(api(self.daemon, path + "time_ms=0&limit=1")["messages"][0]["offset"], 0)
        self.assertEqual(api(self.daemon, path + "time_ms=99999999999999")["messages"], [])
        found = api(self.daemon, path + "from=start&filter=customer-1")
        self.assertTrue(found["messages"])
        self.assertTrue(all("customer-1" in row["key"]["text"] for row in found["messages"]))
        for bad in ("partition=99", "partition=0&limit=0", "partition=0&from=x", "partition=0&time_ms=-1"):
            self.assertEqual(ask(self.daemon, "GET", "/api/v1/topics/orders/messages?" + bad)[0], 400, bad)

    def test_foreign_names_origins_and_plain_changes_are_refused(self):
        evil = {"Origin": "http://evil.example"}
        self.assertEqual(ask(self.daemon, "GET", "/api/v1/overview", {"Host": "evil.example"})[0], 421)
        self.assertEqual(ask(self.daemon, "GET", "/", {"Host": "evil.example"})[0], 421)
        self.assertEqual(ask(self.daemon, "GET", "/metrics", {"Host": "evil.example"})[0], 200)
        self.assertEqual(ask(self.daemon, "GET", "/api/v1/topics", evil)[0], 403)
        self.assertEqual(ask(self.daemon, "DELETE", "/api/v1/topics/orders")[0], 403)
        self.assertEqual(ask(self.daemon, "DELETE", "/api/v1/topics/orders", {**CHANGE, **evil})[0], 403)
        self.assertEqual(ask(self.daemon, "POST", "/api/v1/topics", CHANGE, "x" * 100_000)[0], 413)
        self.assertEqual(ask(self.daemon, "GET", "/", {"X-Long": "x" * 20_000})[0], 431)

    def test_the_page_is_kept_by_its_etag_and_brings_its_policy(self):
        status, _, headers = ask(self.daemon, "GET", "/")
        self.assertEqual(status, 200)
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        self.assertEqual(ask(self.daemon, "GET", "/", {"If-None-Match": headers["ETag"]})[:2], (304, ""))

    def test_clients_are_shown_with_their_software(self):
        with subprocess.Popen(["kcat", "-q", "-u", "-C", "-b", "%s:%d" % self.daemon.kafka, "-t", "orders", "-o", "end"], stdout=subprocess.DEVNULL) as consumer:
            try:
                self.assertTrue(wait_until(lambda: any(one["software_name"] == "librdkafka" for one in api(self.daemon, "clients")["clients"])))
                self.browser.size(1280, 860)
                self.open("clients", "librdkafka")
                self.browser.shot(os.path.join(SHOTS, "clients-1280.png"))
                self.browser.size(360, 740)
                self.open("clients", "127.0.0.1")
                self.assertLessEqual(self.browser.js("document.body.scrollWidth"), 360)
                self.assertEqual(self.browser.troubles(), [])
            finally:
                consumer.terminate()

    def test_topics_come_and_go(self):
        create(self.daemon, "short-lived", partitions=4)
        self.assertEqual(api(self.daemon, "topics/short-lived")["partition_count"], 4)
        self.assertEqual(ask(self.daemon, "DELETE", "/api/v1/topics/short-lived", CHANGE)[0], 200)
        self.assertEqual(ask(self.daemon, "GET", "/api/v1/topics/short-lived")[0], 404)
        for body in ("", "[]", '{"name":1}', '{"name":"a","partitions":"x"}', '{"name":"a","configs":{"b":1}}'):
            self.assertEqual(ask(self.daemon, "POST", "/api/v1/topics", CHANGE, body)[0], 400, body)

    def test_nothing_changes_by_default(self):
        with Daemon() as daemon:
            for method, path in (("POST", "topics"), ("DELETE", "topics/a"), ("POST", "groups/a/offsets")):
                self.assertEqual(ask(daemon, method, "/api/v1/" + path, CHANGE, "{}")[0], 403)


if __name__ == "__main__":
    unittest_report.main(__name__)

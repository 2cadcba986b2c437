#!/usr/bin/env python3
"""The compose file: read by Debian's docker-compose, and held against what the daemon and the folders beside it say."""
import os
import re
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "app")]
import unittest_report
from daemon_process import clean_environment, run

try:
    import yaml
except ImportError:
    yaml = None

DOCKER = os.path.realpath(os.path.join(HERE, "..", "..", "docker"))
COMPOSE = os.path.join(DOCKER, "compose.yaml")
SEAWEEDFS = {"master", "volume", "filer", "broker"}
TOOLS = {"registry", "prometheus", "grafana", "console"}


def load(*names):
    with open(os.path.join(DOCKER, *names), encoding="utf-8") as file:
        return yaml.safe_load(file)


def compose(*arguments):
    """docker-compose without what the caller's shell would have it read."""
    environment = {name: value for name, value in clean_environment().items() if not name.startswith("COMPOSE_")}
    done = subprocess.run(["docker-compose", "-f", COMPOSE, *arguments], capture_output=True, text=True, timeout=120,
                          env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@unittest.skipUnless(shutil.which("docker-compose"), "docker-compose is not installed")
@unittest.skipUnless(yaml, "python3-yaml is not installed")
class Compose(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.said = yaml.safe_load(compose("config"))
        cls.services = cls.said["services"]

    def with_profile(self, profile):
        return {name for name, service in self.services.items() if profile in service.get("profiles", [])}

    def test_without_a_profile_the_whole_of_it_starts(self):
        with open(os.path.join(DOCKER, ".env"), encoding="utf-8") as file:
            self.assertIn("COMPOSE_PROFILES=seaweedfs\n", file.readlines())
        self.assertEqual(self.with_profile("seaweedfs"), {"tidegate"} | SEAWEEDFS | TOOLS)

    def test_the_embedded_engine_comes_alone(self):
        self.assertEqual(self.with_profile("embedded"), {"tidegate-embedded"})
        self.assertEqual(self.with_profile("tools"), TOOLS)
        self.assertEqual([name for name, service in self.services.items() if not service.get("profiles")], [])

    def test_nobody_waits_for_what_its_profile_does_not_start(self):
        for name, service in self.services.items():
            for needed, how in service.get("depends_on", {}).items():
                self.assertLessEqual(set(service["profiles"]), set(self.services[needed]["profiles"]), name)
                self.assertEqual(how["condition"], "service_healthy", name)

    def test_each_has_a_health_check_and_comes_back(self):
        for name, service in self.services.items():
            self.assertEqual(service["restart"], "unless-stopped", name)
            if not name.startswith("tidegate"):  # whose image has one
                self.assertIn(service["healthcheck"]["test"][0], ("CMD", "CMD-SHELL"), name)

    def test_ports_are_open_on_loopback_only(self):
        published = [port for service in self.services.values() for port in service.get("ports", [])]
        self.assertGreaterEqual(len(published), 8)
        for port in published:
            self.assertTrue(port.startswith("127.0.0.1:"), port)

    def test_what_is_mounted_is_there(self):
        mounted = [volume for service in self.services.values() for volume in service.get("volumes", [])]
        folders = [volume.split(":")[0] for volume in mounted if volume.startswith("/")]
        self.assertEqual(len(folders), 3)
        for folder in folders:
            self.assertTrue(os.path.isdir(folder), folder)
        named = {volume.split(":")[0] for volume in mounted if not volume.startswith("/")}
        self.assertEqual(named, set(self.said["volumes"]))

    def test_the_daemon_takes_its_settings(self):
        for name in ("tidegate", "tidegate-embedded"):
            settings = {key: str(value) for key, value in self.services[name]["environment"].items()}
            status, out, err = run("config", environment=settings)
            self.assertEqual((status, err), (0, ""), name)
            for key, value in settings.items():
                setting = key.removeprefix("TIDEGATE_").lower().replace("_", ".")
                self.assertIn(f"{setting}={value}  # environment {key}\n", out)

    def test_a_drain_has_time(self):
        _, out, _ = run("config")
        drain_ms = int(re.search(r"^drain\.timeout\.ms=(\d+)", out, re.M).group(1))
        for name in ("tidegate", "tidegate-embedded"):
            grace = self.services[name]["stop_grace_period"]
            self.assertGreater(int(grace.removesuffix("s")) * 1000, drain_ms + 1000)

    def test_the_broker_flushes_soon(self):
        flags = [word for word in self.services["broker"]["command"] if word.startswith("-logFlushInterval=")]
        self.assertLessEqual(int(flags[0].split("=")[1]), 2)

    def test_names_meet(self):
        self.assertEqual(self.services["tidegate-embedded"]["networks"]["kafka"]["aliases"], ["tidegate"])
        kafka = "tidegate:29092"
        self.assertIn(f"INSIDE://{kafka}", self.services["tidegate"]["environment"]["TIDEGATE_ADVERTISED_LISTENERS"])
        registry, console = (self.services[name]["environment"] for name in ("registry", "console"))
        self.assertEqual(registry["SCHEMA_REGISTRY_KAFKASTORE_BOOTSTRAP_SERVERS"], kafka)
        self.assertEqual(console["KAFKA_CLUSTERS_0_BOOTSTRAPSERVERS"], kafka)
        # Each pair has a network in common.
        for one, other in (("tidegate", "master"), ("tidegate", "registry"), ("tidegate", "console"), ("tidegate", "prometheus"),
                           ("tidegate-embedded", "prometheus"), ("grafana", "prometheus"), ("broker", "filer")):
            shared = set(self.services[one]["networks"]) & set(self.services[other]["networks"])
            self.assertTrue(shared, (one, other))

    def test_prometheus_scrapes_the_admin_listener_and_grafana_asks_prometheus(self):
        scraped = load("prometheus", "prometheus.yml")["scrape_configs"]
        self.assertEqual(scraped[0]["static_configs"], [{"targets": ["tidegate:9644"]}])
        self.assertTrue(self.services["tidegate"]["environment"]["TIDEGATE_ADMIN_LISTEN"].endswith(":9644"))
        folder = os.path.join(DOCKER, "grafana", "provisioning", "datasources")
        sources = [source for name in os.listdir(folder) for source in load(folder, name)["datasources"]]
        self.assertIn("http://prometheus:9090", [source["url"] for source in sources])


if __name__ == "__main__":
    unittest_report.main(__name__)

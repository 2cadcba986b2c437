#!/usr/bin/env python3
"""YAML under docker/, and the Helm chart: what it makes, where a helm binary is there (TIDEGATE_HELM, or helm in PATH)."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "app")]
import unittest_report
from daemon_process import run

try:
    import yaml
except ImportError:
    yaml = None

ROOT = os.path.realpath(os.path.join(HERE, "..", ".."))
CHART = os.path.join(ROOT, "docker", "helm")
HELM = os.environ.get("TIDEGATE_HELM") or shutil.which("helm")
LINT = ("{extends: default, rules: {document-start: disable, line-length: {max: 130}, braces: {max-spaces-inside: 1}, "
        "comments: {min-spaces-from-content: 1}}}")
ON_SEAWEEDFS = ("--set", "engine=seaweedmq", "--set", "seaweedmq.masters={master-0:9333,master-1:9333}")


def read(*names):
    with open(os.path.join(*names), encoding="utf-8") as file:
        return file.read()


def lint(*given, text=None):
    return subprocess.run(["yamllint", "-s", "-d", LINT, *given], input=text, capture_output=True, text=True, timeout=60)


@unittest.skipUnless(shutil.which("yamllint"), "yamllint is not installed")
class Yaml(unittest.TestCase):
    def test_every_file_is_good(self):
        files = [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(ROOT, "docker"))
                 for name in names if name.endswith((".yaml", ".yml")) and "templates" not in folder]
        self.assertGreaterEqual(len(files), 6)
        done = lint(*files)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_the_rules_find_something(self):
        self.assertNotEqual(lint("-", text="a: 1\na: 2\n").returncode, 0)


@unittest.skipUnless(yaml, "python3-yaml is not installed")
class Chart(unittest.TestCase):
    def test_it_has_the_version_of_the_project(self):
        version = re.search(r"project\(tidegate VERSION (\S+)", read(ROOT, "CMakeLists.txt")).group(1)
        self.assertEqual(yaml.safe_load(read(CHART, "Chart.yaml"))["appVersion"], version)

    def test_pods_run_as_the_user_of_the_image(self):
        user = re.search(r"^USER (\d+):", read(ROOT, "docker", "Dockerfile"), re.M).group(1)
        self.assertIn(f"runAsUser: {user}\n", read(CHART, "templates", "_helpers.tpl"))


@unittest.skipUnless(HELM, "no helm binary: neither TIDEGATE_HELM nor PATH names one")
@unittest.skipUnless(yaml, "python3-yaml is not installed")
class Rendered(unittest.TestCase):
    def helm(self, *options):
        return subprocess.run([HELM, "template", "one", CHART, "--namespace", "kafka", "--kube-version", "1.29.0", *options],
                              capture_output=True, text=True, timeout=60)

    def objects(self, *options):
        done = self.helm(*options)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(lint("-", text=done.stdout.replace("\n\n", "\n")).stdout, "")
        return [thing for thing in yaml.safe_load_all(done.stdout) if thing]

    def settings_are_good(self, objects):
        (settings,) = [thing["data"] for thing in objects if thing["kind"] == "ConfigMap"]
        pods = [thing["spec"]["template"]["spec"] for thing in objects if thing["kind"] in ("StatefulSet", "Deployment")]
        self.assertTrue(pods)
        with tempfile.NamedTemporaryFile("w", suffix=".properties") as file:
            file.write(settings["server.properties"])
            file.flush()
            for pod in pods:
                environment = {entry["name"]: entry["value"] for entry in pod["containers"][0]["env"]}
                status, out, err = run("config", "--check", file.name, environment=environment)
                self.assertEqual((status, err), (0, ""), out)
        return settings["server.properties"]

    def test_lint(self):
        done = subprocess.run([HELM, "lint", "--strict", CHART], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_embedded_is_a_stateful_set_of_one(self):
        objects = self.objects("--set", "settings.log\\.retention\\.bytes=107374182400", "--set", "serviceMonitor.enabled=true")
        self.assertEqual(sorted(thing["kind"] for thing in objects),
                         ["ConfigMap", "Service", "Service", "ServiceMonitor", "StatefulSet"])
        (made,) = [thing for thing in objects if thing["kind"] == "StatefulSet"]
        self.assertEqual(made["spec"]["replicas"], 1)
        self.assertEqual(made["spec"]["volumeClaimTemplates"][0]["metadata"]["name"], "data")
        self.assertIn("log.retention.bytes=107374182400\n", self.settings_are_good(objects))
        self.selectors_meet(objects)

    def test_seaweedmq_is_a_deployment_for_each_gateway(self):
        objects = self.objects(*ON_SEAWEEDFS, "--set", "seaweedmq.gateways=3")
        made = [thing for thing in objects if thing["kind"] == "Deployment"]
        self.assertEqual([thing["metadata"]["name"] for thing in made], [f"one-tidegate-{n}" for n in (1, 2, 3)])
        environments = [{entry["name"]: entry["value"] for entry in thing["spec"]["template"]["spec"]["containers"][0]["env"]}
                        for thing in made]
        self.assertEqual([told["TIDEGATE_NODE_ID"] for told in environments], ["1", "2", "3"])
        services = {thing["metadata"]["name"] for thing in objects if thing["kind"] == "Service"}
        for told in environments:
            address = re.fullmatch(r"PLAINTEXT://([\w-]+)\.kafka\.svc:9092", told["TIDEGATE_ADVERTISED_LISTENERS"])
            self.assertIn(address.group(1), services)
        self.assertIn("seaweedmq.masters=master-0:9333,master-1:9333\n", self.settings_are_good(objects))
        self.assertIn("PodDisruptionBudget", [thing["kind"] for thing in objects])
        self.selectors_meet(objects)

    def selectors_meet(self, objects):
        """Whatever selects pods selects some."""
        pods = [thing["spec"]["template"]["metadata"]["labels"] for thing in objects
                if thing["kind"] in ("StatefulSet", "Deployment")]
        for thing in objects:
            if thing["kind"] in ("Service", "StatefulSet", "Deployment", "PodDisruptionBudget"):
                wanted = thing["spec"]["selector"]
                wanted = wanted.get("matchLabels", wanted)
                self.assertTrue(any(wanted.items() <= labels.items() for labels in pods), thing["metadata"]["name"])

    def test_bad_values_are_refused(self):
        for options, reason in ((("--set", "engine=kafka"), "engine is embedded or seaweedmq"),
                                (("--set", "engine=seaweedmq"), "needs seaweedmq.masters"),
                                ((*ON_SEAWEEDFS, "--set", "advertised={one:9092}"), "for 2 gateways")):
            done = self.helm(*options)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(reason, done.stderr)


if __name__ == "__main__":
    unittest_report.main(__name__)

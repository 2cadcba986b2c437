"""SeaweedFS as its security.toml locks it up, and what a gateway does there with all keys, with some and with
none. secured_test runs the cases."""
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from . import deps
from .gateways import Gateway
from .seaweed import RealSeaweed
from .servers import free_port

PATIENCE_S = 90
TOKEN_LIFE_S = 3
RECORDS, VALUE_BYTES = 6000, 1000
GRPC_PARTS = ("master", "volume", "filer", "msg_broker", "client")


class Certificates:
    """A certificate authority, and one certificate of it for all: SeaweedFS checks the chain, not the name."""

    def __init__(self, directory):
        self.ca, self.cert, self.key = (str(directory / f"{name}.pem") for name in ("ca", "cert", "key"))
        directory.mkdir(parents=True)
        openssl, ca_key, request = deps.tool("openssl"), str(directory / "ca-key.pem"), str(directory / "request.pem")
        self._run(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=authority",
                  "-keyout", ca_key, "-out", self.ca)
        self._run(openssl, "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=part", "-keyout", self.key,
                  "-out", request, "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")
        self._run(openssl, "x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-CAcreateserial",
                  "-days", "2", "-copy_extensions", "copy", "-out", self.cert)

    @staticmethod
    def _run(*command):
        subprocess.run(command, check=True, capture_output=True)

    def settings(self):
        return [f"seaweedmq.tls.ca={self.ca}", f"seaweedmq.tls.certificate={self.cert}",
                f"seaweedmq.tls.key={self.key}"]


def grpc_tls(certificates):
    pair = f'cert = "{certificates.cert}"\nkey = "{certificates.key}"\n'
    return f'[grpc]\nca = "{certificates.ca}"\n' + "".join(f"[grpc.{part}]\n{pair}" for part in GRPC_PARTS)


def volume_https(certificates):
    trio = f'cert = "{certificates.cert}"\nkey = "{certificates.key}"\nca = "{certificates.ca}"\n'
    return f"[https.client]\nenabled = true\n{trio}[https.volume]\n{trio}"


def tokens(write="", read=""):
    """Keys of the volume servers' tokens, and of the filer's HTTP, which a gateway never uses."""
    text = "".join(f'[jwt.{name}]\nkey = "of-the-filers-http"\n' for name in ("filer_signing", "filer_signing.read"))
    for name, key in (("signing", write), ("signing.read", read)):
        if key:
            text += f'[jwt.{name}]\nkey = "{key}"\nexpires_after_seconds = {TOKEN_LIFE_S}\n'
    return text


class Site:
    """A SeaweedFS with that security.toml, and gateways that come and go."""

    def __init__(self, work, binary, security, broker=False):
        self.work, self.binary = Path(work), binary
        self.seaweed = RealSeaweed(work, broker=broker, security=security)
        self.gateways = []

    def __enter__(self):
        self.seaweed.start()
        return self

    def __exit__(self, *_):
        for gateway in self.gateways:
            gateway.close()
        self.seaweed.close()

    def gateway(self, *settings):
        self._new_gateway(settings).start()
        return self.gateways[-1]

    def waiting_gateway(self, *settings):
        """One that will not be ready."""
        self._new_gateway(settings).admin = f"127.0.0.1:{free_port()}"
        self.gateways[-1].launch()
        return self.gateways[-1]

    def _new_gateway(self, settings):
        node = len(self.gateways) + 1
        own = self.work / f"gateway-{node}"
        own.mkdir(parents=True)
        self.gateways.append(Gateway(own, self.binary, node, self.seaweed, settings))
        return self.gateways[-1]


def readiness(gateway):
    try:
        with urllib.request.urlopen(f"http://{gateway.admin}/readyz", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:  # it does not listen yet
        return 0, str(error)


def wait_until(what, good):
    end = time.monotonic() + PATIENCE_S
    while not good():
        if time.monotonic() > end:
            raise AssertionError(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.3)


def ready(gateway):
    wait_until("the gateway is ready", lambda: readiness(gateway)[0] == 200)


def values_of(topic):
    return [f"{topic} {n} ".encode().ljust(VALUE_BYTES, b"x") for n in range(RECORDS)]


def create(gateway, topic, **config):
    admin = AdminClient({"bootstrap.servers": gateway.bootstrap, "log_level": 0})
    new = NewTopic(topic, 1, 1, config={k.replace("_", "."): v for k, v in config.items()})
    admin.create_topics([new], operation_timeout=PATIENCE_S, request_timeout=PATIENCE_S)[topic].result(PATIENCE_S * 2)


def produce(gateway, topic, timeout_s=PATIENCE_S, values=None):
    """Errors of the records that were not taken."""
    errors = []
    producer = Producer({"bootstrap.servers": gateway.bootstrap, "log_level": 0, "linger.ms": 5,
                         "message.timeout.ms": timeout_s * 1000})
    for value in values_of(topic) if values is None else values:
        producer.produce(topic, value, partition=0,
                         on_delivery=lambda error, _: error and errors.append(str(error)))
        producer.poll(0)
    left = producer.flush(timeout_s * 2)
    return errors + ["not sent"] * left


def consume(gateway, topic):
    consumer = Consumer({"bootstrap.servers": gateway.bootstrap, "log_level": 0, "group.id": "none",
                         "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    got, end = [], time.monotonic() + PATIENCE_S
    while len(got) < RECORDS and time.monotonic() < end:
        got += [message.value() for message in consumer.consume(1000, 1) if not message.error()]
    consumer.close()
    return got


def round_trip(site, settings, topics):
    """Writes, reads, reads again through a gateway that has nothing in memory, when all tokens have expired."""
    first = site.gateway(*settings)
    ready(first)
    for topic, config in topics.items():
        create(first, topic, **config)
        if errors := produce(first, topic):
            raise AssertionError(f"{topic}: {len(errors)} records not taken: {errors[0]}")
        if consume(first, topic) != values_of(topic):
            raise AssertionError(f"{topic}: read back otherwise than it was written")
    code, _ = first.stop()
    if code != 0:
        raise AssertionError(f"the gateway ended with {code}")
    time.sleep(TOKEN_LIFE_S + 1)
    second = site.gateway(*settings)
    ready(second)
    for topic in topics:
        if consume(second, topic) != values_of(topic):
            raise AssertionError(f"{topic}: read otherwise after a restart")
    if errors := produce(second, next(iter(topics)), values=[b"one more"]):
        raise AssertionError(f"after a restart: {errors[0]}")


DIRECT = {"direct": {"seaweedmq_path": "direct"}}


# ---------------------------------------------------------------------------------------- the cases

def everything_locked_up(work, binary):
    """Mutual TLS for gRPC and for the volume servers' HTTP, tokens for writes and reads; both write paths."""
    certificates = Certificates(work / "certificates")
    security = grpc_tls(certificates) + volume_https(certificates) + tokens("writing", "reading")
    settings = [*certificates.settings(), "seaweedmq.volume.https=true", "seaweedmq.jwt.signing.key=writing",
                "seaweedmq.jwt.signing.read.key=reading"]
    with Site(work, binary, security, broker=True) as site:
        round_trip(site, settings, {**DIRECT, "broker": {"seaweedmq_path": "broker"}})


def tokens_of_the_assignments(work, binary):
    """Without the key of jwt.signing each upload goes with the token that came with its id."""
    with Site(work, binary, tokens("writing")) as site:
        round_trip(site, [], DIRECT)


def wrong_key_takes_nothing(work, binary):
    """Nothing is acknowledged, /readyz says why, and the same gateway with the right key goes on."""
    with Site(work, binary, tokens("writing", "reading")) as site:
        wrong = site.gateway("seaweedmq.jwt.signing.key=other", "seaweedmq.jwt.signing.read.key=reading")
        wait_until("/readyz names the volume servers",
                   lambda: readiness(wrong)[0] == 503 and "volume" in readiness(wrong)[1])
        create(wrong, "direct")
        if len(produce(wrong, "direct", 10, [b"never"] * 3)) != 3:
            raise AssertionError("a record was acknowledged")
        wrong.stop()
        right = site.gateway("seaweedmq.jwt.signing.key=writing", "seaweedmq.jwt.signing.read.key=reading")
        ready(right)
        if errors := produce(right, "direct"):
            raise AssertionError(errors[0])
        if consume(right, "direct") != values_of("direct"):
            raise AssertionError("read otherwise than it was written")


def without_a_certificate(work, binary):
    """It starts, is not ready, says what it misses, and stops when told."""
    with Site(work, binary, grpc_tls(Certificates(work / "certificates"))) as site:
        bare = site.waiting_gateway()
        wait_until("/readyz names the master",
                   lambda: readiness(bare)[0] == 503 and "master" in readiness(bare)[1])
        code, _ = bare.stop()
        if code != 0:
            raise AssertionError(f"the gateway ended with {code}")


CASES = [everything_locked_up, tokens_of_the_assignments, wrong_key_takes_nothing, without_a_certificate]

"""Settings of librdkafka clients whose servers come and go. Needs confluent-kafka."""
from confluent_kafka import libversion

_FIRST_WITH_STRATEGY = 0x020a0000

# The default recovery strategy, rebootstrap, forgets the one broker each time that it goes away, and then
# asks for metadata only at its next full-second scan: a server that is killed about once a second has a
# connected client that never sends anything. Older versions forget no broker.
KEEP_BROKERS = {"metadata.recovery.strategy": "none"} if libversion()[1] >= _FIRST_WITH_STRATEGY else {}

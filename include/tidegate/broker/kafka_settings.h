// Settings of Apache Kafka's brokers that mean nothing to this server: a server.properties that works there
// is accepted here, with one warning that names them. The table of server settings carries the list.
#pragma once

#include <span>
#include <string_view>

namespace tidegate::broker {

// Sorted. A name that ends in a dot stands for all that begin with it.
std::span<const std::string_view> kafka_settings_without_meaning();

// Whether Kafka would keep somebody out because of it: without meaning here, it is worth more than a line
// among others.
bool is_protecting(std::string_view name);

}  // namespace tidegate::broker

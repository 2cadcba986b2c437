// Turns the process's metrics into Prometheus' text format, by way of prometheus-cpp's own types and
// serializer.
#pragma once

#include <string>

#include "tidegate/base/metrics.h"

namespace tidegate::admin {

// Histograms are served in seconds with le bounds at powers of two from 1 us to 64 s.
std::string metrics_text(const MetricRegistry& metrics, const std::string& version);

}  // namespace tidegate::admin

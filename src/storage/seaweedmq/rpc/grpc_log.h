// gRPC writes its own log to standard error; here it goes the way of all other lines. For the process, once,
// before the first channel. Any thread.
#pragma once

namespace tidegate::storage::seaweedmq {

void send_grpc_log_to_ours();

}  // namespace tidegate::storage::seaweedmq

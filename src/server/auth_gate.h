// Which requests a connection may make now, and how large they may be. Every listener is open today;
// a listener that asks for SASL starts in `handshake`, where only the three keys of the handshake are
// let through and frames are small, until SaslAuthenticate calls authenticated().
#pragma once

#include <cstddef>
#include <cstdint>

namespace tidegate::server {

class AuthGate {
 public:
  enum class Stage { handshake, open };

  explicit AuthGate(Stage stage = Stage::open) : stage_(stage) {}

  bool allows(std::int16_t api_key) const {
    return stage_ == Stage::open || api_key == kSaslHandshake || api_key == kApiVersions ||
           api_key == kSaslAuthenticate;
  }
  std::size_t frame_limit(std::size_t open_bytes, std::size_t handshake_bytes) const {
    return stage_ == Stage::open || open_bytes < handshake_bytes ? open_bytes : handshake_bytes;
  }
  void authenticated() { stage_ = Stage::open; }

 private:
  static constexpr std::int16_t kSaslHandshake = 17;
  static constexpr std::int16_t kApiVersions = 18;
  static constexpr std::int16_t kSaslAuthenticate = 36;
  Stage stage_;
};

}  // namespace tidegate::server

// A certificate authority for tests: makes itself and certificates for components, as PEM text. The names
// are those of components and of no host, as SeaweedFS's are.
#pragma once

#include <memory>
#include <string>

namespace tidegate::test {

struct KeyPair {
  std::string certificate;
  std::string key;
};

class CertificateAuthority {
 public:
  CertificateAuthority();
  ~CertificateAuthority();
  const std::string& certificate() const { return own_.certificate; }
  KeyPair issue(const std::string& common_name);

 private:
  struct State;
  std::unique_ptr<State> state_;
  KeyPair own_;
};

}  // namespace tidegate::test

#include "fake/certificates.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace tidegate::test {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Text = std::unique_ptr<BIO, decltype(&BIO_free)>;

std::string contents(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

KeyPair pem(X509* certificate, EVP_PKEY* key) {
  const Text first(BIO_new(BIO_s_mem()), BIO_free);
  const Text second(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_X509(first.get(), certificate);
  PEM_write_bio_PrivateKey(second.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return {contents(first.get()), contents(second.get())};
}

Certificate make(EVP_PKEY* key, const std::string& name, X509* issuer, EVP_PKEY* signer, long serial) {
  Certificate made(X509_new(), X509_free);
  X509_set_version(made.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
  X509_set_pubkey(made.get(), key);
  X509_NAME* subject = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(made.get(), issuer ? X509_get_subject_name(issuer) : subject);
  if (!issuer) {
    X509_EXTENSION* is_ca = X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:TRUE");
    X509_add_ext(made.get(), is_ca, -1);
    X509_EXTENSION_free(is_ca);
  }
  X509_sign(made.get(), signer, EVP_sha256());
  return made;
}

}  // namespace

struct CertificateAuthority::State {
  Key key{EVP_EC_gen("P-256"), EVP_PKEY_free};
  Certificate certificate{nullptr, X509_free};
  long issued = 1;
};

CertificateAuthority::CertificateAuthority() : state_(std::make_unique<State>()) {
  state_->certificate = make(state_->key.get(), "test authority", nullptr, state_->key.get(), 1);
  own_ = pem(state_->certificate.get(), state_->key.get());
}

CertificateAuthority::~CertificateAuthority() = default;

KeyPair CertificateAuthority::issue(const std::string& common_name) {
  const Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const Certificate certificate =
      make(key.get(), common_name, state_->certificate.get(), state_->key.get(), ++state_->issued);
  return pem(certificate.get(), key.get());
}

}  // namespace tidegate::test

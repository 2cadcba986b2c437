// Which quota holds for which client. A pure value: the stored quotas and Kafka's rule of which of them
// wins. The table of a server is made by client_quotas.h; api/ shows it.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tidegate::broker {

enum class QuotaKind { producer_byte_rate, consumer_byte_rate, request_percentage };
inline constexpr std::size_t kQuotaKinds = 3;
inline constexpr std::array kAllQuotaKinds = {QuotaKind::producer_byte_rate, QuotaKind::consumer_byte_rate,
                                              QuotaKind::request_percentage};
// Kafka's keys: bytes a second, bytes a second, percent of one thread.
std::string_view name_of(QuotaKind kind);
std::optional<QuotaKind> quota_kind(std::string_view name);

// A user or client id that a quota is for.
struct QuotaName {
  std::optional<std::string> name;  // nullopt: all that have no quota of their own
  auto operator<=>(const QuotaName&) const = default;
};

// What a quota is for: a user, a client id, or a client id of a user. Not neither.
struct QuotaEntity {
  std::optional<QuotaName> user;
  std::optional<QuotaName> client_id;
  auto operator<=>(const QuotaEntity&) const = default;
};

// The same for a look-up, which copies no name.
struct QuotaEntityView {
  using Part = std::optional<std::optional<std::string_view>>;
  Part user;
  Part client_id;
  auto operator<=>(const QuotaEntityView&) const = default;
};
struct QuotaEntityLess {
  using is_transparent = void;
  static QuotaEntityView::Part view(const std::optional<QuotaName>& part) {
    if (!part) return std::nullopt;
    return part->name ? QuotaEntityView::Part(std::in_place, *part->name)
                      : QuotaEntityView::Part(std::in_place, std::nullopt);
  }
  static QuotaEntityView view(const QuotaEntity& entity) {
    return {view(entity.user), view(entity.client_id)};
  }
  static QuotaEntityView view(const QuotaEntityView& entity) { return entity; }
  bool operator()(const auto& a, const auto& b) const { return view(a) < view(b); }
};

using QuotaValues = std::array<std::optional<double>, kQuotaKinds>;

// A quota that holds for a client, and who shares it: all clients of the user where client_id is empty,
// all users of the client id where user is empty. The views are those given to find().
struct FoundQuota {
  double bound = 0;
  std::string_view user;
  std::string_view client_id;
};

class QuotaTable {
 public:
  using Map = std::map<QuotaEntity, QuotaValues, QuotaEntityLess>;

  const Map& quotas() const { return quotas_; }
  bool empty() const { return quotas_.empty(); }
  // Whether anybody has such a quota.
  bool has(QuotaKind kind) const { return counts_[static_cast<std::size_t>(kind)] > 0; }

  void set(const QuotaEntity& entity, QuotaKind kind, double bound);
  void remove(const QuotaEntity& entity, QuotaKind kind);

  // By Kafka's precedence (KIP-55, KIP-257): user and client id, each named before default, then user, then
  // client id. A quota of another kind at a higher place does not hide one of this kind.
  std::optional<FoundQuota> find(QuotaKind kind, std::string_view user, std::string_view client_id) const;

  bool operator==(const QuotaTable& other) const { return quotas_ == other.quotas_; }

 private:
  Map quotas_;
  std::array<std::size_t, kQuotaKinds> counts_{};
};

// How one value is kept in the meta store: key "user/client id/kind", where a name is empty for none, '*' for
// the default, and else its bytes with '%', '/', '*' and control characters written as %XX; value in decimal.
struct StoredQuota {
  QuotaEntity entity;
  QuotaKind kind = QuotaKind::producer_byte_rate;
  double bound = 0;
};
std::string quota_key(const QuotaEntity& entity, QuotaKind kind);
std::string quota_value(double bound);
// nullopt for what no version wrote.
std::optional<StoredQuota> parse_quota(std::string_view key, std::string_view value);

}  // namespace tidegate::broker

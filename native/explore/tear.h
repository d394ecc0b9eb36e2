#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace plugpull {

// Which ways of persisting one pending write are explored.
enum class TearRule : std::uint8_t {
  kNone,    // whole or absent
  kPrefix,  // and every number of leading sectors
  kEdges,   // and every number of trailing sectors, every sector alone missing, every sector alone there,
            // and, up to kMaxPages, every subset of its pages: the default
  kAll,     // every subset of its sectors, for writes of up to kMaxAll sectors; else as kEdges
};
std::optional<TearRule> tear_rule_by_name(std::string_view name) noexcept;

// One way: what of a write reached the medium. A write is counted in units (sectors, or pages where it is
// longer than kMaxUnits sectors) aligned on the device.
struct Tear {
  enum class Kind : std::uint8_t {
    kWhole,
    kAbsent,
    kStale,
    kPrefix,
    kSuffix,
    kHole,
    kSingle,
    kPages,
    kMask,
    kRandom
  };
  Kind kind = Kind::kWhole;
  std::uint32_t value = 0;  // number of units, unit, or mask

  bool partial() const { return kind > Kind::kStale; }
};

inline constexpr std::uint32_t kMaxUnits = 256;
inline constexpr std::uint32_t kMaxPages = 5;
inline constexpr std::uint32_t kMaxAll = 10;

// All ways for writes of one shape. Candidate 0 is whole, candidate 1 absent.
struct TearFamily {
  std::uint32_t units = 0;
  std::uint32_t phase = 0;           // place of the first unit in its page, in units
  std::uint32_t units_per_page = 8;  // 1 where the unit is a page
  std::vector<Tear> tears;

  // Is unit `unit` of the write on the medium? For kStale: no (other bytes are).
  bool keeps(std::uint32_t candidate, std::uint32_t unit) const;
  // "whole", "lost", "first 3 of 8 sectors" …
  std::string describe(std::uint32_t candidate) const;
};

// Families, made when first asked for.
class TearFamilies {
 public:
  TearFamilies(TearRule rule, std::uint32_t random_tears) : rule_(rule), random_(random_tears) {}
  // `stale`: the write grew its file, and the grown space may hold other bytes.
  const TearFamily& of(std::uint32_t units, std::uint32_t phase, std::uint32_t units_per_page, bool stale);

 private:
  TearRule rule_;
  std::uint32_t random_;
  std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, bool>, TearFamily> families_;
};

}  // namespace plugpull

#include "native/explore/tear.h"

#include "native/explore/mix.h"

namespace plugpull {

std::optional<TearRule> tear_rule_by_name(std::string_view name) noexcept {
  if (name == "none") return TearRule::kNone;
  if (name == "prefix") return TearRule::kPrefix;
  if (name == "edges") return TearRule::kEdges;
  if (name == "all") return TearRule::kAll;
  return std::nullopt;
}

bool TearFamily::keeps(std::uint32_t candidate, std::uint32_t unit) const {
  const Tear& tear = tears[candidate];
  switch (tear.kind) {
    case Tear::Kind::kWhole:
      return true;
    case Tear::Kind::kAbsent:
    case Tear::Kind::kStale:
      return false;
    case Tear::Kind::kPrefix:
      return unit < tear.value;
    case Tear::Kind::kSuffix:
      return unit >= units - tear.value;
    case Tear::Kind::kHole:
      return unit != tear.value;
    case Tear::Kind::kSingle:
      return unit == tear.value;
    case Tear::Kind::kPages:
      return ((tear.value >> ((phase + unit) / units_per_page)) & 1) != 0;
    case Tear::Kind::kMask:
      return ((tear.value >> unit) & 1) != 0;
    case Tear::Kind::kRandom:
      return (mix((static_cast<std::uint64_t>(tear.value) << 32) | unit) & 1) != 0;
  }
  return false;
}

std::string TearFamily::describe(std::uint32_t candidate) const {
  const Tear& tear = tears[candidate];
  const std::string unit = units_per_page == 1 ? "page" : "sector";
  const std::string of = " of " + std::to_string(units) + " " + unit + "s";
  switch (tear.kind) {
    case Tear::Kind::kWhole:
      return "whole";
    case Tear::Kind::kAbsent:
      return "lost";
    case Tear::Kind::kStale:
      return "lost, with other bytes in its place";
    case Tear::Kind::kPrefix:
      return "only the first " + std::to_string(tear.value) + of;
    case Tear::Kind::kSuffix:
      return "only the last " + std::to_string(tear.value) + of;
    case Tear::Kind::kHole:
      return "all but " + unit + " " + std::to_string(tear.value) + of;
    case Tear::Kind::kSingle:
      return "only " + unit + " " + std::to_string(tear.value) + of;
    case Tear::Kind::kPages:
    case Tear::Kind::kMask:
    case Tear::Kind::kRandom: {
      std::uint32_t kept = 0;
      for (std::uint32_t i = 0; i < units; ++i) kept += keeps(candidate, i) ? 1 : 0;
      return std::to_string(kept) + of;
    }
  }
  return {};
}

const TearFamily& TearFamilies::of(std::uint32_t units, std::uint32_t phase, std::uint32_t units_per_page,
                                   bool stale) {
  const auto [entry, fresh] = families_.try_emplace({units, phase, units_per_page, stale});
  TearFamily& family = entry->second;
  if (!fresh) return family;
  family.units = units;
  family.phase = phase;
  family.units_per_page = units_per_page;
  auto& tears = family.tears;
  const auto add = [&](Tear::Kind kind, std::uint32_t value) { tears.push_back({kind, value}); };
  add(Tear::Kind::kWhole, 0);
  add(Tear::Kind::kAbsent, 0);
  if (stale) add(Tear::Kind::kStale, 0);
  if (rule_ == TearRule::kNone || units < 2) return family;
  if (rule_ == TearRule::kAll && units <= kMaxAll) {
    for (std::uint32_t mask = 1; mask + 1 < (1U << units); ++mask) add(Tear::Kind::kMask, mask);
    return family;
  }
  for (std::uint32_t i = 1; i < units; ++i) add(Tear::Kind::kPrefix, i);
  if (rule_ == TearRule::kPrefix) return family;
  for (std::uint32_t i = 1; i < units; ++i) add(Tear::Kind::kSuffix, i);
  for (std::uint32_t i = 1; i + 1 < units; ++i) add(Tear::Kind::kHole, i);
  // In three sectors, the middle one alone is all that is left to say.
  for (std::uint32_t i = 1; i + 1 < units; ++i) add(Tear::Kind::kSingle, i);
  const std::uint32_t pages = (phase + units + units_per_page - 1) / units_per_page;
  if (units_per_page > 1 && pages > 2 && pages <= kMaxPages) {
    for (std::uint32_t mask = 1; mask + 1 < (1U << pages); ++mask) {
      // Runs from either end are prefixes and suffixes already.
      const bool prefix = (mask & (mask + 1)) == 0;
      const std::uint32_t rest = ~mask & ((1U << pages) - 1);
      const bool suffix = (rest & (rest + 1)) == 0;
      if (!prefix && !suffix) add(Tear::Kind::kPages, mask);
    }
  }
  for (std::uint32_t i = 0; i < random_; ++i) add(Tear::Kind::kRandom, i + 1);
  return family;
}

}  // namespace plugpull

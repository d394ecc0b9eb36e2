#include "native/disk/parts.h"

#include <algorithm>
#include <utility>

namespace plugpull::disk {

Ranges without(Ranges ranges, const Ranges& hidden) {
  for (const Range& hole : hidden) {
    Ranges left;
    for (const Range& one : ranges) {
      const Range before{one.from, std::min(one.to, hole.from)};
      const Range behind{std::max(one.from, hole.to), one.to};
      if (hole.to <= one.from || one.to <= hole.from) {
        left.push_back(one);
        continue;
      }
      if (before.from < before.to) left.push_back(before);
      if (behind.from < behind.to) left.push_back(behind);
    }
    ranges = std::move(left);
  }
  return ranges;
}

Ranges parts_of(const Record& record, const std::vector<bool>& mask, uint64_t unit, const Ranges& hidden) {
  const uint64_t end = record.offset + record.length;
  if (mask.empty()) return without({{record.offset, end}}, hidden);
  Ranges kept;
  for (size_t i = 0; i < mask.size() && i * unit < record.length; i++) {
    if (!mask[i]) continue;
    const uint64_t from = record.offset + i * unit;
    const uint64_t to = std::min(from + unit, end);
    if (!kept.empty() && kept.back().to == from) {
      kept.back().to = to;
    } else {
      kept.push_back({from, to});
    }
  }
  return without(std::move(kept), hidden);
}

}  // namespace plugpull::disk

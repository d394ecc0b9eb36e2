#include "native/disk/timeline.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace plugpull::disk {

namespace {

Range range_of(const Record& record) { return {record.offset, record.offset + record.length}; }

bool overlap(const Range& one, const Range& other) { return one.from < other.to && other.from < one.to; }

bool changes(Kind kind) { return kind == Kind::kWrite || kind == Kind::kDiscard || kind == Kind::kZero; }

}  // namespace

const Ranges& Epoch::hidden_of(size_t index) const {
  static const Ranges kNone;
  const auto found = hidden.find(index);
  return found == hidden.end() ? kNone : found->second;
}

std::vector<Epoch> epochs_of(const std::vector<Record>& records) {
  std::vector<Epoch> epochs(1);
  std::vector<size_t> open;  // submitted and not durable, in order of submission
  std::unordered_map<uint64_t, size_t> submitted;
  // By record: is it answered? For a flush: what had been answered when it came in.
  std::unordered_map<size_t, bool> answered;
  std::unordered_map<size_t, std::vector<size_t>> covers;
  std::map<size_t, Ranges> hidden;  // of those that are open

  // Has it still an effect where these, in order of submission, have become durable?
  const auto shows = [&](size_t index, const std::vector<size_t>& durable) {
    const Range range = range_of(records[index]);
    bool more = false;
    for (auto later = std::upper_bound(durable.begin(), durable.end(), index); later != durable.end();
         later++) {
      const Range over = range_of(records[*later]);
      if (!overlap(range, over)) continue;
      hidden[index].push_back(over);
      more = true;
    }
    return !more || !without({range}, hidden[index]).empty();
  };

  const auto next_epoch = [&](size_t at, const std::vector<size_t>& durable) {
    std::vector<size_t> now;
    std::vector<size_t> still;
    for (const size_t index : open) {
      const bool gone = std::binary_search(durable.begin(), durable.end(), index);
      (gone ? now : still).push_back(index);
    }
    if (now.empty()) return;
    epochs.back().last = at;
    epochs.back().pending = std::move(open);
    epochs.back().hidden.insert(hidden.begin(), hidden.end());
    Epoch next;
    next.first = at;
    const auto leaves = [&](size_t index) {
      answered.erase(index);
      return hidden.extract(index);
    };
    for (const size_t index : now) next.hidden.insert(leaves(index));
    open.clear();
    for (const size_t index : still) {
      if (shows(index, now)) {
        open.push_back(index);
      } else {
        leaves(index);
      }
    }
    next.now_durable = std::move(now);
    epochs.push_back(std::move(next));
  };

  for (size_t i = 0; i < records.size(); i++) {
    const Record& record = records[i];
    if (changes(record.kind)) {
      open.push_back(i);
      answered[i] = false;
      submitted[record.id] = i;
    } else if (record.kind == Kind::kFlush) {
      submitted[record.id] = i;
      std::vector<size_t>& covered = covers[i];
      for (const size_t index : open) {
        if (answered[index]) covered.push_back(index);
      }
    } else if (record.kind == Kind::kDone) {
      const auto found = submitted.find(record.id);
      if (found == submitted.end()) continue;
      const size_t index = found->second;
      submitted.erase(found);
      if (records[index].kind == Kind::kFlush) {
        next_epoch(i + 1, covers[index]);
        covers.erase(index);
      } else if ((records[index].flags & kFua) != 0) {
        next_epoch(i + 1, {index});
      } else if (answered.contains(index)) {
        answered[index] = true;
      }
    }
  }
  epochs.back().last = records.size();
  epochs.back().pending = std::move(open);
  epochs.back().hidden.insert(hidden.begin(), hidden.end());
  return epochs;
}

}  // namespace plugpull::disk

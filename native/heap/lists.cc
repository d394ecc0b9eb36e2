#include "native/heap/lists.h"

namespace plugpull {

void FreeRuns::add(std::uint32_t start, std::uint32_t length) {
  if (length == 0) return;
  auto next = runs_.lower_bound(start);
  if (next != runs_.end() && next->first == start + length) {
    length += next->second;
    next = runs_.erase(next);
  }
  if (next != runs_.begin()) {
    auto before = std::prev(next);
    if (before->first + before->second == start) {
      before->second += length;
      return;
    }
  }
  runs_.emplace_hint(next, start, length);
}

std::optional<std::uint32_t> FreeRuns::take(std::uint32_t length) {
  for (const auto& [start, available] : runs_) {
    if (available < length) continue;
    const std::uint32_t found = start;
    take_at(found, length);
    return found;
  }
  return std::nullopt;
}

void FreeRuns::take_at(std::uint32_t start, std::uint32_t length) {
  auto run = std::prev(runs_.upper_bound(start));
  const std::uint32_t end = run->first + run->second;
  if (run->first == start) {
    runs_.erase(run);
  } else {
    run->second = start - run->first;
  }
  if (end > start + length) runs_.emplace(start + length, end - start - length);
}

bool FreeRuns::contains(std::uint32_t page) const {
  auto run = runs_.upper_bound(page);
  if (run == runs_.begin()) return false;
  --run;
  return page < run->first + run->second;
}

std::uint32_t FreeRuns::length_at(std::uint32_t start) const {
  const auto run = runs_.find(start);
  return run == runs_.end() ? 0 : run->second;
}

std::uint32_t FreeRuns::start_of_run_ending_at(std::uint32_t end) const {
  auto run = runs_.lower_bound(end);
  if (run == runs_.begin()) return end;
  --run;
  return run->first + run->second == end ? run->first : end;
}

void FreeRuns::cut(std::uint32_t page) {
  auto run = runs_.lower_bound(page);
  runs_.erase(run, runs_.end());
  if (runs_.empty()) return;
  auto last = std::prev(runs_.end());
  if (last->first + last->second > page) last->second = page - last->first;
}

void PartialPages::clear(std::uint32_t page_count) {
  heads_.fill(kNone);
  links_.assign(page_count, Link{});
}

void PartialPages::use(std::size_t size_class, std::uint32_t page) {
  if (heads_[size_class] == page) return;
  remove(size_class, page);
  Link& link = links_[page];
  link.listed = true;
  link.next = heads_[size_class];
  if (link.next != kNone) links_[link.next].previous = page;
  heads_[size_class] = page;
}

void PartialPages::remove(std::size_t size_class, std::uint32_t page) {
  Link& link = links_[page];
  if (!link.listed) return;
  if (link.previous == kNone) {
    heads_[size_class] = link.next;
  } else {
    links_[link.previous].next = link.next;
  }
  if (link.next != kNone) links_[link.next].previous = link.previous;
  link = Link{};
}

}  // namespace plugpull

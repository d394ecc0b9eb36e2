#include "native/disk/read_sets.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <sstream>
#include <stdexcept>

namespace plugpull::disk {

namespace {

constexpr size_t kHalf = 16;  // digits of each half of a name
// Contents remembered of one set of blocks.
constexpr size_t kMaxContents = 1 << 16;

uint64_t digest_of(const Blocks& blocks) {
  return XXH3_64bits(blocks.data(), blocks.size() * sizeof(uint64_t));
}

uint64_t parse_number(const std::string& text, int base) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size())
    throw std::runtime_error("no number: \"" + text + "\"");
  return number;
}

std::string text_of(uint64_t set, uint64_t content) {
  char text[2 * kHalf + 1];
  std::snprintf(text, sizeof text, "%016" PRIx64 "%016" PRIx64, set, content);
  return text;
}

struct Name {
  uint64_t set;
  uint64_t content;
};

Name parse_name(const std::string& text) {
  if (text.size() != 2 * kHalf) throw std::runtime_error("no name of what was read: " + text);
  return {parse_number(text.substr(0, kHalf), 16), parse_number(text.substr(kHalf), 16)};
}

}  // namespace

Blocks first_read(std::vector<Bio> bios) {
  std::stable_sort(bios.begin(), bios.end(),
                   [](const Bio& one, const Bio& other) { return one.nanos < other.nanos; });
  std::unordered_set<uint64_t> written;
  Blocks read;
  for (const Bio& bio : bios) {
    if (bio.length == 0) continue;
    const uint64_t end = bio.offset + bio.length;
    if (bio.read) {
      for (uint64_t block = bio.offset / kBlock; block * kBlock < end; block++) {
        if (!written.contains(block)) read.push_back(block);
      }
    } else {
      // A block of which only a part was written keeps something of what was there.
      for (uint64_t block = (bio.offset + kBlock - 1) / kBlock; (block + 1) * kBlock <= end; block++)
        written.insert(block);
    }
  }
  std::sort(read.begin(), read.end());
  read.erase(std::unique(read.begin(), read.end()), read.end());
  return read;
}

std::string blocks_text(const Blocks& blocks) {
  if (blocks.empty()) return "-";
  std::string text;
  for (size_t i = 0; i < blocks.size();) {
    size_t end = i + 1;
    while (end < blocks.size() && blocks[end] == blocks[end - 1] + 1) end++;
    if (!text.empty()) text += ',';
    text += std::to_string(blocks[i]) + "+" + std::to_string(end - i);
    i = end;
  }
  return text;
}

Blocks parse_blocks(const std::string& text, uint64_t limit) {
  Blocks blocks;
  if (text == "-") return blocks;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) {
    const size_t plus = word.find('+');
    if (plus == std::string::npos) throw std::runtime_error("no range of blocks: " + word);
    const uint64_t first = parse_number(word.substr(0, plus), 10);
    const uint64_t count = parse_number(word.substr(plus + 1), 10);
    if (count == 0 || first >= limit || count > limit - first || (!blocks.empty() && blocks.back() >= first))
      throw std::runtime_error("no such range of blocks: " + word);
    for (uint64_t i = 0; i < count; i++) blocks.push_back(first + i);
  }
  return blocks;
}

ReadSets::ReadSets(Medium& medium, size_t most) : medium_(medium), most_(most) {
  medium_.on_durable = [this](uint64_t block, uint64_t change) {
    for (auto& [key, set] : sets_) {
      if (set.has[block]) set.durable ^= change;
    }
  };
  medium_.on_rewind = [this] {
    for (auto& [key, set] : sets_) set.durable = 0;
  };
}

std::string ReadSets::name(const Blocks& blocks) const {
  uint64_t content = 0;
  for (const uint64_t block : blocks)
    content ^= medium_.durable_difference(block) ^ medium_.put_difference(block);
  return text_of(digest_of(blocks), content);
}

void ReadSets::learn(const std::string& text, const Blocks& blocks) {
  const Name name = parse_name(text);
  if (name.set != digest_of(blocks)) throw std::runtime_error("the blocks are not those of " + text);
  const auto [found, fresh] = sets_.try_emplace(name.set);
  Set& set = found->second;
  if (fresh) {
    set.has.assign(medium_.blocks(), false);
    for (const uint64_t block : blocks) {
      set.has[block] = true;
      set.durable ^= medium_.durable_difference(block);
    }
    order_.push_back(name.set);
  }
  if (set.digests.size() < kMaxContents) set.digests.insert(name.content);
  if (order_.size() > most_) {
    sets_.erase(order_.front());
    order_.pop_front();
  }
}

std::vector<std::string> ReadSets::agreeing(size_t most) const {
  std::vector<std::pair<uint64_t, uint64_t>> put;  // block, difference
  for (const uint64_t block : medium_.put_blocks()) {
    const uint64_t difference = medium_.put_difference(block);
    if (difference != 0) put.emplace_back(block, difference);
  }
  std::vector<std::string> names;
  for (auto key = order_.rbegin(); key != order_.rend() && names.size() < most; key++) {
    const Set& set = sets_.at(*key);
    uint64_t content = set.durable;
    for (const auto& [block, difference] : put) {
      if (set.has[block]) content ^= difference;
    }
    if (set.digests.contains(content)) names.push_back(text_of(*key, content));
  }
  return names;
}

const std::vector<bool>* ReadSets::blocks_of(const std::string& name) const {
  const auto found = sets_.find(parse_name(name).set);
  return found == sets_.end() ? nullptr : &found->second.has;
}

}  // namespace plugpull::disk

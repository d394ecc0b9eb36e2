// What recovery and check have read of crash states. Nothing that they never read can matter: a state that
// agrees with an explored one on all that was read has the same outcome.
#ifndef PLUGPULL_NATIVE_DISK_READ_SETS_H_
#define PLUGPULL_NATIVE_DISK_READ_SETS_H_

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "native/disk/bio_watch.h"
#include "native/disk/medium.h"

namespace plugpull::disk {

// Ascending numbers of blocks.
using Blocks = std::vector<uint64_t>;

// Blocks that were read before they had been written whole, by requests in any order. What somebody has
// written himself says nothing about what he found.
Blocks first_read(std::vector<Bio> bios);

// `first+count,first+count…`; `-` if there are none.
std::string blocks_text(const Blocks& blocks);
// Throws std::runtime_error where it is none, or names a block that is not there.
Blocks parse_blocks(const std::string& text, uint64_t limit);

// Sets of blocks, with the contents that were found in them. Bounded: the oldest sets are forgotten.
class ReadSets {
 public:
  // `medium` must outlive this; there must be no other ReadSets of it.
  explicit ReadSets(Medium& medium, size_t most = 512);

  // Names what the device holds in these blocks: equal names, equal contents in the same blocks. 32
  // hexadecimal digits.
  std::string name(const Blocks& blocks) const;
  // From now on states that agree with this one are found. Throws std::runtime_error if it is no name.
  void learn(const std::string& name, const Blocks& blocks);
  // Names of what was learnt with which the device agrees, newest first, at most `most`.
  std::vector<std::string> agreeing(size_t most) const;
  // The blocks that belong to a name; nullptr if they were forgotten.
  const std::vector<bool>* blocks_of(const std::string& name) const;
  size_t size() const { return sets_.size(); }

 private:
  struct Set {
    std::vector<bool> has;
    uint64_t durable = 0;  // digest of what is durable in its blocks, relative to the base
    std::unordered_set<uint64_t> digests;
  };

  Medium& medium_;
  const size_t most_;
  std::unordered_map<uint64_t, Set> sets_;  // by the digest of their blocks
  std::deque<uint64_t> order_;              // oldest first
};

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_READ_SETS_H_

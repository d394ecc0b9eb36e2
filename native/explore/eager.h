#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "native/explore/scene.h"

namespace plugpull {

// Crash states built in full: every combination of fates that the rules allow, applied in order to copies of
// the files. Slow and simple, to hold the lazy way against.
class Eager {
 public:
  explicit Eager(Scene& scene);

  // How many combinations there are before the rules are asked.
  double combinations() const;
  // Calls `state` for each combination that the rules allow, with its files and a hash of them.
  void each(const std::function<void(Scene& files, std::uint64_t hash)>& state);

 private:
  struct Variable {
    enum Kind : std::uint8_t { kData, kOwn, kChain, kJournal } kind;
    std::uint32_t id;
    std::vector<std::uint32_t> values;
  };
  struct File {
    std::vector<std::byte> bytes;
    std::uint64_t size = 0;
    unsigned mode = 0;
  };

  bool allowed() const;
  bool kept(PendingId id) const;
  void apply(const Pending& p, PendingId id, bool whole, File& file);
  File frozen_file(const Pending& clone, bool whole);
  void build(Scene& files, std::uint64_t* hash);

  Scene& scene_;
  std::vector<Variable> variables_;
  // Of the current combination: by pending change, by chain, and of the journal.
  std::vector<std::uint32_t> candidate_;
  std::vector<std::uint32_t> rank_;
  std::uint32_t journal_ = 0;
};

}  // namespace plugpull

#pragma once
#include "native/tracking/tracker.h"

namespace plugpull {

// Keeps a shadow copy of the range and compares. Costs as much memory as the heap and
// time in proportion to it, and works everywhere. Writers must hold still from collect()
// until the pages it named are copied (which is what Backend asks of them anyway).
class CompareTracker final : public Tracker {
 public:
  ~CompareTracker() override;
  std::string_view name() const override { return "compare"; }
  void arm(std::byte* base, std::size_t size) override;
  std::vector<std::uint32_t> collect() override;

 private:
  void resize_shadow(std::size_t size);

  std::byte* base_ = nullptr;
  std::size_t size_ = 0;
  std::byte* shadow_ = nullptr;
};

}  // namespace plugpull

#include "native/explore/chooser.h"

#include "native/explore/mix.h"

namespace plugpull {

void Chooser::restart(Policy wanted, std::span<const std::uint32_t> path) {
  policy = wanted;
  frames_.clear();
  classes.clear();
  members.clear();
  path_.assign(path.begin(), path.end());
  depth_ = 0;
  estimate = 1.0;
}

void Chooser::truncate(std::uint32_t floor) {
  if (floor < frames_.size()) {
    classes.resize(frames_[floor].class_base);
    members.resize(frames_[floor].member_base);
    frames_.resize(floor);
  }
  depth_ = floor;
}

bool Chooser::next(std::uint32_t floor) {
  path_.clear();  // it led to the first state only
  // Decisions beyond those of the last state cannot exist: it asked all of them.
  while (frames_.size() > floor) {
    Frame& last = frames_.back();
    if (last.taken + 1 < last.classes) {
      ++last.taken;
      depth_ = floor;
      return true;
    }
    classes.resize(last.class_base);
    members.resize(last.member_base);
    frames_.pop_back();
  }
  depth_ = floor;
  return false;
}

void Chooser::seed(std::uint64_t seed) { random_ = mix(seed); }

double Chooser::uniform() {
  random_ = mix(random_);
  return static_cast<double>(random_ >> 11) * 0x1.0p-53;
}

const Chooser::Frame& Chooser::replay(std::uint32_t question, std::uint32_t detail) {
  if (!replays(question, detail)) {
    fail<NotDeterministic>("recovery read other things when it was run again on the same crash state");
  }
  return frames_[depth_++];
}

bool Chooser::on_path(std::uint32_t count, std::uint32_t* taken) {
  if (depth_ >= path_.size()) return false;
  if (path_[depth_] >= count) {
    fail<std::invalid_argument>("the path does not fit this trace: decision " + std::to_string(depth_) +
                                " has " + std::to_string(count) + " outcomes");
  }
  *taken = path_[depth_];
  return true;
}

void Chooser::push(std::uint32_t question, std::uint32_t detail, std::uint32_t count, std::uint32_t taken) {
  frames_.push_back({question, detail, count, taken, static_cast<std::uint32_t>(classes.size()),
                     static_cast<std::uint32_t>(members.size())});
  ++depth_;
}

void Chooser::push_classes(std::uint32_t question, std::uint32_t detail, std::uint32_t class_base,
                           std::uint32_t member_base, std::uint32_t taken) {
  const auto count = static_cast<std::uint32_t>(classes.size()) - class_base;
  frames_.push_back({question, detail, count, taken, class_base, member_base});
  ++depth_;
}

std::vector<std::uint32_t> Chooser::planned() const {
  std::vector<std::uint32_t> taken;
  taken.reserve(frames_.size());
  for (const Frame& frame : frames_) taken.push_back(frame.taken);
  return taken;
}

std::vector<std::uint32_t> Chooser::path() const {
  std::vector<std::uint32_t> taken;
  taken.reserve(depth_);
  for (std::uint32_t i = 0; i < depth_; ++i) taken.push_back(frames_[i].taken);
  return taken;
}

}  // namespace plugpull

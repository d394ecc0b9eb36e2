#pragma once
#include <cstdint>
#include <exception>
#include <span>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace plugpull {

// The check did not ask the same questions when it was run again on the same bytes, so its answers mean
// nothing.
class NotDeterministic : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What a caller wants to become of pending changes, by their question (see Scene).
struct Assignment {
  bool kept = true;  // of what is not named below
  // Question -> what is wanted: for a write a candidate of its family, for a name, mode … 0 kept, 1 lost; for
  // a journal or a chain of sizes the highest value that persists.
  std::unordered_map<std::uint32_t, std::uint32_t> wanted{};
  // Of the recorded run, only so many operations have happened.
  std::uint32_t cut = ~0U;
};

// The decisions that lead to one crash state: which of several classes of fates was taken at each question
// that recovery's reads raised, in order. Depth first: the next state takes the next class at the last
// question that has one left, and asks on from there.
class Chooser {
 public:
  // What was thrown at a question. Kept, because what runs between may take it for an error of its own.
  std::exception_ptr trouble;

  // What to take at a question that is not on the given path.
  enum class Policy : std::uint8_t { kFirst, kAssigned, kRandom };

  struct Class {
    std::uint32_t first;  // in members
    std::uint32_t count;
  };
  struct Frame {
    std::uint32_t question;
    std::uint32_t detail;  // what of it was asked
    std::uint32_t classes;
    std::uint32_t taken;
    std::uint32_t class_base;
    std::uint32_t member_base;
  };

  // Forgets all decisions and begins anew, following `path` first.
  void restart(Policy policy, std::span<const std::uint32_t> path = {});
  // Moves to the next state depth first, below the first `floor` decisions; false: there is none.
  bool next(std::uint32_t floor);
  // The same decisions will be replayed from number `floor` on.
  void rewind(std::uint32_t floor) { depth_ = floor; }
  // Forgets the decisions from number `floor` on.
  void truncate(std::uint32_t floor);

  Policy policy = Policy::kFirst;
  Assignment assignment;
  void seed(std::uint64_t seed);
  double uniform();       // [0, 1)
  double estimate = 1.0;  // 1 / probability of the decisions taken at random: mean = number of states
  double bias = 0.5;      // probability to keep

  bool replaying() const { return depth_ < frames_.size(); }
  // Is the next decision of the replay this one?
  bool replays(std::uint32_t question, std::uint32_t detail) const {
    return replaying() && frames_[depth_].question == question && frames_[depth_].detail == detail;
  }
  // The next decision of the replay, which must be this one.
  const Frame& replay(std::uint32_t question, std::uint32_t detail);
  // A path was given for this decision: the class it names. False: policy decides.
  bool on_path(std::uint32_t classes, std::uint32_t* taken);
  void push(std::uint32_t question, std::uint32_t detail, std::uint32_t classes, std::uint32_t taken);
  // Classes of a decision about a write: `classes` and `members` of the new frame are appended first.
  std::vector<Class> classes;
  std::vector<std::uint16_t> members;
  void push_classes(std::uint32_t question, std::uint32_t detail, std::uint32_t class_base,
                    std::uint32_t member_base, std::uint32_t taken);

  std::uint32_t depth() const { return depth_; }
  std::vector<std::uint32_t> path() const;
  // Of the state that next() moved to, as far as they are decided.
  std::vector<std::uint32_t> planned() const;
  std::span<const Frame> frames() const { return {frames_.data(), depth_}; }

 private:
  template <typename Error>
  [[noreturn]] void fail(const std::string& what) {
    trouble = std::make_exception_ptr(Error(what));
    std::rethrow_exception(trouble);
  }

  std::vector<Frame> frames_;
  std::vector<std::uint32_t> path_;
  std::uint32_t depth_ = 0;
  std::uint64_t random_ = 1;
};

}  // namespace plugpull

#pragma once
#include <string_view>

namespace plugpull {

// A step is a named place in a commit, recovery or creation protocol at which a
// crash can fall: "<backend>.<commit|recover|create|checkpoint>.<what has just happened>".
// Each backend lists all its steps (Backend::Kind::steps), and a test holds the list
// against what is passed, so that coverage has a true denominator.
class StepObserver {
 public:
  virtual ~StepObserver() = default;
  // May be called from the backend's own background thread. May not return.
  virtual void at(std::string_view step) = 0;
};

// One observer for the process; nullptr for none. Returns the one before.
StepObserver* observe_steps(StepObserver* observer) noexcept;

void step(std::string_view name);

}  // namespace plugpull

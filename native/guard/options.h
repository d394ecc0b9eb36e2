#pragma once

#include <cstdint>
#include <string>

namespace plugpull::guard {

/** What the command line asks for. A limit of 0 means none. */
struct Options {
  uint64_t memory_max = 0;         ///< bytes, summed over the tree
  uint64_t processes_max = 0;      ///< processes alive at once
  uint64_t time_max = 0;           ///< milliseconds from the start of the program
  uint64_t kill_max = 10'000;      ///< milliseconds that the tree may take to die
  int control = -1;                ///< descriptor of the controller's end
  bool pipes = false;              ///< make pipes for the program's stdio and announce them
  char* const* program = nullptr;  ///< argv of the program, ends with nullptr
};

extern const char* const kUsage;

/** Reads the command line. Returns an empty string, or what is wrong with it. */
std::string parse_options(int argc, char* const* argv, Options* options);

}  // namespace plugpull::guard

#pragma once
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "native/model/recording.h"

namespace plugpull {

// Bytes that are no trace, or one that no run can have left.
class TraceFormatError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A file of a trace is never longer than this.
inline constexpr std::uint64_t kLongestFile = std::uint64_t{1} << 32;

// A trace as bytes, to be kept and moved. Version 1: "PPTRACE1", both tables of names, the operations, each
// with the bytes it wrote; numbers in LEB128.
std::vector<std::byte> encode_trace(const Trace& trace);

// Takes nothing on trust: every number is checked, every operation must fit the files as those before it left
// them, and no more than `limit` bytes are used. TraceFormatError says what is wrong and where.
std::unique_ptr<Trace> decode_trace(ConstBytes bytes, std::size_t limit);

}  // namespace plugpull

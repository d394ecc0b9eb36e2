#include <charconv>
#include <stdexcept>

#include "native/explore/explorer.h"

namespace plugpull {

std::string StatePath::text() const {
  std::string text;
  for (const Cut& cut : cuts) {
    if (!text.empty()) text += '/';
    text += std::to_string(cut.point);
    if (cut.kill) text += 'k';
    text += ':';
    for (std::size_t i = 0; i < cut.taken.size(); ++i) {
      if (i > 0) text += '.';
      text += std::to_string(cut.taken[i]);
    }
  }
  return text;
}

StatePath StatePath::parse(const std::string& text) {
  constexpr std::size_t kLongest = std::size_t{1} << 20;
  const auto fail = [&]() -> std::invalid_argument {
    return std::invalid_argument("not the path of a crash state: \"" + text.substr(0, 60) + "\"");
  };
  if (text.size() > kLongest) throw fail();
  StatePath path;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto number = [&] {
    std::uint32_t value = 0;
    const auto [after, error] = std::from_chars(at, end, value);
    if (error != std::errc{}) throw fail();
    at = after;
    return value;
  };
  for (;;) {
    Cut cut;
    cut.point = number();
    if (at < end && *at == 'k') {
      cut.kill = true;
      ++at;
    }
    if (at == end || *at++ != ':') throw fail();
    while (at < end && *at != '/') {
      if (!cut.taken.empty() && *at++ != '.') throw fail();
      cut.taken.push_back(number());
    }
    path.cuts.push_back(std::move(cut));
    if (at == end) return path;
    ++at;
  }
}

}  // namespace plugpull

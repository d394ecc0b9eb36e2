#include "native/disk/choices.h"

#include <charconv>
#include <sstream>
#include <stdexcept>

namespace plugpull::disk {

namespace {

std::vector<bool> parse_mask(const std::string& hex) {
  std::vector<bool> mask(hex.size() * 4, false);
  for (size_t i = 0; i < hex.size(); i++) {
    const char digit = hex[hex.size() - 1 - i];
    int value = 0;
    if (digit >= '0' && digit <= '9') {
      value = digit - '0';
    } else if (digit >= 'a' && digit <= 'f') {
      value = digit - 'a' + 10;
    } else {
      throw std::runtime_error("no mask: " + hex);
    }
    for (size_t bit = 0; bit < 4; bit++) mask[i * 4 + bit] = ((value >> bit) & 1) != 0;
  }
  return mask;
}

}  // namespace

std::vector<Kept> parse_choices(const std::string& text, size_t pending) {
  std::vector<Kept> kept;
  if (text == "-") return kept;
  if (text == "*") {
    for (size_t i = 0; i < pending; i++) kept.push_back({i, {}});
    return kept;
  }
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) {
    const size_t colon = word.find(':');
    const std::string number = word.substr(0, colon);
    size_t index = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), index);
    if (error != std::errc() || end != number.data() + number.size() || index >= pending ||
        (!kept.empty() && kept.back().pending >= index)) {
      throw std::runtime_error("no choice among " + std::to_string(pending) + " writes: " + word);
    }
    kept.push_back(
        {index, colon == std::string::npos ? std::vector<bool>() : parse_mask(word.substr(colon + 1))});
    if (colon != std::string::npos && colon + 1 == word.size())
      throw std::runtime_error("an empty mask: " + word);
  }
  if (kept.empty()) throw std::runtime_error("no choices: \"" + text + "\"");
  return kept;
}

}  // namespace plugpull::disk

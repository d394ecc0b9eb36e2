#pragma once
#include <napi.h>

#include <cstdint>
#include <string>
#include <utility>

namespace plugpull::addon {

// Throws the exception that is being handled as a JavaScript error: OsError with `code` (the name of
// errno), `operation`, `path` and `errno`; FormatError with `code` ("HEAP_…") and `path`;
// std::invalid_argument as RangeError. To be called in a catch block.
[[noreturn]] void rethrow_as_javascript(Napi::Env env);

// Runs `body` and turns its C++ exceptions into JavaScript ones.
template <typename Body>
auto guarded(Napi::Env env, Body&& body) -> decltype(body()) {
  try {
    return std::forward<Body>(body)();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    rethrow_as_javascript(env);
  }
}

// Arguments and properties, each with a TypeError that names what is wrong.
std::uint64_t whole_number(const Napi::Value& value, const std::string& name);  // 0 … 2^53 - 1
std::string text(const Napi::Value& value, const std::string& name);
Napi::Object object(const Napi::Value& value, const std::string& name);

// An optional property: `fallback` where it is undefined.
std::uint64_t whole_number_or(const Napi::Object& from, const char* name, std::uint64_t fallback);
std::string text_or(const Napi::Object& from, const char* name, const std::string& fallback);
bool flag_or(const Napi::Object& from, const char* name, bool fallback);

// errno by name ("ENOSPC"), and back; TypeError for a name that is none.
std::string errno_name(int error);
int errno_by_name(Napi::Env env, const std::string& name);

}  // namespace plugpull::addon

#include "native/addon/convert.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <new>
#include <stdexcept>

#include "native/storage/error.h"

namespace plugpull::addon {
namespace {

constexpr double kMostExact = 9007199254740991;  // Number.MAX_SAFE_INTEGER

constexpr int kErrors[] = {
    EPERM,        ENOENT,    EINTR,   EIO,       ENXIO,  EBADF,     EAGAIN,     ENOMEM,    EACCES,
    EFAULT,       EBUSY,     EEXIST,  EXDEV,     ENODEV, ENOTDIR,   EISDIR,     EINVAL,    ENFILE,
    EMFILE,       ENOTTY,    ETXTBSY, EFBIG,     ENOSPC, ESPIPE,    EROFS,      EMLINK,    EPIPE,
    ENAMETOOLONG, ENOLCK,    ENOSYS,  ENOTEMPTY, ELOOP,  EOVERFLOW, EOPNOTSUPP, ETIMEDOUT, ESTALE,
    EDQUOT,       ECANCELED, ESRCH,   ECHILD,    E2BIG,  ENOEXEC,   EDOM,       ERANGE};

[[noreturn]] void throw_with(Napi::Error error, const std::string& code, const std::string& path) {
  error.Set("code", Napi::String::New(error.Env(), code));
  error.Set("path", Napi::String::New(error.Env(), path));
  throw error;
}

[[noreturn]] void wrong_type(const Napi::Value& value, const std::string& name, const char* expected) {
  throw Napi::TypeError::New(value.Env(), name + " must be " + expected);
}

}  // namespace

std::string errno_name(int error) {
  const char* name = strerrorname_np(error);
  return name == nullptr ? "E" + std::to_string(error) : name;
}

int errno_by_name(Napi::Env env, const std::string& name) {
  for (const int error : kErrors) {
    if (errno_name(error) == name) return error;
  }
  throw Napi::TypeError::New(env, "errno must be the name of an error such as ENOSPC, not " + name);
}

void rethrow_as_javascript(Napi::Env env) {
  try {
    throw;
  } catch (const OsError& error) {
    const Napi::Error thrown = Napi::Error::New(env, error.what());
    thrown.Set("operation", Napi::String::New(env, error.operation()));
    thrown.Set("errno", Napi::Number::New(env, error.error()));
    throw_with(thrown, errno_name(error.error()), error.path());
  } catch (const FormatError& error) {
    throw_with(Napi::Error::New(env, error.what()), FormatError::name(error.kind()), error.path());
  } catch (const std::invalid_argument& error) {
    throw Napi::RangeError::New(env, error.what());
  } catch (const std::exception& error) {
    throw Napi::Error::New(env, error.what());
  }
}

std::uint64_t whole_number(const Napi::Value& value, const std::string& name) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0) || number > kMostExact || std::floor(number) != number) {
    wrong_type(value, name, "a whole number, zero or more");
  }
  return static_cast<std::uint64_t>(number);
}

std::string text(const Napi::Value& value, const std::string& name) {
  if (!value.IsString()) wrong_type(value, name, "a string");
  std::string string = value.As<Napi::String>().Utf8Value();
  if (string.find('\0') != std::string::npos) wrong_type(value, name, "a string without zero bytes");
  return string;
}

Napi::Object object(const Napi::Value& value, const std::string& name) {
  if (!value.IsObject()) wrong_type(value, name, "an object");
  return value.As<Napi::Object>();
}

std::uint64_t whole_number_or(const Napi::Object& from, const char* name, std::uint64_t fallback) {
  const Napi::Value value = from.Get(name);
  return value.IsUndefined() ? fallback : whole_number(value, name);
}

std::string text_or(const Napi::Object& from, const char* name, const std::string& fallback) {
  const Napi::Value value = from.Get(name);
  return value.IsUndefined() ? fallback : text(value, name);
}

bool flag_or(const Napi::Object& from, const char* name, bool fallback) {
  const Napi::Value value = from.Get(name);
  if (value.IsUndefined()) return fallback;
  if (!value.IsBoolean()) wrong_type(value, name, "true or false");
  return value.As<Napi::Boolean>().Value();
}

}  // namespace plugpull::addon

#pragma once
#include <napi.h>

#include <memory>
#include <string>

#include "native/storage/storage.h"

namespace plugpull::addon {

// What JavaScript holds of a Storage: an opaque object with the property `kind`. A new kind of
// storage needs a function that makes it and calls wrap; heaps take any.
class NativeStorage : public Napi::ObjectWrap<NativeStorage> {
 public:
  explicit NativeStorage(const Napi::CallbackInfo& info);

  static void define(Napi::Env env);
  static Napi::Object wrap(Napi::Env env, std::shared_ptr<Storage> storage, const std::string& kind);
  // The storage behind a value; the real file system for undefined; TypeError for anything else.
  static std::shared_ptr<Storage> of(const Napi::Value& value);

  const std::shared_ptr<Storage>& storage() const { return storage_; }

 private:
  Napi::Value kind(const Napi::CallbackInfo& info);

  std::shared_ptr<Storage> storage_;
  std::string kind_;
};

void define_storage(Napi::Env env, Napi::Object exports);

}  // namespace plugpull::addon

#include "native/addon/storage_binding.h"

#include "native/addon/convert.h"
#include "native/addon/instance.h"
#include "native/storage/faulty.h"
#include "native/storage/posix.h"

namespace plugpull::addon {
namespace {

// Marks our own objects, so that nothing else is ever unwrapped as one.
constexpr napi_type_tag kTag = {0x9a1f0c52e7b84d01, 0xb6d2c8e35f7a4901};

// posix_storage() lives as long as the process: shared without being owned.
std::shared_ptr<Storage> posix() { return {std::shared_ptr<Storage>(), &posix_storage()}; }

Napi::Value faulty_storage(const Napi::CallbackInfo& info) {
  const Napi::Object plan = object(info[0], "plan");
  FaultPlan fault;
  fault.operation = text(plan.Get("operation"), "operation");
  fault.nth = whole_number(plan.Get("nth"), "nth");
  const std::string error = text_or(plan, "errno", "");
  const Napi::Value short_bytes = plan.Get("shortBytes");
  if (error.empty() == short_bytes.IsUndefined()) {
    throw Napi::TypeError::New(info.Env(), "a fault has either errno or shortBytes");
  }
  if (error.empty()) {
    fault.short_bytes = whole_number(short_bytes, "shortBytes");
  } else {
    fault.error = errno_by_name(info.Env(), error);
  }
  return guarded(info.Env(), [&] {
    return NativeStorage::wrap(info.Env(), std::make_shared<FaultyStorage>(posix_storage(), fault), "faulty");
  });
}

}  // namespace

NativeStorage::NativeStorage(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NativeStorage>(info) {
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

void NativeStorage::define(Napi::Env env) {
  const Napi::Function constructor =
      DefineClass(env, "NativeStorage", {InstanceAccessor<&NativeStorage::kind>("kind")});
  Instance::of(env).storage = Napi::Persistent(constructor);
}

Napi::Object NativeStorage::wrap(Napi::Env env, std::shared_ptr<Storage> storage, const std::string& kind) {
  const Napi::Object object = Instance::of(env).storage.New({});
  NativeStorage& self = *Unwrap(object);
  self.storage_ = std::move(storage);
  self.kind_ = kind;
  return object;
}

std::shared_ptr<Storage> NativeStorage::of(const Napi::Value& value) {
  if (value.IsUndefined()) return posix();
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag) ||
      !Unwrap(value.As<Napi::Object>())->storage_) {
    throw Napi::TypeError::New(value.Env(), "storage must come from the native core");
  }
  return Unwrap(value.As<Napi::Object>())->storage_;
}

Napi::Value NativeStorage::kind(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), kind_);
}

void define_storage(Napi::Env env, Napi::Object exports) {
  NativeStorage::define(env);
  exports.Set("faultyStorage", Napi::Function::New<faulty_storage>(env, "faultyStorage"));
}

}  // namespace plugpull::addon

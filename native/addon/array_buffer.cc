#include "native/addon/array_buffer.h"

#include <v8.h>

#include <cstring>
#include <memory>

namespace plugpull::addon {

Napi::ArrayBuffer external_array_buffer(Napi::Env env, std::byte* data, std::size_t size) {
  v8::Isolate* isolate = v8::Isolate::GetCurrent();
  std::shared_ptr<v8::BackingStore> store = v8::ArrayBuffer::NewBackingStore(
      data, size, [](void*, std::size_t, void*) {}, nullptr);
  const v8::Local<v8::Value> buffer = v8::ArrayBuffer::New(isolate, std::move(store));
  // Node-API values are V8's local handles; there is no public conversion.
  static_assert(sizeof(v8::Local<v8::Value>) == sizeof(napi_value));
  napi_value value;
  std::memcpy(&value, &buffer, sizeof value);
  return {env, value};
}

}  // namespace plugpull::addon
